"""Methods text for a paper, made from the run: what was measured, how, on what, and how it was judged.

Every sentence rests on something the run recorded, or on what the harness does in every run. What was not
recorded is not said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, metadata
from math import isnan
from typing import Any

import pandas as pd

from deqbench.records import Status
from deqbench.telling.contests import ROPE
from deqbench.telling.report.numbers import number
from deqbench.telling.tables import PENDING, Frames, failure_counts, summed

_NAMED = 6


def methods(frames: Frames) -> Iterator[str]:
    """Yield the paragraphs: design, procedure, measurement, statistics, failures, machine."""
    told = (_design, _procedure, _measured, _judged, _failed, _machine)
    for paragraph in (" ".join(each(frames)) for each in told):
        if paragraph:
            yield paragraph


def bibtex(frames: Frames) -> str:
    """Return BibTeX entries of deqbench, as its metadata names it, and of the paper whose claims it tests."""
    return f"{_software(frames)}\n\n{_PAPER}"


_PAPER = """@inproceedings{kawaguchi2021theory,
  author        = {Kawaguchi, Kenji},
  title         = {On the Theory of Implicit Deep Learning: Global Convergence with Implicit Layers},
  booktitle     = {International Conference on Learning Representations (ICLR)},
  year          = {2021},
  eprint        = {2102.07346},
  archivePrefix = {arXiv}
}"""


def _software(frames: Frames) -> str:
    """Return the entry of deqbench: its version and commit are the run's own."""
    try:
        about = metadata("deqbench")
        author, summary = ("".join(about.get_all(name) or ()) for name in ("Author", "Summary"))
    except PackageNotFoundError:  # a source tree on the path, not installed
        author, summary = "", ""
    version = (frames.environment.get("versions") or {}).get("deqbench")
    checkout = frames.environment.get("checkout") or {}
    changed = ", with changes of its own" if checkout.get("dirty") else ""
    notes = [f"Version {version}"] * bool(version)
    notes += [f"commit {str(checkout.get('commit', ''))[:12]}{changed}"] * bool(checkout.get("commit"))
    fields = {
        "author": f"{{{author}}}" if author else "",
        "title": f"deqbench: {summary.rstrip('.')}" if summary else "deqbench",
        "note": ", ".join(notes),
    }
    lines = [f"  {name:<6} = {{{value}}}" for name, value in fields.items() if value]
    return "@misc{deqbench,\n" + ",\n".join(lines) + "\n}"


def _design(frames: Frames) -> Iterator[str]:
    trials, ground = frames.trials, frames.subject.ground
    grounds = [str(one) for one in dict.fromkeys(trials["dataset"])]
    version = (frames.environment.get("versions") or {}).get("deqbench", "")
    suite = f"suite {frames.suite.get('name', 'unnamed')}, protocol {frames.protocol}"
    if _about_claims(frames):
        yield f"{_counted(len(grounds), 'claim')} were tested with deqbench {version} ({suite}).".replace(
            "  ", " "
        )
    else:
        entries = _counted(trials["label"].nunique(), "entry", "entries")
        where = f"{_counted(len(grounds), ground)} ({_listed(grounds)})"
        verb = "was" if trials["label"].nunique() == 1 else "were"
        yield f"{entries} {verb} compared on {where} with deqbench {version} ({suite}).".replace("  ", " ")
    seeds = sorted({int(seed) for seed in trials["seed"]})
    several = (
        f"with each of {len(seeds)} seeds ({_range(seeds)})" if len(seeds) > 1 else f"with seed {seeds[0]}"
    )
    alike = {
        "data set": (
            "the split of the data, a model's initial parameters and the order of minibatches, for all "
            "entries alike"
        ),
        "map": "the map, its inputs and the starting point, for all entries alike",
        "claim": "the data and the initial point of a case",
    }[ground]
    yield f"Each ran {several}; a seed fixes {alike}."


def _procedure(frames: Frames) -> Iterator[str]:
    trials, suite = frames.trials, frames.suite
    types = [str(one) for one in trials["dtype"].dropna().unique()] if "dtype" in trials else []
    if len(types) > 1:
        shares = [f"{name} ({int((trials['dtype'] == name).sum())} trials)" for name in types]
        yield f"Numbers were {' or '.join(shares)}."
    elif types:
        yield f"Numbers were {types[0]}."
    if frames.subject.ground == "data set":
        yield from _training(frames, suite.get("loss") or {})
    stop = suite.get("stop") or {}
    if stop and "solver" in trials and trials["solver"].notna().any():
        norm = f"{stop['norm']} " if stop.get("norm") else ""
        yield (
            f"Equilibria were sought to a {norm}residual of {stop.get('tolerance'):g} within "
            f"{stop.get('max_calls')} calls of the map, sample by sample; the harness, not the solver, "
            "measured the residual and decided when to stop."
        )
    limits = suite.get("budget") or {}
    units = {"seconds": "s of wall time", "memory_gib": "GiB of memory"}
    told = [f"{limits[name]:g} {unit}" for name, unit in units.items() if limits.get(name)]
    if told:
        yield f"A trial was stopped beyond {' or '.join(told)}."


def _training(frames: Frames, loss: Mapping[str, Any]) -> Iterator[str]:
    name = str(loss.get("name", ""))
    usual = "cross-entropy for classes, the squared error for regression"
    ridge = f" plus {loss['l2']:g}/2 times the squared norm of all parameters" if loss.get("l2") else ""
    if name:
        what = f"the mean loss on the training split ({usual})" if name == "auto" else f"the mean {name} loss"
        yield f"Every trainer minimised {what}{ridge}."
    for column, noun in (("budget.epochs", "epochs"), ("budget.steps", "updates")):
        found = sorted({float(one) for one in frames.trials.get(column, pd.Series(dtype=float)).dropna()})
        if found:
            several = ", depending on the entry" if len(found) > 1 else ""
            yield f"Training took at most {_listed([f'{one:g}' for one in found], 'or')} {noun}{several}."


def _measured(frames: Frames) -> Iterator[str]:
    run, experiment = frames.run, str(frames.suite.get("experiment", "training"))
    apart = "in a reused worker process" if run.get("isolation") == "worker" else "in a process of its own"
    threads = run.get("threads") or frames.suite.get("threads")
    beside = "" if run.get("jobs") in (None, 1) else f", {run['jobs']} at a time"
    each = f", each with {_counted(int(threads), 'thread')}" if threads else ""
    yield f"Every trial ran {apart}{beside}{each}."
    if experiment in _CLOCKS:
        yield _CLOCKS[experiment]
    shown = {
        "map_calls": "calls of the map",
        "vjps": "vector-Jacobian products",
        "hessian_products": "Hessian-vector products",
    }
    counted = [word for name, word in shown.items() if (summed(frames.trials, name) > 0).any()]
    if counted:
        said = _listed(counted)
        yield (
            f"{said[0].upper()}{said[1:]} were counted by the harness, backward solves and rejected steps "
            "included."
        )
    yield from _operations(frames, experiment)
    if (summed(frames.trials, "peak_bytes") > 0).any():
        gpu = str(frames.suite.get("device", run.get("device", ""))).startswith("cuda")
        by = (
            "the allocator's peak"
            if gpu
            else "the growth of resident memory over the start of the measurement"
        )
        yield f"Peak memory is {by}."


_CLOCKS: Mapping[str, str] = {
    "training": (
        "Training seconds are read from a monotonic clock after the device was synchronised; it stands still "
        "during evaluation, and starts after one update on a copy that was thrown away."
    ),
    "equilibrium": (
        "Seconds of a solve are the median of repeated solves after a warm-up, each on a fresh map, in turn "
        "with bare calls of the same map; residuals along a solve come from a separate, untimed solve."
    ),
    "gradient": (
        "Gradients were compared with exact ones in float64 (Newton to rounding, a dense adjoint solve); "
        "seconds of the forward and of the backward pass are medians of repetitions after a warm-up."
    ),
}


def _operations(frames: Frames, experiment: str) -> Iterator[str]:
    trials = frames.trials
    found = summed(trials, "operations")
    if not (found > 0).any():
        return
    how = "in one more solve" if experiment == "equilibrium" else "in one more round"
    if experiment == "training":
        share = frames.suite.get("operations")
        part = f" about {100 * share:g}% of" if isinstance(share, float) and 0 < share < 1 else ""
        how = f"by making{part} the updates again under a counter and scaling by the work counted in training"
    cover = float(summed(trials, "operations_coverage").min())
    share_told = "all" if cover == 1 else f"at least {100 * cover:.3g}%"
    formula = "" if isnan(cover) else f"; {share_told} of what was done had a formula"
    yield f"Floating-point operations were counted off the clock, {how}{formula}."
    ok = trials["status"] == Status.OK
    lacking = [str(one) for one in dict.fromkeys(trials.loc[ok & found.isna(), "label"])]
    if lacking:
        why = "whose work is done outside torch or was not counted"
        yield f"They are not known for {_listed(lacking)}, {why}."


def _judged(frames: Frames) -> Iterator[str]:
    if _about_claims(frames):
        yield (
            "A claim holds where its quantity stays within its bound, up to the tolerance, at every "
            "checkpoint, and a control, the same claim made false on purpose, is found out. It is violated "
            "where the bound is passed, and passed again with tolerances a hundred times tighter. Where an "
            "assumption could not be certified or the control passed, the case decides nothing."
        )
        return
    yield (
        "We report medians over seeds with order-statistic intervals, whose attained coverage stands beside "
        "them. Entries are compared in pairs under the same seed on the same data, by mean differences "
        "(geometric mean ratios for positive losses, errors and costs) of the pairs that both finished, with "
        "95% t intervals under ten pairs and bootstrap-t intervals from ten on; by sign-flip permutation "
        "tests over all pairs, exact where the patterns are few enough; and with Holm's correction over all "
        f"comparisons that are shown together. A difference within {100 * ROPE:g}% counts as none. An entry "
        "is called better or worse if p < 0.05 after correction and its interval lies beyond that, "
        "equivalent if the interval lies within it; else the comparison is inconclusive."
    )


def _failed(frames: Frames) -> Iterator[str]:
    trials = frames.trials
    ran = trials[trials["status"] != PENDING]
    counts = failure_counts([*ran["status"]])
    if counts:
        said = ", ".join(f"{times} {status.replace('_', ' ')}" for status, times in counts.items())
        yield f"Of {len(ran)} trials, {sum(counts.values())} did not end well ({said})."
    else:
        yield f"All {len(ran)} trials ended well."
    if not _about_claims(frames):
        yield (
            "Trials that fail are kept: they count as worse than every number in medians, tests and effect "
            "sizes, and are censored where times to a target are told."
        )


def _machine(frames: Frames) -> Iterator[str]:
    facts = frames.environment
    cpu, gpus = facts.get("cpu") or {}, facts.get("gpus") or []
    if cpu.get("model"):
        usable = f" ({_counted(int(cpu['usable']), 'usable thread')})" if cpu.get("usable") else ""
        total = (facts.get("memory") or {}).get("total_bytes")
        memory = f" with {number(total / 2**30)} GiB of memory" if total else ""
        cards = f" and {_listed([str(one.get('name')) for one in gpus])}" if gpus else ""
        system = f", {facts['os']}" if facts.get("os") else ""
        yield f"The machine: {cpu['model']}{usable}{cards}{memory}{system}."
    if facts.get("differences"):
        yield "Runs on different machines or versions were merged; what differed stands under Environment."
    versions = [f"{name} {one}" for name, one in (facts.get("versions") or {}).items() if one]
    if versions:
        yield f"Versions: {', '.join(versions)}."


def _about_claims(frames: Frames) -> bool:
    return frames.about_claims


def _counted(value: int, noun: str, plural: str = "") -> str:
    return f"{value} {noun}" if value == 1 else f"{value} {plural or noun + 's'}"


def _range(seeds: Sequence[int]) -> str:
    whole = len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1
    return f"{seeds[0]} to {seeds[-1]}" if whole else ", ".join(map(str, seeds))


def _listed(names: Sequence[str], word: str = "and") -> str:
    shown = list(names) if len(names) <= _NAMED + 1 else [*names[:_NAMED], f"{len(names) - _NAMED} more"]
    return f" {word} ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))

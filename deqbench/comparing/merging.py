"""Several runs told as one: their trials in one table, after a check that they may stand side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pandas as pd

from deqbench.comparing.comparability import MOST_NAMED, conflicts, environment_differences
from deqbench.errors import IncomparableError
from deqbench.telling.naming import short_labels

if TYPE_CHECKING:
    from deqbench.telling.tables import Frames

_PLACE = ["dataset", "entry", "seed"]


def merge(runs: Mapping[str, Frames]) -> Frames:
    """Return several runs as one.

    A trial that two runs hold under the same key is one trial: the record of the run named last is kept,
    unless that run has not come to it. The runs must agree on protocol, data and settings.

    Args:
        runs: What a person calls each run to its frames; at least one.

    Raises:
        IncomparableError: Two of them cannot stand side by side; the message names every conflict.
    """
    named = list(runs.items())
    found = [said for pair in combinations(named, 2) for said in _refusals(*pair)]
    if found:
        raise IncomparableError(
            "These runs cannot be told as one: "
            + "; ".join(found[:MOST_NAMED])
            + ". Report them one by one, "
            "or compare two with deqbench compare."
        )
    if len(named) == 1:
        return named[0][1]
    frames = [one for _, one in named]
    trials = _trials(frames)
    kept = set(zip(trials["key"], trials["run_order"], strict=True))
    curves = pd.concat(
        [one.curves[[(key, order) in kept for key in one.curves["key"]]] for order, one in enumerate(frames)],
        ignore_index=True,
    )
    labels = short_labels(list(dict.fromkeys(trials["entry"])))
    trials["label"], curves["label"] = trials["entry"].map(labels), curves["entry"].map(labels)
    judged = {key: judgement for one in frames for key, judgement in one.judgements.items()}
    return replace(
        frames[0],
        trials=trials.drop(columns="run_order"),
        curves=curves,
        suite=_suite(frames, list(runs)),
        run=_run(frames),
        environment=_environment(named),
        judgements=judged,
        provenance=_provenance(frames),
    )


def _refusals(first: tuple[str, Frames], second: tuple[str, Frames]) -> Iterator[str]:
    names = (first[0], second[0])
    yield from conflicts(first[1], second[1], names)
    ours, theirs = (
        one.trials.drop_duplicates(_PLACE).set_index(_PLACE)["key"] for one in (first[1], second[1])
    )
    shared = ours.index.intersection(theirs.index)
    changed = shared[(ours.loc[shared] != theirs.loc[shared]).to_numpy()]
    if len(changed):
        ground, entry, seed = changed[0]
        rest = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        yield (
            f"both hold {ground}, {entry}, seed {seed}{rest}, computed by different code or parameters "
            f"(keys {ours[changed[0]]} in {names[0]}, {theirs[changed[0]]} in {names[1]})"
        )


def _trials(frames: Sequence[Frames]) -> pd.DataFrame:
    tables = [one.trials.assign(run_order=order) for order, one in enumerate(frames)]
    # Columns that one run lacks entirely would make concat guess a type; objects keep what each run had.
    every = pd.concat([table.dropna(axis="columns", how="all") for table in tables], ignore_index=True)
    for name in (name for table in tables for name in table if name not in every):
        every[name] = None
    ran = every["status"] != "pending"
    best = (
        every.assign(ran=ran)
        .sort_values(["ran", "run_order"], kind="stable")
        .drop_duplicates("key", keep="last")
    )
    first = every.drop_duplicates("key").index
    ordered: pd.DataFrame = best.set_index("key").loc[every.loc[first, "key"]].reset_index()
    return ordered.reindex(columns=every.columns)


def _suite(frames: Sequence[Frames], names: Sequence[str]) -> dict[str, Any]:
    suites = [one.suite for one in frames]
    titles = list(dict.fromkeys(str(suite.get("title") or suite.get("name")) for suite in suites))
    shared = {
        name: value for name, value in suites[0].items() if all(s.get(name) == value for s in suites[1:])
    }
    seeds = sorted({seed for suite in suites for seed in suite.get("seeds", [])})
    told = {"name": "+".join(names), "title": " + ".join(titles), "seeds": seeds}
    return {**shared, **told, "experiment": suites[0].get("experiment")}


def _provenance(frames: Sequence[Frames]) -> dict[str, tuple[str, ...]]:
    names = dict.fromkeys(name for one in frames for name in one.provenance)
    return {
        name: tuple(dict.fromkeys(digest for one in frames for digest in one.provenance.get(name, ())))
        for name in names
    }


def _run(frames: Sequence[Frames]) -> dict[str, Any]:
    commands = [" ".join(map(str, one.run.get("command") or [])) for one in frames]
    times = [float(one.run.get("wall_seconds") or 0.0) for one in frames]
    started = min((str(one.run["started"]) for one in frames if one.run.get("started")), default=None)
    ended = max((str(one.run["ended"]) for one in frames if one.run.get("ended")), default=None)
    return {
        "command": " && ".join(filter(None, commands)),
        "started": started,
        "ended": ended,
        "wall_seconds": sum(times),
        "state": "merged",
    }


def _environment(named: Sequence[tuple[str, Frames]]) -> dict[str, Any]:
    first = named[0]
    unlike = [
        f"{first[0]} and {name}: {said}"
        for name, other in named[1:]
        for said in environment_differences(first[1], other)
    ]
    return {**first[1].environment, **({"differences": unlike} if unlike else {})}

"""What the harness itself costs: a training step, a trial, the command line; and benchopt beside it.

Run: python benchmarks/harness.py [--rounds N] [--only step trial start benchopt] [--benchopt PYTHON]

``step``: a training loop under the harness and the same loop written bare, in turn, CPU time of a step; both
must end with the same parameters, bit for bit. ``trial``: wall time from a trial's record to the one before,
less what the same trial takes where it is called in one warm process. ``start``: wall time of
``deqbench --help``. ``benchopt``: the same least squares, 2 solvers x 2 data sets x 5 repetitions, by its
command line and by ours. Processes find bytecode compiled, as installing a package does it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import harness_step
import least_squares_runs
from paired import Bar, Spread, at_most, settle, verdict

from deqbench.discovery.registry import Registry
from deqbench.experiments import run_trial
from deqbench.keeping.runs import Isolation, RunOptions
from deqbench.running.progress import Quiet
from deqbench.running.runner import planned_trials, run_suite
from deqbench.suites.suite import Suite, read_suite

STEP_BAR, TRIAL_BAR, WORKER_BAR, START_BAR = 1.03, 60.0, 8.0, 0.25
PARTS = ("step", "trial", "start", "benchopt")

TINY = """
title = "Trials of a few milliseconds"
experiment = "equilibrium"
seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]
repeats = 1
[[grid]]
map = "affine[batch=1,dimension=4]"
solver = ["picard", "anderson"]
"""


class Watch(Quiet):
    """Notes when each trial's record has been stored."""

    def __init__(self) -> None:
        self.times: list[tuple[str, float]] = []

    def finished(self, record) -> None:  # noqa: ANN001, D102 -- as in Listener
        self.times.append((record.trial.label, time.perf_counter()))

    @property
    def between(self) -> dict[str, float]:
        """Milliseconds from each trial's record to the one before; the first has the run's start in it."""
        pairs = zip(self.times, self.times[1:], strict=False)
        return {label: 1e3 * (after - before) for (_, before), (label, after) in pairs}


def steps(rounds: int) -> list[Bar]:
    found = harness_step.compare(4 * rounds)
    print(f"\na step of {found.what}: {found.bare_ms:.2f} ms bare, CPU time, {found.turns} turns each")
    print(f"{'the same, under the harness: ratio':<46}{found.ratio}")
    print(f"{'its median, 95%':<46}[{found.within[0]:.3g}, {found.within[1]:.3g}]")
    print(f"{'final parameters':<46}{'equal bit for bit' if found.equal else 'DIFFERENT'}")
    same = Bar("both loops end alike", str(found.equal), "True", found.equal)
    return [at_most("a training step under the harness / bare", found.ratio.middle, STEP_BAR), same]


def milliseconds_between(suite: Suite, registry: Registry, isolation: Isolation) -> dict[str, float]:
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        run_suite(suite, registry, RunOptions(out=Path(folder) / "run", isolation=isolation), watch)
    return watch.between


def trials(rounds: int) -> list[Bar]:
    registry = Registry.load()
    with tempfile.TemporaryDirectory() as folder:
        (path := Path(folder) / "tiny.toml").write_text(TINY, encoding="utf-8")
        suite = read_suite(str(path), registry)
    planned = planned_trials(suite, registry, RunOptions())
    beyond: dict[Isolation, list[float]] = {"trial": [], "worker": []}
    works = []
    for round_ in range(rounds + 1):
        work = {}
        for trial in planned:
            began = time.perf_counter()
            run_trial(trial, registry)
            work[trial.label] = 1e3 * (time.perf_counter() - began)
        if round_ == 0:  # imports
            continue
        works.append(statistics.median(work.values()))
        for isolation, found in beyond.items():
            between = milliseconds_between(suite, registry, isolation)
            found.append(statistics.median(took - work[label] for label, took in between.items()))
    print(f"\na trial of {statistics.median(works):.1f} ms; {len(planned)} trials, {rounds} rounds in turn")
    for isolation, found in beyond.items():
        print(f"{f'beyond it, --isolation {isolation}, ms':<46}{quartiles(found)}")
    return [
        at_most("a trial beyond its work, ms", statistics.median(beyond["trial"]), TRIAL_BAR),
        at_most("the same, --isolation worker, ms", statistics.median(beyond["worker"]), WORKER_BAR),
    ]


def starts(rounds: int) -> list[Bar]:
    command = [sys.executable, "-m", "deqbench", "--help"]
    seconds = least_squares_runs.wall(command, rounds)
    code = "import sys, deqbench.cli\ntry: deqbench.cli.main(['--help'])\nfinally: print(len(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    print(f"\n{f'deqbench --help, wall seconds, {rounds} runs':<46}{quartiles(seconds)}")
    print(f"{'modules it imports, the standard library too':<46}{shown.splitlines()[-1]}")
    return [at_most("deqbench --help, seconds", statistics.median(seconds), START_BAR)]


def quartiles(values: list[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.3g}"
    return f"{Spread(*statistics.quantiles(values, n=4, method='inclusive'))}, least {min(values):.3g}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--benchopt", type=Path, help="Python of an environment that has benchopt 1.10.")
    given = parser.parse_args()
    print(f"{settle()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        bars: list[Bar] = []
        if "step" in given.only:
            bars += steps(given.rounds)
        if "trial" in given.only:
            bars += trials(given.rounds)
        if "start" in given.only:
            bars += starts(3 * given.rounds)
        if "benchopt" in given.only:
            least_squares_runs.side_by_side(given.benchopt, given.rounds)
    return verdict(bars) if bars else 0


if __name__ == "__main__":
    sys.exit(main())

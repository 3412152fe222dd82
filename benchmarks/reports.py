"""How long a report takes, and how much memory: runs that never ran, written into real stores.

Two sizes: 20 entries on 10 data sets with 100,000 curve rows, and 100,000 trials with 5,000,000. Each report
is written by ``deqbench report`` in a process of its own; seconds are wall time, memory is the peak of
the process as the kernel counts it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from paired import at_most, verdict

from deqbench.keeping.store import Store
from deqbench.records import CurvePoint, Record, Status
from deqbench.trials import Ref, Trial

NAMES = ("train_loss", "test_accuracy")
"""What is observed along each trial."""


@dataclass(frozen=True)
class Size:
    """A made-up run: so many trials of an entry on a data set, so many curve rows a trial."""

    title: str
    entries: int
    datasets: int
    seeds: int
    rows: int
    seconds: float
    gigabytes: float

    @property
    def trials(self) -> int:
        """How many trials it holds."""
        return self.entries * self.datasets * self.seeds


SIZES = {
    "small": Size("20 entries x 10 data sets, 100,000 curve rows", 20, 10, 5, 100, 5.0, 1.0),
    "large": Size("100,000 trials, 5,000,000 curve rows", 50, 20, 100, 50, 90.0, 4.0),
}


def write(size: Size, folder: Path) -> None:
    """Write the run, its records without fsync: what is measured is the reading."""
    store, generator = Store(folder), np.random.default_rng(0)
    (folder / "records").mkdir(parents=True)
    rows = []
    for trial in trials(size):
        rows.append({"key": trial.key, "cell": trial.cell, "label": trial.label, "trial": trial.to_json()})
        rows[-1] |= {"decision": "new", "reasons": [], "previous": None}
        text = json.dumps(record(trial, size, generator).to_json(), separators=(",", ":"))
        (folder / "records" / f"{trial.key}.json").write_text(text, encoding="utf-8")
    store.write_plan(rows)
    suite = {"name": "made-up", "experiment": "training", "seeds": list(range(size.seeds)), "evaluations": 10}
    store.write_suite(suite)
    store.write_environment({"host": "nowhere"})
    store.write_run({"command": ["deqbench", "run", "made-up"], "state": "finished"})


def trials(size: Size) -> Iterator[Trial]:
    """Yield the trials, every entry on every data set under every seed."""
    for dataset, entry, seed in product(range(size.datasets), range(size.entries), range(size.seeds)):
        components = {
            "dataset": Ref(f"data-{dataset}"),
            "model": Ref("linear" if entry % 2 else "deq-linear"),
            "trainer": Ref("adam", {"lr": 0.001 * (entry + 1)}),
        }
        parameters = {axis: dict(ref.parameters) for axis, ref in components.items()}
        budget = {"epochs": 10.0, "steps": None}
        settings = {"dtype": "float32", "device": "cpu", "threads": 1, "budget": budget}
        yield Trial("made-up", "training", components, parameters, seed, settings)


def record(trial: Trial, size: Size, generator: np.random.Generator) -> Record:
    """Return what such a trial may have shown; one in fifty fails."""
    steps = size.rows // len(NAMES)
    decay = np.exp(-np.linspace(0, 4, steps)) + 0.01 * generator.random(steps)
    seconds = np.cumsum(generator.random(steps)) * 1e-2
    values = {"train_loss": 2.3 * decay, "test_accuracy": 1 - 0.9 * decay}
    points = [
        CurvePoint(10 * step, float(step), float(seconds[step]), name, float(values[name][step]))
        for step in range(steps)
        for name in NAMES
    ]
    last = {name: float(values[name][-1]) for name in NAMES}
    costs = {"train_seconds": float(seconds[-1]), "steps": 10 * steps, "parameters": 650, "peak_bytes": 10**6}
    if generator.random() < 0.02:
        broken = points[: steps // 2]
        return Record(trial, Status.ERROR, "It broke.", curves=broken, detail="ValueError: it broke")
    return Record(trial, Status.OK, None, last, costs, points)


def report(folder: Path) -> tuple[float, float]:
    """Return the wall seconds and the peak gigabytes of one ``deqbench report``."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    began = time.perf_counter()
    command = [sys.executable, "-m", "deqbench", "report", str(folder), "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return seconds, max(before, after) / 2**20


def main() -> int:
    """Write the runs, report them, print the table."""
    parser = argparse.ArgumentParser(description="Seconds and memory of a report.")
    parser.add_argument("sizes", nargs="*", default=list(SIZES), help=f"which of {', '.join(SIZES)}")
    parser.add_argument("--rounds", type=int, default=3, help="reports of the small size (default 3)")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    bars = []
    for name in options.sizes:
        size = SIZES[name]
        with tempfile.TemporaryDirectory() as place:
            write(size, Path(place))
            found = [report(Path(place)) for _ in range(options.rounds if name == "small" else 1)]
            page = (Path(place) / "report.html").stat().st_size
        seconds, gigabytes = (float(np.median(column)) for column in zip(*found, strict=True))
        print(f"{size.title}: {seconds:.1f} s, {gigabytes:.2f} GB, a page of {page / 1e6:.2f} MB", flush=True)
        bars.append(at_most(f"{name}: seconds", seconds, size.seconds))
        bars.append(at_most(f"{name}: GB", gigabytes, size.gigabytes))
    return verdict(bars)


if __name__ == "__main__":
    sys.exit(main())

"""The same tiny least squares by benchopt's command line and by ours: 2 solvers x 2 data sets x repetitions.

Each solver takes 100 steps of gradient descent, with and without momentum, and is evaluated once. benchopt
runs all in one process (``run_once``, no cache, no plot) on numpy; we run each trial in a process of its own,
or in a reused one, on torch, with a second evaluation before the first step, and count its operations. Whole
runs are timed from outside; what one more run costs is the slope from few repetitions to many. Our steps,
evaluations and counting are in it; beside it stands what they take, as the records have it.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCES = Path(__file__).with_name("least_squares")
CELLS, FEW, MANY = 4, 5, 25


def wall(command: list[str], rounds: int) -> list[float]:
    """Return wall seconds of a command, which must end with 0, so many times; a first run is not kept."""
    seconds = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds.append(time.perf_counter() - began)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return seconds[1:]


def side_by_side(benchopt: Path | None, rounds: int) -> None:
    """Print both; benchopt's rows are left out where it is not installed."""
    rounds = max(2, rounds // 2)
    print(f"\nleast squares, 2 solvers x 2 data sets x {FEW} repetitions, wall time, medians of {rounds}")
    print(f"{'':<34}{'whole run':>12}{'a run more':>13}{'its own work':>15}{'--help':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for isolation in ("trial", "worker"):
            _row(
                f"deqbench, --isolation {isolation}",
                lambda n: _ours(Path(folder), isolation, n),  # noqa: B023 -- called at once
                rounds,
                records=Path(folder) / f"ours-{isolation}" / "records",
            )
        if benchopt is None:
            print("benchopt was not measured: name the Python of an environment that has it with --benchopt.")
        else:
            command = str(benchopt.with_name("benchopt"))
            shutil.copytree(
                SOURCES, Path(folder) / "theirs", ignore=shutil.ignore_patterns("ours.py", "*.toml")
            )
            _row(
                "benchopt, in one process",
                lambda n: _theirs(command, Path(folder) / "theirs", n),
                rounds,
                command,
            )


def _row(name, made, rounds, command=None, records=None) -> None:  # noqa: ANN001 -- as called above
    few, many = (statistics.median(wall(made(count), rounds)) for count in (FEW, MANY))
    start = [command] if command else [sys.executable, "-m", "deqbench"]
    shown = statistics.median(wall([*start, "--help"], rounds))
    more = 1e3 * (many - few) / ((MANY - FEW) * CELLS)
    own = "-" if records is None else f"{_work(records):.1f} ms"
    print(f"{name:<34}{few:>10.2f} s{more:>10.1f} ms{own:>15}{shown:>8.2f} s", flush=True)


def _work(records: Path) -> float:
    """Return the median milliseconds of a trial's steps, evaluations, warm-up and counting."""
    parts = ("train_seconds", "evaluation_seconds", "warmup_seconds", "counting_seconds")
    costs = [json.loads(path.read_text(encoding="utf-8"))["costs"] for path in records.glob("*.json")]
    return 1e3 * statistics.median(sum(one.get(part) or 0.0 for part in parts) for one in costs)


def _ours(folder: Path, isolation: str, repetitions: int) -> list[str]:
    words = [
        "run",
        str(SOURCES / "suite.toml"),
        "--plugin",
        str(SOURCES / "ours.py"),
        "--fresh",
        "--no-report",
    ]
    seeds = f"seeds={list(range(repetitions))}"
    place = str(folder / f"ours-{isolation}")
    return [
        sys.executable,
        "-m",
        "deqbench",
        *words,
        "--set",
        seeds,
        "--isolation",
        isolation,
        "--out",
        place,
    ]


def _theirs(command: str, folder: Path, repetitions: int) -> list[str]:
    options = ["-r", str(repetitions), "-n", "1", "--no-plot", "--no-html", "--no-display", "--no-cache"]
    return [command, "run", str(folder), *options]

"""What a process of its own costs a trial: forked from the nursery, spawned, and a bare import of torch.

Run: python benchmarks/workers.py [jobs]. The three are timed in turn, so that drift hits all alike.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time

from deqbench.workers import Job, Pool


def milliseconds(action) -> float:  # noqa: ANN001 -- any callable
    start = time.perf_counter()
    action()
    return 1e3 * (time.perf_counter() - start)


def import_torch() -> None:
    subprocess.run([sys.executable, "-c", "import torch"], check=True)


def line(name: str, times: list[float]) -> str:
    low, high = min(times), max(times)
    return f"{name:<34} {statistics.median(times):9.1f} {low:9.1f} {high:9.1f} {len(times):6d}"


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    trivial = Job("trivial", "builtins:print")  # print(payload, emit): the process is all it costs
    forked, spawned, imported = [], [], []
    with Pool() as nursery, Pool(start_method="spawn", preload=("torch",)) as fresh:
        list(nursery.run([trivial]))  # waits until torch is loaded
        for number in range(rounds):
            forked.append(milliseconds(lambda: list(nursery.run([trivial]))))
            if number % 8 == 0:  # seconds each
                spawned.append(milliseconds(lambda: list(fresh.run([trivial]))))
                imported.append(milliseconds(import_torch))
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    print(f"{'milliseconds a trivial job':<34} {'median':>9} {'min':>9} {'max':>9} {'runs':>6}")
    print(line("forked from the nursery", forked))
    print(line("spawned, with torch", spawned))
    print(line("python -c 'import torch'", imported))
    print(f"nursery / import: {statistics.median(forked) / statistics.median(imported):.3f}")


if __name__ == "__main__":
    main()

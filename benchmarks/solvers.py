"""Our solvers against their bars and against torchdeq: speed, calls, honesty.

Run ``python benchmarks/solvers.py [--rounds N] [--items 1 3 ...] [--sizes 0 1 2 3]``.
It exits 1 if a bar is missed. Items are those of the engine's list:

1. Picard's overhead over bare calls of the map.   2. Anderson's calls.   3. Anderson's overhead.
4. Broyden's overhead, memory, calls and stalls.   5. One slow sample among fast ones.
6. The residual reported against the true one.     7. One row of NaN.

Overhead is the CPU time of a solve with a stop by sample, over that of the same number of bare calls.
torchdeq's stands beside it, over its own number of calls. Where a state is large, both are cut at 40 calls.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib.metadata import version

import counts
import honesty
import torch
import torchdeq_runs
from families import SIZES, Case, bare
from paired import Bar, at_most, race, ratio, settle, timed, verdict

from deqbench.equilibria.solving import Stop, drive
from deqbench.interfaces import Solver
from deqbench_plugins.solvers.anderson import Anderson
from deqbench_plugins.solvers.broyden import Broyden
from deqbench_plugins.solvers.picard import Picard

PROBLEMS = (("tanh", 0.9), ("lin", 0.9), ("tanhsym", 0.99))
TOLERANCE = 1e-6
LARGE, CUT = 100_000, 40

OVERHEADS: dict[int, list[tuple[str, Solver, int, tuple[float, ...]]]] = {
    1: [
        ("picard", Picard(), 1, (8, 1.5, 1.2, 1.6)),
        ("picard", Picard(), 8, (2.2, 1.15, 1.1, 1.15)),
    ],
    3: [("anderson", Anderson(), 1, (20, 4.5, 2.4, 7))],
    4: [("broyden", Broyden(), 1, (22, 6, 4, 14))],
}


OTHERS: dict[int, Callable[[list[int]], list[Bar]]] = {
    2: counts.anderson_calls,
    4: counts.broyden_facts,
    5: honesty.one_slow,
    6: honesty.truth,
    7: honesty.isolation,
}


def limit_of(case: Case) -> int:
    """Return the limit of calls that a timed solve of this case has."""
    return CUT if case.batch * case.dimension >= LARGE else 400


def solving(solver: Solver, case: Case, check_every: int) -> tuple[Callable[[], object], int]:
    """Return our solve of a case, to be timed, and the calls it takes."""
    f, z0 = case.map()
    stop = Stop(TOLERANCE, limit_of(case), check_every=check_every)

    def run() -> object:
        with torch.no_grad():
            return drive(solver, f, z0, stop)

    before = f.counter.calls
    run()
    return run, f.counter.calls - before


def overhead(name: str, solver: Solver, case: Case, check_every: int, rounds: int) -> tuple[float, float]:
    """Return our overhead over the floor and torchdeq's over its own, printing both."""
    run, calls = solving(solver, case, check_every)
    closure, z0 = case.closure()
    racers = {"ours": timed(run), "floor": timed(bare(closure, z0, calls))}
    if torchdeq_runs.AVAILABLE:
        limit = limit_of(case)
        theirs = torchdeq_runs.solve(name, closure, z0, TOLERANCE, limit).calls
        racers["theirs"] = timed(torchdeq_runs.runner(name, closure, z0, TOLERANCE, limit))
        racers["their floor"] = timed(bare(closure, z0, theirs))
    seconds = race(racers, rounds)
    ours, peer = ratio(seconds["ours"], seconds["floor"]), None
    if torchdeq_runs.AVAILABLE:
        peer = ratio(seconds["theirs"], seconds["their floor"])
    beside = f"{peer} at {theirs} calls" if peer else "not installed"
    print(f"  {case!s:28}{ours!s:>24} at {calls:>3} calls   torchdeq {beside}", flush=True)
    return ours.middle, peer.middle if peer else float("nan")


def overheads(item: int, sizes: list[int], rounds: int) -> list[Bar]:
    """Return the bars of one item: at each size the worst of the three problems."""
    bars = []
    for name, solver, every, allowed in OVERHEADS[item]:
        print(f"\n{item}. {name}, check_every={every}: overhead, median [quartiles] of {rounds} rounds")
        for place in sizes:
            cases = [Case(family, level, *SIZES[place]) for family, level in PROBLEMS]
            found = [overhead(name, solver, case, every, rounds) for case in cases]
            what = f"{item}. {name} overhead, check_every={every}, {SIZES[place]}, worst of three"
            theirs = f"{min(peer for _, peer in found):.3g} to {max(peer for _, peer in found):.3g}"
            bars.append(at_most(what, max(ours for ours, _ in found), allowed[place], theirs=theirs))
    return bars


def main() -> int:
    parser = argparse.ArgumentParser(description="Our solvers against their bars and against torchdeq.")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds (default 5)")
    parser.add_argument("--items", type=int, nargs="+", default=list(range(1, 8)), help="which items")
    parser.add_argument("--sizes", type=int, nargs="+", default=[0, 1, 2, 3], help="places in SIZES")
    options = parser.parse_args()
    peer = version("torchdeq") if torchdeq_runs.AVAILABLE else "not installed"
    print(f"{settle()}, torchdeq {peer}, relative tolerance {TOLERANCE:g}, float32 where nothing is said")
    bars: list[Bar] = []
    for item in options.items:
        if item in OVERHEADS:
            bars += overheads(item, options.sizes, options.rounds)
        if item in OTHERS:
            bars += OTHERS[item](options.sizes)
    return verdict(bars)


if __name__ == "__main__":
    sys.exit(main())

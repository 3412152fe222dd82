"""Calls, memory and stalls of our solvers: items 2 and 4 of ``solvers.py``."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from itertools import product

import torch
import torchdeq_runs
from families import ACCURACIES, DIFFICULTIES, SIZES, Case, residual
from paired import Bar, at_most
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from deqbench.equilibria.maps import Map
from deqbench.equilibria.solving import Solution, SolveStatus, Stop, drive
from deqbench.interfaces import Solver
from deqbench_plugins.solvers import lent
from deqbench_plugins.solvers.anderson import Anderson
from deqbench_plugins.solvers.broyden import Broyden
from deqbench_plugins.solvers.picard import Picard


def solved(solver: Solver, case: Case, tolerance: float, limit: int = 2500) -> Solution:
    """Return our solution of a case."""
    with torch.no_grad():
        return drive(solver, *case.map(), Stop(tolerance, limit))


def told(solution: Solution) -> str:
    """Return the calls of the slowest sample, marked where some missed the tolerance."""
    return f"{int(solution.calls.max())}{'' if bool(solution.converged.all()) else '!'}"


def peer_calls(name: str, case: Case, tolerance: float, limit: int) -> str:
    """Return torchdeq's calls, marked where its point misses the tolerance."""
    if not torchdeq_runs.AVAILABLE:
        return ""
    outcome = torchdeq_runs.solve(name, *case.closure(), tolerance, limit)
    worst = float(residual(case.exact(), outcome.z.double()).max())
    return f"{outcome.calls}{'' if worst <= 1.1 * tolerance else '!'}"


def anderson_calls(sizes: list[int]) -> list[Bar]:
    """Item 2: Anderson's calls against Picard's, and their independence of units."""
    print("\n2. calls of the slowest sample: ours, Picard's, torchdeq's Anderson ('!': missed)")
    excess, linear, hard = -torch.inf, 0, {}
    for (family, level), place in product(DIFFICULTIES, sizes):
        for tolerance, dtype in ACCURACIES:
            case = Case(family, level, *SIZES[place], dtype)
            ours, plain = solved(Anderson(), case, tolerance), solved(Picard(), case, tolerance)
            small = place < 2
            peer = peer_calls("anderson", case, tolerance, 1000) if small else "(not run)"
            print(f"  {case!s:28}{tolerance:8.0e}{told(ours):>7}{told(plain):>7}{peer:>12}", flush=True)
            calls = int(ours.calls.max()) if bool(ours.converged.all()) else 10**6
            excess = max(excess, calls - int(plain.calls.max()))
            linear = max(linear, calls if family == "lin" else 0)
            if (family, level, place) == ("tanhsym", 0.99, 1) and tolerance < 1e-3:
                hard[tolerance] = (calls, peer)
    bars = [
        at_most("2. anderson: calls beyond Picard's, worst", excess, 1, theirs="up to 1000, failing"),
        at_most("2. anderson: calls on lin, worst", linear, 20, theirs="up to 1000, failing"),
    ]
    for tolerance, allowed in ((1e-6, 75), (1e-10, 170)):
        if tolerance in hard:
            calls, peer = hard[tolerance]
            what = f"2. anderson: calls on tanhsym .99 (64,256) to {tolerance:g}"
            bars.append(at_most(what, calls, allowed, theirs=peer))
    return [*bars, scale_bar()]


def scale_bar() -> Bar:
    """Return the bar of the calls when z and f change their units."""
    worst, peers = 0, []
    for family, level in (("lin", 0.9), ("tanh", 0.9), ("tanhsym", 0.99)):
        cases = [Case(family, level, 64, 256, scale=scale) for scale in (1.0, 1e6, 1e-6)]
        ours = [int(solved(Anderson(), case, 1e-5).calls.max()) for case in cases]
        theirs = [peer_calls("anderson", case, 1e-3, 1000) for case in cases]
        print(f"  units 1, 1e6, 1e-6: {cases[0]!s:28} ours {ours} to 1e-5, torchdeq {theirs} to 1e-3")
        worst = max(worst, *(abs(calls - ours[0]) for calls in ours))
        peers.append("/".join(theirs))
    return at_most("2. anderson: change of calls with the units", worst, 1, theirs=", ".join(peers))


def peak_states(run: Callable[[], object], state_bytes: int) -> float:
    """Return the most memory that a run held at once, above its start, in states.

    torch's and numpy's are measured in a run each and added, though they may not be greatest at one moment.
    Memory that our solvers keep between searches counts as held.
    """
    run()
    lent.forget()
    tracemalloc.start()
    run()
    arrays = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (_peak_of_tensors(run) + arrays) / state_bytes


def _peak_of_tensors(run: Callable[[], object]) -> int:
    """Return the most bytes of tensors that a run held at once, above its start."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    held = peak = 0
    results = profiler.profiler.kineto_results if profiler.profiler is not None else None
    assert results is not None, "the profiler has run"
    events = [event for event in results.events() if event.name() == "[memory]"]
    for event in sorted(events, key=lambda one: one.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def broyden_facts(sizes: list[int]) -> list[Bar]:
    """Item 4, but for the overhead: memory, calls against full memory, NaN, stalls."""
    del sizes
    print("\n4. broyden")
    bars = []
    for memory, limit in ((10, 400), (10, 4000), (32, 400), (64, 400)):
        case = Case("tanhsym", 0.99, 64, 256)
        f, z0 = case.map()
        stop = Stop(1e-30, limit)

        def run(f: Map = f, z0: Tensor = z0, stop: Stop = stop, memory: int = memory) -> object:
            with torch.no_grad():
                return drive(Broyden(memory), f, z0, stop)

        found = peak_states(run, z0.numel() * z0.element_size())
        closure = case.closure()[0]
        peer = ""
        if torchdeq_runs.AVAILABLE and limit <= 400:
            states = peak_states(torchdeq_runs.runner("broyden", closure, z0, 1e-30, limit), z0.numel() * 4)
            peer = f"{states:.0f}"
        what = f"4. broyden[memory={memory}]: states held, limit {limit}"
        bars.append(at_most(what, found, 2 * memory + 8, theirs=peer))
    return [*bars, full_memory_bar(), nan_bar(), stall_bar()]


def full_memory_bar() -> Bar:
    """Return the bar of the default memory's calls over those of full memory, one call allowed."""
    worst = 0.0
    for (family, level), (tolerance, dtype) in product(DIFFICULTIES, ACCURACIES):
        for batch, dimension in ((1, 64), (64, 256)):
            case = Case(family, level, batch, dimension, dtype)
            ours, full = solved(Broyden(), case, tolerance), solved(Broyden(2500), case, tolerance)
            peer = peer_calls("broyden", case, tolerance, 200)
            calls = int(ours.calls.max()) if bool(ours.converged.all()) else 10**6
            worst = max(worst, (calls - 1) / int(full.calls.max()))
            print(f"  {case!s:28}{tolerance:8.0e}{told(ours):>7} full {told(full):>5} torchdeq {peer:>5}")
    return at_most("4. broyden: (calls - 1) over those of full memory, worst", worst, 1.1)


def nan_bar() -> Bar:
    """Return the bar of samples that turn NaN with little memory; torchdeq's are points that hold one."""
    ours = theirs = 0
    for memory, (family, level) in product((2, 3, 5, 10), (("lin", 0.99), ("tanh", 0.99), ("tanhsym", 0.99))):
        case = Case(family, level, 16, 64, torch.float64)
        ours += int((solved(Broyden(memory), case, 1e-10, 400).status == SolveStatus.NON_FINITE).sum())
        if torchdeq_runs.AVAILABLE:
            solve = torchdeq_runs.SOLVERS["broyden"]
            closure, z0 = case.closure()
            z = solve(closure, z0, max_iter=400, tol=1e-10, stop_mode="rel", LBFGS_thres=memory)[0]
            trace_ends = closure(z)
            theirs += int((~torch.isfinite(trace_ends - z).all(1)).sum())
    return at_most("4. broyden: NaN rows at memory 2, 3, 5, 10", ours, 0, theirs=str(theirs))


def stall_bar() -> Bar:
    """Return the bar of the calls between the rounding floor and the stop."""
    worst = 0
    for family, level, batch, dimension in (
        ("lin", 0.99, 4096, 128),
        ("lin", 0.99, 64, 256),
        ("tanh", 0.9, 64, 256),
        ("tanhsym", 0.99, 64, 256),
    ):
        f, z0 = Case(family, level, batch, dimension).map()
        with torch.no_grad():
            solution = drive(Broyden(), f, z0, Stop(1e-12, 600), trace=True)
        late = calls_after_floor(solution)
        share = float((solution.status == SolveStatus.STALLED).float().mean())
        print(f"  floor of {family} {level} ({batch},{dimension}): ends {late} later, stalled {share:.0%}")
        worst = max(worst, late)
    return at_most("4. broyden: calls from its rounding floor to the stop, median row, worst", worst, 20)


def calls_after_floor(solution: Solution) -> int:
    """Return the median sample's calls between its first residual within 1.25 of its best and its end."""
    first = torch.zeros_like(solution.calls)
    for point in reversed(solution.trace):
        near = point.residual <= 1.25 * solution.residual[point.rows]
        first[point.rows[near]] = point.calls
    return int((solution.calls - first).median())

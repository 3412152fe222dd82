"""What our solvers say and whom they touch: items 5, 6 and 7 of ``solvers.py``."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import product

import torch
import torchdeq_runs
from counts import solved
from families import DIFFICULTIES, Case, residual
from paired import Bar, at_most
from torch import Tensor

from deqbench.equilibria.affine import AffineMap
from deqbench.equilibria.linear_parts import LinearPart
from deqbench.equilibria.maps import Map
from deqbench.equilibria.monotone import MonotoneMap, Relu
from deqbench.equilibria.solving import Solution, SolveStatus, Stop, drive
from deqbench.interfaces import Solver
from deqbench_plugins.models.deq_linear import column_softmax
from deqbench_plugins.solvers.anderson import Anderson
from deqbench_plugins.solvers.broyden import Broyden
from deqbench_plugins.solvers.direct import Direct
from deqbench_plugins.solvers.forward_backward import ForwardBackward
from deqbench_plugins.solvers.peaceman_rachford import PeacemanRachford
from deqbench_plugins.solvers.picard import Picard

SOLVERS: list[Solver] = [
    Picard(),
    Picard(damping=0.5),
    Picard(damping=0.1),
    Picard(momentum=0.3),
    Anderson(),
    Anderson(damping=0.5),
    Broyden(),
]

TRUE_AT = ((1e-3, torch.float32), (1e-4, torch.float32), (1e-10, torch.float64))
"""Where residuals told are compared with true ones. At 1e-6 a float32 map's own rounding is a tenth of it."""


def one_slow(sizes: list[int]) -> list[Bar]:
    """Item 5: one sample of rate .99 among 63 of rate .5, by Picard."""
    del sizes
    weights, x = Case("lin", 0.5, 64, 256).draw()
    share = column_softmax(weights).mT
    level = torch.full((64, 1), 0.5)
    level[7] = 0.99
    f, z0 = Map(lambda z, x, level: torch.addmm(x, level * z, share), (x, level)), torch.zeros_like(x)

    def ours() -> Solution:
        with torch.no_grad():
            return drive(Picard(), f, z0, Stop(1e-3, 1000))

    before = f.counter.sample_calls
    assert bool(ours().converged.all())
    spent = f.counter.sample_calls - before
    theirs, times = "", float("nan")
    if torchdeq_runs.AVAILABLE:
        closure = lambda z: torch.addmm(x, level * z, share)  # noqa: E731 -- one line of algebra
        theirs = str(64 * torchdeq_runs.solve("picard", closure, z0, 1e-3, 1000).calls)
        peer = torchdeq_runs.runner("picard", closure, z0, 1e-3, 1000)
        times = sorted(seconds(ours) / seconds(peer) for _ in range(7))[3]
    print(f"\n5. one slow sample: {spent} sample-evaluations, torchdeq {theirs}")
    return [
        at_most("5. one slow sample: sample-evaluations", spent, 1.3 * 640, theirs=theirs),
        at_most("5. one slow sample: CPU time over torchdeq's", times, 0.2, theirs="1"),
    ]


def seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def truth(sizes: list[int]) -> list[Bar]:
    """Item 6: the residual reported over the one recomputed in float64."""
    del sizes
    print("\n6. reported over true residual of the returned point, least and greatest over all samples")
    low, high = torch.inf, 0.0
    for (family, level), (tolerance, dtype) in product(DIFFICULTIES, TRUE_AT):
        case = Case(family, level, 64, 256, dtype)
        for solver in SOLVERS:
            solution = solved(solver, case, tolerance, 300)
            ratios = solution.residual.double() / residual(case.exact(), solution.z.double())
            low, high = min(low, float(ratios.min())), max(high, float(ratios.max()))
    for solver, f, z0 in splittings():
        with torch.no_grad():
            solution = drive(solver, f, z0, Stop(1e-6, 2000))
            fz = f(solution.z)
            ratios = solution.residual / ((fz - solution.z).norm(dim=1) / fz.norm(dim=1))
        low, high = min(low, float(ratios.min())), max(high, float(ratios.max()))
    found = f"{low:.3f} to {high:.3f}"
    print(f"  {found}")
    holds = low >= 0.9 and high <= 1.1
    return [Bar("6. reported over true residual, all solvers", found, "in [.9, 1.1]", holds, damped_peer())]


def splittings() -> list[tuple[Solver, Map, Tensor]]:
    """Return the splitting and exact solvers with a map that each serves, in float64."""
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 128, 128, generator=g, dtype=torch.float64) / 128**0.5
    offset = torch.randn(64, 128, generator=g, dtype=torch.float64)
    w = 0.9 * torch.eye(128, dtype=torch.float64) - a.mT @ a + b - b.mT
    monotone = Map(MonotoneMap(LinearPart(w), Relu()), (offset,))
    affine = Map(AffineMap(0.5 * a), (offset,))
    z0 = torch.zeros_like(offset)
    return [(ForwardBackward(), monotone, z0), (PeacemanRachford(), monotone, z0), (Direct(), affine, z0)]


def damped_peer() -> str:
    """Return torchdeq's true residual over the reported one at damping .01, tolerance 1e-3."""
    if not torchdeq_runs.AVAILABLE:
        return ""
    case = Case("lin", 0.5, 64, 256)
    closure, z0 = case.closure()
    picard = torchdeq_runs.SOLVERS["picard"]
    found = picard(closure, z0, max_iter=5000, tol=1e-3, stop_mode="rel", tau=0.01)
    true = residual(case.exact(), found[0].double())
    return f"off by {float((true / found[2]['rel_lowest']).max()):.0f}x at damping .01"


def isolation(sizes: list[int]) -> list[Bar]:
    """Item 7: one row of NaN among 64."""
    del sizes
    wrong, changed, theirs = 0, 0, []
    case = Case("tanh", 0.9, 64, 256, torch.float64)
    weights, x = case.draw()
    spoilt = x.clone()
    spoilt[3] = torch.nan
    others = torch.arange(64) != 3
    for solver in SOLVERS:
        clean = drive(solver, Map(case.function(weights), (x,)), torch.zeros_like(x), Stop(1e-8, 500))
        dirty = drive(solver, Map(case.function(weights), (spoilt,)), torch.zeros_like(x), Stop(1e-8, 500))
        changed += int((clean.calls != dirty.calls)[others].sum())
        changed += int((~torch.isclose(clean.z, dirty.z, rtol=1e-12, atol=1e-14)).any(1)[others].sum())
        wrong += int(dirty.status[3] != SolveStatus.NON_FINITE) + int(not bool(dirty.z.isfinite().all()))
    if torchdeq_runs.AVAILABLE:
        for name in torchdeq_runs.SOLVERS:
            closure = case.close(weights, spoilt)
            theirs.append(f"{torchdeq_runs.solve(name, closure, torch.zeros_like(x), 1e-8, 100).calls}")
    peer = f"calls {'/'.join(theirs)} of 100"
    print(f"\n7. one row of NaN in 64, {len(SOLVERS)} solvers; torchdeq {peer}")
    return [
        at_most("7. one NaN row: other rows changed", changed, 0, theirs=peer),
        at_most("7. one NaN row: wrong status or point of that row", wrong, 0),
    ]

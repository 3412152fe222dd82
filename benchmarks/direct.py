"""Affine maps solved exactly: time in map calls, residuals, and digits as gamma -> 1.

Run ``python benchmarks/direct.py [--rounds N] [--gamma G]``. It exits 1 if a bar is missed.

The problem is ``lin`` of families.py, z = gamma S z + x. "solved" is everything from the matrix and the
offset to z: factorise, solve, nothing kept from before. "and shown" adds the one call of the map that lets
the core see the residual; "judged" is the whole of ``drive``; "judged again" is that with the factors of the
last solve, as the adjoint equation and every further batch have them. torchdeq's best here, Broyden, stops
at the same residual (in float64 at 1e-10, near what it reaches). The floor is a bare call of the map.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import mpmath
import torch
from families import SIZES, Case, bare
from families import residual as true_residual
from paired import Bar, Racer, at_most, race, ratio, settle, timed, verdict
from threadpoolctl import threadpool_limits
from torch import Tensor
from torchdeq.solver import get_solver

from deqbench.equilibria.affine import AffineMap
from deqbench.equilibria.maps import Map
from deqbench.equilibria.solving import Stop, drive
from deqbench_plugins.models.deq_linear import column_softmax
from deqbench_plugins.solvers.direct import Direct
from deqbench_plugins.solvers.factorised import factors

ALLOWED = dict(zip(SIZES, (18.0, 8.0, 3.0, 2.5), strict=True))
"""Map calls' time by size."""

TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-14}
CALLS = 20
"""Bare calls that the floor is the mean of."""


def racers(case: Case) -> dict[str, Racer]:
    """Return the floor and every way of solving the case."""
    weights, x = case.draw()
    matrix, c = case.level * column_softmax(weights), 1 - case.level
    closure, z0 = case.close(weights, x), torch.zeros_like(x)
    stop, held, solver = Stop(TOLERANCE[case.dtype]), AffineMap(matrix, c), Direct()
    eye, tolerance = torch.eye(case.dimension, dtype=case.dtype), max(TOLERANCE[case.dtype], 1e-10)

    def torchdeq() -> object:
        options = {"max_iter": 60, "tol": tolerance, "stop_mode": "rel"}
        return get_solver("broyden")(closure, z0, **options)

    work: dict[str, Callable[[], object]] = {
        "floor": bare(closure, z0, CALLS),
        "solved": lambda: factors(AffineMap(matrix, c), case.dtype, graph=False).solve(x, transposed=False),
        "and shown": lambda: solver.init(Map(AffineMap(matrix, c), (x,)), z0),
        "judged": lambda: drive(solver, Map(AffineMap(matrix, c), (x,)), z0, stop),
        "judged again": lambda: drive(solver, Map(held, (x,)), z0, stop),
        "torch.linalg.solve": lambda: torch.linalg.solve(eye - matrix, x.mT).mT,
        "torchdeq broyden": torchdeq,
    }
    return {name: timed(one) for name, one in work.items()}


def times(gamma: float, rounds: int) -> list[Bar]:
    """Print the time of every way in map calls and return the bars of ours."""
    bars = []
    for dtype in (torch.float32, torch.float64):
        for size in SIZES:
            case = Case("lin", gamma, *size, dtype)
            seconds = race(racers(case), rounds)
            floor = [CALLS * value for value in seconds.pop("floor")]
            spread = {name: ratio([CALLS**2 * v for v in took], floor) for name, took in seconds.items()}
            call = sorted(floor)[rounds // 2] / CALLS**2
            print(f"\n{case}: a call takes {call * 1e6:.1f} us; map calls' time")
            for name, found in spread.items():
                print(f"  {name:20} {found}")
            theirs = f"{spread['torchdeq broyden'].middle:.3g}"
            bars.append(at_most(f"{case}: solved", spread["solved"].middle, ALLOWED[size], theirs=theirs))
    return bars


def residuals() -> list[Bar]:
    """Return the bars of the worst residual over gammas and sizes, recomputed in float64."""
    bars = []
    for dtype, allowed in TOLERANCE.items():
        for gamma in (0.5, 0.9, 0.99):
            worst = 0.0
            for size in SIZES:
                case = Case("lin", gamma, *size, dtype)
                weights, x = case.draw()
                f = AffineMap(gamma * column_softmax(weights), 1 - gamma)
                z = Direct().init(Map(f, (x,)), x).z.double()
                exact = AffineMap(f.matrix.double())
                worst = max(worst, float(true_residual(lambda z, f=exact, x=x: f(z, x.double()), z).max()))
            name = str(dtype).removeprefix("torch.")
            bars.append(at_most(f"lin {gamma:g} {name}: residual, all sizes", worst, allowed))
    return bars


def reference(free: Tensor, gap: float, phi: Tensor, *, transposed: bool) -> Tensor:
    """Return the solution of (I - (1 - gap) softmax(free)) z = phi, to 60 digits, rounded."""
    size = len(free)
    with mpmath.workdps(60):
        rows = [[mpmath.exp(mpmath.mpf(value)) for value in row] for row in free.tolist()]
        sums = [mpmath.fsum(row[j] for row in rows) for j in range(size)]
        weight = 1 - mpmath.mpf(gap)
        share = mpmath.matrix([[weight * row[j] / sums[j] for j in range(size)] for row in rows])
        system = mpmath.eye(size) - share
        found = mpmath.lu_solve(system.T if transposed else system, mpmath.matrix(phi.tolist()))
        return torch.tensor([float(value) for value in found], dtype=torch.float64)


def digits() -> list[Bar]:
    """Print the relative errors at gamma = 1 - 10^-k and return the bar of the worst."""
    print("\nrelative error in float64 against 60 digits (dimension 16): map, transpose; LU not told the sum")
    worst = 0.0
    for k in range(1, 15):
        g = torch.Generator().manual_seed(k)
        free = torch.randn(16, 16, generator=g, dtype=torch.float64)
        phi = torch.randn(1, 16, generator=g, dtype=torch.float64) + 0.5
        matrix = (1 - 10.0**-k) * column_softmax(free)
        exact = [reference(free, 10.0**-k, phi[0], transposed=way) for way in (False, True)]
        told, untold = AffineMap(matrix, 10.0**-k), AffineMap(matrix)
        errors = [
            float((Direct().init(Map(f, (phi,)), phi).z[0] - z).norm() / z.norm())
            for f, z in ((told, exact[0]), (told.T, exact[1]), (untold, exact[0]))
        ]
        print(f"  gamma = 1 - 1e-{k:<3} {errors[0]:.1e}  {errors[1]:.1e}    {errors[2]:.1e}")
        worst = max(worst, *errors[:2])
    return [at_most("gamma = 1 - 10^-k, k = 1..14: worst relative error", worst, 1e-13)]


def half_precision() -> None:
    """Print what half precision loses: one rounding."""
    print("\nhalf precision, lin .9 (64,256): worst relative error of a sample, in the type's rounding units")
    for dtype in (torch.bfloat16, torch.float16):
        weights, x = Case("lin", 0.9, 64, 256).draw()
        f, low = AffineMap((0.9 * column_softmax(weights)).to(dtype), None), x.to(dtype)
        z = Direct().init(Map(f, (low,)), low).z.double()
        system = torch.eye(256, dtype=torch.float64) - f.matrix.double()
        exact = torch.linalg.solve(system, low.double().mT).mT
        error = float(((z - exact).norm(dim=1) / exact.norm(dim=1)).max())
        print(f"  {str(dtype).removeprefix('torch.'):10} {error / torch.finfo(dtype).eps:.2f}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Affine maps solved exactly, against their bars.")
    parser.add_argument("--rounds", type=int, default=7, help="timed rounds (default 7)")
    parser.add_argument("--gamma", type=float, default=0.9, help="of the timed cases (default 0.9)")
    options = parser.parse_args()
    print(settle())
    with threadpool_limits(1), torch.no_grad():
        bars = [*times(options.gamma, options.rounds), *residuals(), *digits()]
        half_precision()
    return verdict(bars)


if __name__ == "__main__":
    sys.exit(main())

"""torchdeq's solvers as its users call them, relative stop, and what they took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

try:
    from torchdeq.solver.anderson import anderson_solver
    from torchdeq.solver.broyden import broyden_solver
    from torchdeq.solver.fp_iter import fixed_point_iter

    SOLVERS: dict[str, Callable[..., Any]] = {
        "picard": fixed_point_iter,
        "anderson": anderson_solver,
        "broyden": broyden_solver,
    }
except ImportError:
    SOLVERS = {}

AVAILABLE = bool(SOLVERS)


@dataclass(frozen=True)
class Outcome:
    """What one of its solves returned: the point, how often the map was called, what it says of itself."""

    z: Tensor
    calls: int
    reported: Tensor


def solve(
    name: str, closure: Callable[[Tensor], Tensor], z0: Tensor, tolerance: float, limit: int
) -> Outcome:
    """Solve by one of ``SOLVERS`` and count its calls."""
    calls = 0

    def counted(z: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return closure(z)

    with torch.no_grad():
        z, _, info = SOLVERS[name](counted, z0, max_iter=limit, tol=tolerance, stop_mode="rel")
    return Outcome(z, calls, info["rel_lowest"])


def runner(
    name: str, closure: Callable[[Tensor], Tensor], z0: Tensor, tolerance: float, limit: int
) -> Callable[[], object]:
    """Return the same solve, uncounted, to be timed."""

    def run() -> object:
        with torch.no_grad():
            return SOLVERS[name](closure, z0, max_iter=limit, tol=tolerance, stop_mode="rel")

    return run

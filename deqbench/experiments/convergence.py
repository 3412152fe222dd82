"""A traced solve as curves: residuals of the best iterates so far, against calls, products and seconds."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor

    from deqbench.equilibria.judging import TracePoint

MOST_POINTS = 80
"""Points of one curve that are kept, evenly on a logarithmic axis of calls."""


def convergence(
    trace: Sequence[TracePoint], batch: int, tolerance: float
) -> Iterator[tuple[TracePoint, Mapping[str, float]]]:
    """Yield each check that is kept, with what was reached by then.

    ``residual`` is the greatest over all samples of their best residual so far, ``residual_median`` the
    median, ``solved`` the share of samples within the tolerance. A sample's residual stands once it is
    within: the iterate it returns is that one.

    Args:
        trace: Every check of a solve, in order.
        batch: Samples, B.
        tolerance: The residual that counts as solved.
    """
    best = torch.full((batch,), math.inf, dtype=torch.float64)
    kept = set(log_spaced([point.calls for point in trace]))
    for position, point in enumerate(trace):
        rows = point.rows.cpu()
        best[rows] = _better(best[rows], point.residual.cpu().double(), tolerance)
        if position in kept:
            yield point, reached(best, tolerance)


def reached(residual: Tensor, tolerance: float) -> dict[str, float]:
    """Return the greatest residual, the median one (the lower of two) and the share within tolerance."""
    return {
        "residual": float(residual.max()),
        "residual_median": float(residual.median()),
        "solved": float((residual <= tolerance).double().mean()),
    }


def log_spaced(calls: Sequence[int], most: int = MOST_POINTS) -> list[int]:
    """Return at most ``most`` positions in rising ``calls``, first and last included, even in their log."""
    if len(calls) <= most:
        return list(range(len(calls)))
    first, last = max(calls[0], 1), calls[-1]
    targets = (first * (last / first) ** (step / (most - 1)) for step in range(most))
    inner = {max(bisect_right(calls, target * (1 + 1e-12)) - 1, 0) for target in targets}
    return sorted((inner - {len(calls) - 1}) | {0, len(calls) - 1})[-most:]


def _better(best: Tensor, residual: Tensor, tolerance: float) -> Tensor:
    found = torch.where(torch.isfinite(residual), residual, math.inf)
    return torch.where(best <= tolerance, best, torch.minimum(best, found))

"""How a failed trial takes part: as worse than every number.

A trial that failed has no score. Leaving it out would let a competitor improve by crashing on hard seeds,
so it takes part as minus infinity where more is better, plus infinity where less is.
"""

from __future__ import annotations

from math import inf

import numpy as np
import numpy.typing as npt

_LOWER_IS_BETTER = (
    "loss",
    "residual",
    "seconds",
    "calls",
    "equivalents",
    "vjps",
    "jvps",
    "resolvents",
    "products",
    "overhead",
    "reported_over_true",
    "bytes",
    "error",
    "gap",
    "steps",
    "operations",
    "depth",
)


def higher_is_better(name: str) -> bool:
    """Return whether more of a metric or cost is better: not for losses, residuals, times and counts."""
    return not any(word in name for word in _LOWER_IS_BETTER)


def worst(*, higher_is_better: bool) -> float:
    """Return what a failed trial counts as: an infinity on the bad side."""
    return -inf if higher_is_better else inf


def failures_last(
    values: npt.ArrayLike, ok: npt.ArrayLike, *, higher_is_better: bool
) -> npt.NDArray[np.float64]:
    """Return the values with every failed or missing one ranked behind all others.

    Args:
        values: Observations, (n,); nan where there is none.
        ok: Whether the trial succeeded, (n,).
        higher_is_better: Whether behind means minus or plus infinity.
    """
    numbers = np.asarray(values, dtype=np.float64)
    counted = np.asarray(ok, dtype=bool) & ~np.isnan(numbers)
    return np.where(counted, numbers, worst(higher_is_better=higher_is_better))

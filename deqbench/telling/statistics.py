"""Medians that failures cannot flatter, with intervals that assume no distribution.

A trial that failed has no score. Leaving it out would let a competitor improve by crashing on hard seeds,
so it takes part as worse than every number: minus infinity where more is better, plus infinity where less
is. The median of three seeds survives one failure, and falls on a failure when two fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, inf, isnan

import numpy as np
import numpy.typing as npt

LEVEL = 0.95
"""Coverage aimed at; with few seeds the attained coverage is lower, and is reported."""

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
)


@dataclass(frozen=True)
class MedianInterval:
    """A median over trials and the order statistics around it.

    Attributes:
        n: Trials that took part, failures included.
        median: Their median; infinite when so many failed that it falls on a failure; nan for n = 0.
        low: Lower end; infinite when it falls on a failure.
        high: Upper end; likewise.
        coverage: Probability that [low, high] holds the true median; 0 for n < 2, where there is no interval.
    """

    n: int
    median: float
    low: float
    high: float
    coverage: float


def median_interval(
    values: Sequence[float] | npt.NDArray[np.float64], level: float = LEVEL
) -> MedianInterval:
    """Return the median and the narrowest symmetric order-statistic interval that covers at least ``level``.

    Any continuous distribution will do: each value falls below the true median with probability 1/2, so
    [x_(r), x_(n+1-r)] misses it with probability 2 P(Bin(n, 1/2) < r). Where even [min, max] covers less than
    ``level`` it is returned with what it covers: 50% for n = 2, 75% for 3, 93.75% for 5.

    Args:
        values: Observations, (n,); failures as infinities of one sign; no nan.
        level: Coverage aimed at, in (0, 1).

    Raises:
        ValueError: A value is nan.
    """
    ordered = sorted(float(value) for value in values)
    if any(isnan(value) for value in ordered):
        raise ValueError("a nan has no rank; replace failures with failures_last first")
    n = len(ordered)
    if n == 0:
        return MedianInterval(0, np.nan, np.nan, np.nan, 0.0)
    # Not np.median: it subtracts, and inf - inf is nan.
    median = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    rank = _rank(n, level)
    return MedianInterval(n, median, ordered[rank - 1], ordered[n - rank], coverage(n, rank))


def coverage(n: int, rank: int) -> float:
    """Return the probability that [x_(rank), x_(n+1-rank)] of n values holds the true median."""
    return 0.0 if n < 2 else max(0.0, 1 - 2 * sum(comb(n, k) for k in range(rank)) / 2**n)


def _rank(n: int, level: float) -> int:
    rank = 1
    while rank < n - rank and coverage(n, rank + 1) >= level:
        rank += 1
    return rank


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
    return np.where(counted, numbers, -inf if higher_is_better else inf)


def higher_is_better(name: str) -> bool:
    """Return whether more of a metric or cost is better: not for losses, residuals, times and counts."""
    return not any(word in name for word in _LOWER_IS_BETTER)

"""Medians that failures cannot flatter, with intervals that assume no distribution.

The median of three seeds survives one failure, and falls on a failure when two fail
(:mod:`deqbench.statistics.failures`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb, isnan

import numpy as np
import numpy.typing as npt

LEVEL = 0.95
"""Coverage aimed at; with few seeds the attained coverage is lower, and is reported."""


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
        values: Observations, (n,); failures as infinities; no nan.
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
    # Not np.median: it subtracts, and inf - inf is nan. Half failed one way and half the other: no middle.
    lower, upper = ordered[(n - 1) // 2], ordered[n // 2]
    median = 0.0 if np.isinf(lower) and lower == -upper else (lower + upper) / 2
    rank = interval_rank(n, level)
    return MedianInterval(n, median, ordered[rank - 1], ordered[n - rank], coverage(n, rank))


@lru_cache(maxsize=4096)
def coverage(n: int, rank: int) -> float:
    """Return the probability that [x_(rank), x_(n+1-rank)] of n values holds the true median."""
    return 0.0 if n < 2 else max(0.0, 1 - 2 * sum(comb(n, k) for k in range(rank)) / 2**n)


@lru_cache(maxsize=4096)
def interval_rank(n: int, level: float = LEVEL) -> int:
    """Return the rank r for which [x_(r), x_(n+1-r)] is the interval of :func:`median_interval`."""
    # As ``coverage(n, rank + 1) >= level`` would say, each binomial coefficient made from the last: thousands
    # of pairs would else sum thousands of large coefficients anew for every rank.
    rank, below, term = 1, 1, 1
    while rank < n - rank:
        term = term * (n - rank + 1) // rank
        if 1 - 2 * (below + term) / 2**n < level:
            break
        below, rank = below + term, rank + 1
    return rank

"""How large an advantage is, in numbers that need no unit.

The mean difference in natural units comes from :mod:`deqbench.statistics.intervals`. Beside it: how often
the first is better. Failures take part as infinities (:mod:`deqbench.statistics.failures`); two that failed
are tied.

Source: Cliff (1993), Dominance statistics, for delta, which is 2 U / (n m) - 1 with U of Mann and Whitney.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = Sequence[float] | npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tally:
    """Of how many pairs the first entry is better, tied or worse."""

    better: int
    tied: int
    worse: int

    @property
    def pairs(self) -> int:
        """All pairs."""
        return self.better + self.tied + self.worse

    @property
    def probability_of_improvement(self) -> float:
        """Share of pairs that the first wins, ties counted half; nan without a pair."""
        return (self.better + self.tied / 2) / self.pairs if self.pairs else float("nan")


def tally(differences: Values, *, higher_is_better: bool) -> Tally:
    """Return how often first - second is good, zero and bad.

    Args:
        differences: Of pairs, (n,), infinite where one side failed; no nan.
        higher_is_better: Whether a positive difference is good.
    """
    values = np.asarray(differences, dtype=np.float64)
    positive, negative = int((values > 0).sum()), int((values < 0).sum())
    tied = len(values) - positive - negative
    return Tally(positive, tied, negative) if higher_is_better else Tally(negative, tied, positive)


def cliffs_delta(first: Values, second: Values) -> float:
    """Return P(X > Y) - P(X < Y) over all n m pairs of the two samples, in [-1, 1]; nan if one is empty.

    It does not know of pairing: each value of one is held against each of the other, so seeds that are hard
    for both pull it towards 0.

    Args:
        first: (n,), failures as infinities; no nan.
        second: (m,), likewise.
    """
    one, two = np.asarray(first, dtype=np.float64), np.sort(np.asarray(second, dtype=np.float64))
    if not len(one) or not len(two):
        return float("nan")
    below = np.searchsorted(two, one, side="left").sum()
    above = (len(two) - np.searchsorted(two, one, side="right")).sum()
    return float((int(below) - int(above)) / (len(one) * len(two)))

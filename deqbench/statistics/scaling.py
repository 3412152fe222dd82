"""How a cost grows with size: the exponent of a power law, by a robust slope in doubly logarithmic axes.

The exponent is the Theil-Sen slope of log cost against log size, over all trials; pairs of the same size say
nothing and are left out. An exponent of a range of sizes promises nothing beyond the range, and a sum of two
powers has no single one: the range is stated with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
import numpy.typing as npt

from deqbench.statistics.intervals import LEVEL, Interval
from deqbench.statistics.slopes import theil_sen


@dataclass(frozen=True)
class Exponent:
    """A measured power law, cost ~ size^exponent.

    Attributes:
        exponent: With its interval; ``n`` is the number of trials that took part.
        sizes: Distinct sizes.
        smallest: The least of them.
        largest: The greatest.
        lost: Trials without a cost, as of failures; a power law of the survivors is one of the easy sizes.
    """

    exponent: Interval
    sizes: int
    smallest: float
    largest: float
    lost: int


def scaling_exponent(sizes: npt.ArrayLike, costs: npt.ArrayLike, level: float = LEVEL) -> Exponent:
    """Return the exponent with which a cost grows.

    Args:
        sizes: (n,), > 0.
        costs: (n,), > 0; nan or infinite where a trial failed.
        level: Of the interval, which takes trials for independent.

    Returns:
        No exponent from one size, no interval from fewer than three trials.

    Raises:
        ValueError: A size or a cost is not positive.
    """
    size, cost = np.asarray(sizes, dtype=np.float64), np.asarray(costs, dtype=np.float64)
    known = np.isfinite(cost)
    if not (size > 0).all() or not (cost[known] > 0).all():
        raise ValueError("a power law needs sizes and costs > 0")
    x, y = np.log(size[known]), np.log(cost[known])
    made = theil_sen(x, y, level)
    smallest, largest = (float(size[known].min()), float(size[known].max())) if len(x) else (nan, nan)
    return Exponent(made, len(np.unique(x)), smallest, largest, int((~known).sum()))

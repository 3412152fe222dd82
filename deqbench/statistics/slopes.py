"""The slope of a line through points that may be wild: the median of the slopes of all pairs.

The interval (Sen's) takes the deviations from the line for independent.

Sources: Theil (1950), Sen (1968), by ``scipy.stats.theilslopes``.
"""

from __future__ import annotations

from math import nan

import numpy as np
import numpy.typing as npt

from deqbench.statistics.intervals import Interval

MOST_POINTS = 2000
"""There are n^2 / 2 pairs: of more points, so many evenly spaced ones are taken."""


def theil_sen(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], level: float) -> Interval:
    """Return the slope of y over x with its interval; ``n`` is the number of points.

    Args:
        x: (n,), finite; pairs with equal x have no slope and are left out.
        y: (n,), finite.
        level: Of the interval.

    Returns:
        No slope where all x are equal or there are fewer than two points, no interval from fewer than three.
    """
    n = len(x)
    if n < 2 or x.min() == x.max():
        return Interval(n, nan, nan, nan, level, "no slope from one place")
    if n > MOST_POINTS:
        order = np.argsort(x, kind="stable")[np.linspace(0, n - 1, MOST_POINTS).round().astype(int)]
        x, y = x[order], y[order]
    from scipy import stats  # noqa: PLC0415  half a second, for which only rates need wait

    found = stats.theilslopes(y, x, alpha=level)
    if n < 3:
        return Interval(n, float(found.slope), nan, nan, level, "no interval from two points")
    return Interval(
        n, float(found.slope), float(found.low_slope), float(found.high_slope), level, "Theil-Sen"
    )

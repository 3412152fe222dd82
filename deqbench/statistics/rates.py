"""How fast a residual falls, measured: a robust slope of its logarithm before the floor of rounding.

Linear convergence is a straight line of log residual against calls. Its slope is the median of the slopes of
all pairs of points (Theil and Sen), which a few wild points do not move. What lies at the floor is left out:
from the first residual within ten times the smallest one on, a trace says more of rounding, or of the
tolerance it stopped at, than of the rate. A trace that fell by less than ten has no floor, and one that fell
in fewer than three points above it is taken down to its smallest residual.

The interval assumes that deviations from the line are independent, which those of one trace seldom are: it
says how straight the trace is, not what another seed would give. For that, take the rates of several seeds
to :func:`deqbench.statistics.intervals.mean_interval`.

Sources: Theil (1950), Sen (1968); the floor's rule is our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, isnan, log, nan

import numpy as np
import numpy.typing as npt

from deqbench.statistics.intervals import LEVEL, Interval
from deqbench.statistics.slopes import theil_sen

FLOOR_MARGIN = 10.0
"""Times the smallest residual, within which a trace has arrived at its floor."""
_LEAST_POINTS = 3


@dataclass(frozen=True)
class Rate:
    """A measured rate of convergence.

    Attributes:
        slope: Of the natural logarithm of the residual, per unit of work, with its interval; ``n`` is the
            number of points before the floor. Negative where the residual falls.
        floor: Work at which the floor begins; infinite where no point lies on it.
    """

    slope: Interval
    floor: float

    @property
    def factor(self) -> float:
        """By what the residual is multiplied per unit of work, e.g. per call; below 1 where it falls."""
        return exp(self.slope.estimate)


def measured_rate(
    residuals: npt.ArrayLike, work: npt.ArrayLike | None = None, *, level: float = LEVEL
) -> Rate:
    """Return the rate at which residuals fall before their floor.

    Args:
        residuals: (n,), in the order of the work, >= 0. What is not finite ends the trace: a divergence has
            no rate beyond it. A 0 is at the floor.
        work: (n,), rising: calls, steps or seconds; 0, 1, 2, ... by default.
        level: Of the interval.

    Returns:
        No slope from fewer than 2 points before the floor, no interval from fewer than 3.
    """
    values = np.asarray(residuals, dtype=np.float64)
    places = np.arange(len(values)).astype(np.float64) if work is None else np.asarray(work, np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    end = int(bad[0]) if len(bad) else len(values)
    values, places = values[:end], places[:end]
    stop = _floor(values)
    floor = float(places[stop]) if stop < len(values) else inf
    slope = theil_sen(places[:stop], np.log(values[:stop]), level)
    return Rate(slope, floor)


def _floor(values: npt.NDArray[np.float64]) -> int:
    """Return the place of the first residual at the floor; their number where there is none."""
    zero = int(np.argmax(values == 0)) if (values == 0).any() else len(values)
    positive = np.where(values > 0, values, inf)
    if not len(values) or values[0] < FLOOR_MARGIN * positive.min():
        return zero  # what has not fallen by the margin has not met a floor
    stop = int(np.argmax(positive <= FLOOR_MARGIN * positive.min()))
    # A fall in a few leaps leaves too little above the margin; then everything down to the smallest counts.
    return min(stop if stop >= _LEAST_POINTS else int(np.argmin(positive)) + 1, zero)


def against_bound(rate: Rate, bound: float) -> float:
    """Return how much work a run needs per factor of accuracy, over what a theorem promises.

    At most 1 where the theorem's assumptions hold; 0.5 means twice as fast as promised. It is the ratio of
    the logarithms, log(bound) / log(factor): near 1 the factors themselves would hide any difference.

    Args:
        rate: Measured.
        bound: The theorem's factor per the same unit of work, > 0.

    Returns:
        Infinite where the residual does not fall; nan where there is no slope, or the bound is 1 or more and
        promises nothing.
    """
    slope = rate.slope.estimate
    if isnan(slope) or not 0 < bound < 1:
        return nan
    return log(bound) / slope if slope < 0 else inf

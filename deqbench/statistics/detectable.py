"""How small a difference so many pairs would find, and how many pairs a difference would need.

Of the paired t test, given the standard deviation of the differences: from a pilot run, or from the run
itself, for the sentence "no difference was found, and one below ... would have been missed". It plans; it is
no evidence, and with a standard deviation from few pairs it is rough.

Source: the power of the t test by the noncentral t distribution, as in statsmodels' ``TTestPower``.
"""

from __future__ import annotations

from math import inf, nan, sqrt

from scipy import optimize, stats

from deqbench.statistics.power import ALPHA

POWER = 0.8
"""Probability of finding a difference that is there."""
_MOST = 1_000_000


def power_of(n: int, effect: float, alpha: float = ALPHA) -> float:
    """Return the power of the two-sided paired t test; 0 for n < 2.

    Args:
        n: Pairs.
        effect: Mean difference over the standard deviation of the differences.
        alpha: Level; divide it by the size of the family to be safe under Holm's correction.
    """
    if n < 2:
        return 0.0
    critical, shift = float(stats.t.isf(alpha / 2, n - 1)), abs(effect) * sqrt(n)
    return float(stats.nct.sf(critical, n - 1, shift) + stats.nct.cdf(-critical, n - 1, shift))


def minimal_detectable_effect(n: int, deviation: float, alpha: float = ALPHA, power: float = POWER) -> float:
    """Return the least mean difference that the test finds with probability ``power``.

    Args:
        n: Pairs; infinite effect for n < 2.
        deviation: Standard deviation of the differences, >= 0, in their unit.
        alpha: Level.
        power: Probability aimed at, in (alpha, 1).

    Returns:
        In the unit of ``deviation``; nan where that is nan.
    """
    if not deviation >= 0:
        return nan
    if n < 2:
        return inf
    if deviation == 0:
        return 0.0
    most = 1.0
    while power_of(n, most, alpha) < power:
        most *= 2
    return deviation * float(optimize.brentq(lambda effect: power_of(n, effect, alpha) - power, 0.0, most))


def pairs_to_detect(difference: float, deviation: float, alpha: float = ALPHA, power: float = POWER) -> int:
    """Return the least number of pairs with which the test finds a mean difference so often.

    The sign-flip test needs at least :func:`deqbench.statistics.power.pairs_needed` as well.

    Args:
        difference: Not 0, in the unit of ``deviation``.
        deviation: Standard deviation of the differences, >= 0.
        alpha: Level.
        power: Probability aimed at.

    Raises:
        ValueError: The difference is 0, or so small beside the deviation that a million pairs would not do.
    """
    if difference == 0:
        raise ValueError("no number of pairs finds a difference of 0")
    if deviation == 0:
        return 2
    effect, low, high = difference / deviation, 1, 2
    while power_of(high, effect, alpha) < power:
        low, high = high, 2 * high
        if high > _MOST:
            raise ValueError(
                f"a million pairs would not find {difference:g} beside a deviation of {deviation:g}"
            )
    while high - low > 1:  # power grows with n
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(middle, effect, alpha) >= power else (middle, high)
    return high

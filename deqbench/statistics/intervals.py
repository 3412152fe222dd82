"""An interval for a mean of few values: Student's t, from ten values on the studentised bootstrap.

The percentile bootstrap that most reports print covers 84% of the time at n = 5 where it says 95%. Dividing
by the standard error of each resample repairs that on normal data, and on skewed data does better than t,
but needs some ten values to have resamples worth the name; below, t.

What no interval here promises: its level on data far from normal at small n (``benchmarks/error_rates.py``
prints what is attained on lognormal data), nor anything on dependent values. An interval without width, of
values that are all equal, is right for counts that no seed changes; of two or three values of a coarse
metric it says only that no spread was seen.

Sources: Student (1908) for t; Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 12, for
the bootstrap-t; Satterthwaite (1946) for its degrees of freedom over several groups [RECALL].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isnan, nan, sqrt

import numpy as np
import numpy.typing as npt
from scipy import special

LEVEL = 0.95
RESAMPLES = 9999
"""So that (RESAMPLES + 1) (1 - level) / 2 is a whole number for the usual levels."""
BOOTSTRAP_FROM = 10
"""Values of the smallest group from which on the bootstrap-t is used."""

_AT_ONCE = 2_000_000

Group = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval and the number of values that it rests on.

    Attributes:
        n: Values that took part.
        estimate: Their mean, or what the function that made the interval says; nan for n = 0.
        low: Lower end; nan where there is no interval.
        high: Upper end; likewise.
        level: Coverage aimed at.
        method: How it was made, or why there is none, for a person.
        tasks: Tasks that the values come from.
    """

    n: int
    estimate: float
    low: float
    high: float
    level: float
    method: str
    tasks: int = 1

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return not (isnan(self.low) or isnan(self.high))

    def holds(self, value: float) -> bool:
        """Return whether a value lies in the interval, ends included; false where there is none."""
        return self.low <= value <= self.high

    def through(self, function: Callable[[float], float]) -> Interval:
        """Return the interval of an increasing function of the estimate, as ``exp`` of a mean logarithm."""
        ends = (function(value) for value in (self.estimate, self.low, self.high))
        estimate, low, high = ends
        return replace(self, estimate=estimate, low=low, high=high)


def mean_interval(
    values: Sequence[float] | Group, level: float = LEVEL, *, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Return the mean with Student's t interval below ten values, the bootstrap-t interval from there on.

    Args:
        values: Observations, (n,), finite: what failed has no mean (:mod:`deqbench.statistics.paired`).
        level: Coverage aimed at, in (0, 1).
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        Ends are nan for n < 2. Values that are all equal give an interval of no width.

    Raises:
        ValueError: A value is nan or infinite.
    """
    group = np.asarray(values, dtype=np.float64)
    return grouped_interval([group] if len(group) else [], level, resamples=resamples, seed=seed)


def grouped_interval(
    groups: Sequence[Group], level: float = LEVEL, *, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Return the mean of the groups' means, each group weighing the same, and its interval.

    The groups are given, not drawn: only the values within each are random. With m_t, s_t^2, n_t the mean,
    variance and size of group t of T, the standard error is sqrt(sum s_t^2 / n_t) / T.

    Args:
        groups: Values of each group, finite; a group of one value leaves the spread unknown.
        level: Coverage aimed at.
        resamples: Of the bootstrap, drawn within each group.
        seed: Of the bootstrap.

    Raises:
        ValueError: A value is nan or infinite, or a group is empty.
    """
    if any(len(group) == 0 or not np.isfinite(group).all() for group in groups):
        raise ValueError("a mean needs finite values; count what failed beside it, or take a median")
    n, tasks = sum(len(group) for group in groups), len(groups)
    if n == 0:
        return Interval(0, nan, nan, nan, level, "no value", 0)
    groups = [np.sort(group) for group in groups]  # the order of values must not show, not even in rounding
    estimate = float(np.mean([group.mean() for group in groups]))
    if min(len(group) for group in groups) < 2:
        why = "no interval from one value" if tasks == 1 else "no interval: one value in some task"
        return Interval(n, estimate, nan, nan, level, why, tasks)
    if all(group.min() == group.max() for group in groups):
        return Interval(n, estimate, estimate, estimate, level, "values without spread", tasks)
    # One orientation for a sample and its mirror image, so that b - a has minus the interval of a - b.
    sign = -1.0 if estimate < 0 else 1.0
    ends, method = _ends([np.sort(sign * group) for group in groups], level, resamples, seed)
    low, high = sorted(sign * end for end in ends)
    return Interval(n, estimate, low, high, level, method, tasks)


def _ends(groups: list[Group], level: float, resamples: int, seed: int) -> tuple[tuple[float, float], str]:
    middle, error = float(np.mean([group.mean() for group in groups])), _standard_error(groups)
    within = "" if len(groups) == 1 else ", tasks fixed"
    if min(len(group) for group in groups) >= BOOTSTRAP_FROM:
        ratios = _studentised(groups, middle, resamples, np.random.default_rng(seed))
        # Few distinct values leave resamples without spread; were they many, they would reach the quantiles.
        if np.isinf(ratios).mean() <= (1 - level) / 4:
            tail = max(1, round((resamples + 1) * (1 - level) / 2))
            ratios.sort()
            ends = middle - error * ratios[-tail], middle - error * ratios[tail - 1]
            return (float(ends[0]), float(ends[1])), f"bootstrap-t{within}"
    reach = float(special.stdtrit(_degrees(groups), (1 + level) / 2)) * error
    return (middle - reach, middle + reach), f"t{within}"


def _standard_error(groups: Sequence[Group]) -> float:
    return sqrt(sum(group.var(ddof=1) / len(group) for group in groups)) / len(groups)


def _degrees(groups: Sequence[Group]) -> float:
    """Return Satterthwaite's degrees of freedom; n - 1 for one group."""
    parts = np.array([group.var(ddof=1) / len(group) for group in groups])
    free = np.array([len(group) - 1 for group in groups])
    return float(parts.sum() ** 2 / (parts**2 / free).sum())


def _studentised(
    groups: Sequence[Group], middle: float, resamples: int, generator: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Return (mean* - mean) / error* of every resample, infinite where a resample has no spread."""
    means, parts = np.zeros(resamples), np.zeros(resamples)
    for group in groups:
        size = len(group)
        chunk = max(1, _AT_ONCE // size)
        for start in range(0, resamples, chunk):
            rows = slice(start, min(start + chunk, resamples))
            drawn = group[generator.integers(size, size=(rows.stop - start, size))]  # (chunk, n)
            means[rows] += drawn.mean(axis=1)
            parts[rows] += drawn.var(axis=1, ddof=1) / size
    shift, error = means / len(groups) - middle, np.sqrt(parts) / len(groups)
    tiny = error <= 1e-12 * np.abs(error).max()
    return np.where(tiny, np.copysign(np.inf, shift), shift / np.where(tiny, 1.0, error))

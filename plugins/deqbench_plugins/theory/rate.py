"""Theorem 1 along a flow: the observed gap against exp(-kappa lambda_T t), and whether that says anything.

For every T, L(T) - L* <= (L(0) - L*) exp(-kappa lambda_T T), with lambda_T the infimum over [0, T] of
lambda_min(D_t). The infimum is taken over checkpoints, so it is an upper estimate. The certified bound,
(L(0) - L*) exp(-kappa int_0^T 1 / ||U_t||^2 dt), takes no infimum: only its quadrature is inexact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from deqbench_plugins.theory.losses import Hull
from deqbench_plugins.theory.metric import Metric, floor, paper_floor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deqbench_plugins.theory.flow import DelmFlow
    from deqbench_plugins.theory.losses import ConvexLoss
    from deqbench_plugins.theory.optimum import Optimum

FLOOR = 1e-8
"""Gaps below this share of the first are left out: the integrator's tolerance is near."""

VACUOUS = 0.01
"""A bound that predicts less than this decay over the horizon says nothing."""

_WIDE = 0.05
"""Relative width of the sandwich from which Lanczos computes lambda_min itself."""


@dataclass(frozen=True)
class Checkpoint:
    """One moment of a flow.

    Attributes:
        time: t > 0.
        gap: L(t) - L*.
        least: lambda_min(D_t): the sandwich's upper end, or Lanczos' value where the sandwich is wide.
        bound: gap(0) exp(-kappa lambda_T t).
        certified_bound: gap(0) exp(-kappa int 1 / ||U||^2), by the trapezoidal rule over the checkpoints.
        floor_ratio: lambda_min m (1 + gamma)^2, at least 1 by the paper.
    """

    time: float
    gap: float
    least: float
    bound: float
    certified_bound: float
    floor_ratio: float


@dataclass(frozen=True)
class Rate:
    """What theorem 1 predicts and what was seen.

    Attributes:
        checkpoints: In order of time, t > 0, above the floor of what can be told from rounding.
        kappa: Of the loss on the hull, times the factor that was asked for.
        tau: Least curvature on the hull.
        first_gap: gap(0).
        last_gap: gap at the horizon.
        horizon: T.
        a_priori: 1 / (1 + gamma sqrt m)^2: lambda_min(D) is above it at every state.
        attained: Whether the optimum exists.
    """

    checkpoints: tuple[Checkpoint, ...]
    kappa: float
    tau: float
    first_gap: float
    last_gap: float
    horizon: float
    a_priori: float
    attained: bool

    @property
    def worst(self) -> float:
        """Largest gap / bound over the checkpoints; the theorem says at most 1. NaN without any."""
        return max((point.gap / point.bound for point in self.checkpoints), default=math.nan)

    @property
    def worst_certified(self) -> float:
        """Largest gap / certified bound over the checkpoints; NaN without any."""
        return max((point.gap / point.certified_bound for point in self.checkpoints), default=math.nan)

    @property
    def least(self) -> float:
        """The infimum lambda_T over the checkpoints."""
        return min((point.least for point in self.checkpoints), default=math.nan)

    @property
    def floor_ratio(self) -> float:
        """Least lambda_min m (1 + gamma)^2 seen."""
        return min((point.floor_ratio for point in self.checkpoints), default=math.nan)

    @property
    def predicted(self) -> float:
        """The predicted decay rate, kappa lambda_T."""
        return self.kappa * self.least

    @property
    def observed(self) -> float:
        """The mean decay rate up to the last checkpoint."""
        if not self.checkpoints:
            return math.nan
        last = self.checkpoints[-1]
        return math.log(self.first_gap / last.gap) / last.time

    @property
    def vacuous(self) -> bool:
        """Whether less than one per cent of decay is predicted over the horizon."""
        return not -math.expm1(-self.predicted * self.horizon) >= VACUOUS


def rate_along(
    flow: DelmFlow, loss: ConvexLoss, best: Optimum, points: int = 100, kappa_factor: float = 1.0
) -> Rate:
    """Check theorem 1 along a flow at times even in t and in log t, t = 0 excluded.

    Args:
        flow: Of the DELM under this loss.
        loss: L0, at the scale that the flow was computed with.
        best: Its optimum.
        points: Checkpoints of each of the two kinds.
        kappa_factor: 1; more than 1 for the negative control.
    """
    times = _times(flow.trajectory.horizon, points)
    hull = Hull(loss).widened(best.weights)
    for state in flow.along(times):
        hull = hull.widened(state.W)
    kappa = hull.kappa * kappa_factor
    found = tuple(_checkpoints(flow, loss, best, times, kappa))
    first, last = (loss.value(flow.at(time).W) - best.value for time in (0.0, flow.trajectory.horizon))
    lowest = floor(flow.start.A.shape[0], flow.start.gamma)
    return Rate(found, kappa, hull.tau, first, last, flow.trajectory.horizon, lowest, best.attained)


def _times(horizon: float, points: int) -> np.ndarray:
    """Return 0, and times even in t and even in log t up to the horizon."""
    even = np.linspace(0.0, horizon, points + 1)
    return np.unique(np.concatenate([even, horizon * np.logspace(-4, 0, points)]))


def _checkpoints(
    flow: DelmFlow, loss: ConvexLoss, best: Optimum, times: np.ndarray, kappa: float
) -> Iterator[Checkpoint]:
    """Yield the checkpoints at t > 0 whose gap can be told from rounding; the first time is 0."""
    first, least, integral, before, low = 0.0, math.inf, 0.0, 0.0, 0.0
    for time, state in zip(times, flow.along(times), strict=True):
        metric, gap = Metric(state), loss.value(state.W) - best.value
        here, low_here = _least(metric), metric.sandwich.low
        least = min(least, here)
        if time == 0.0:
            first, low = gap, low_here
            continue
        integral += (time - before) * (low + low_here) / 2
        before, low = time, low_here
        if gap > max(FLOOR * first, 100 * np.finfo(float).eps * abs(best.value)):
            yield Checkpoint(
                time=float(time),
                gap=gap,
                least=here,
                bound=first * math.exp(-kappa * least * time),
                certified_bound=first * math.exp(-kappa * integral),
                floor_ratio=here / paper_floor(state.A.shape[0], state.gamma),
            )


def _least(metric: Metric) -> float:
    """Return lambda_min(D): the sandwich where it is tight, else Lanczos."""
    sandwich = metric.sandwich
    return metric.least() if sandwich.width > _WIDE else sandwich.high

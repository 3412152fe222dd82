"""C5 and C6: theorem 2 at random states against an independent solver; every stationary point is global."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from deqbench.claims import Assumption, Evidence, Point
from deqbench_plugins.claims.cases import random_case
from deqbench_plugins.claims.more_digits import gradient_point, step_point
from deqbench_plugins.theory.equivalence import Equivalence, by_secular_equation
from deqbench_plugins.theory.losses import Hull
from deqbench_plugins.theory.metric import Metric
from deqbench_plugins.theory.optimum import optimum

if TYPE_CHECKING:
    from deqbench.learning.losses import LossName

LOSSES: tuple[LossName, ...] = ("square", "logistic", "cross-entropy")
SHARES = (0.01, 0.1, 0.5, 0.9)
"""Delta over delta bar."""
BOUND = 1e-9
"""Relative distance, and KKT residual, up to which two steps are the same."""
States = Annotated[int, Field(ge=1, description="Random states.")]
_FIRST = 100_000
"""Cases of one seed; the next seed's begin behind them."""


@dataclass(frozen=True)
class TrustRegionEquivalence:
    """C5: theorem 2, the flow's step against the minimiser that the secular equation gives."""

    code: ClassVar[str] = "C5"
    statement: ClassVar[str] = (
        "For every delta < 1 / lambda_max(D H), -delta D g is the trust-region Newton step in the metric "
        "D^-1 - delta H: distance to an independent solution <= 1e-9."
    )
    source: ClassVar[str] = "Kawaguchi 2021, theorem 2 [RECALL]; the sharp delta bar: own."
    tolerance: ClassVar[float] = 1e-9
    finest: ClassVar[int] = 2

    states: States = 200

    def examine(self, seed: int, precision: int) -> Evidence:
        """Solve four subproblems at each state; the control measures the ball by the Euclidean norm.

        At precision 2 those that disagree are solved again in 50 digits.
        """
        points, control, reaches = [], [], []
        for case in range(self.states):
            number = _FIRST * seed + case
            state, loss = random_case(number, LOSSES[case % 3], largest=1.5)
            metric, hessian = Metric(state), loss.hessian(state.W)
            gradient, reach = loss.gradient(state.W), metric.reach(hessian)
            reaches.append(reach)
            for place, share in enumerate(SHARES):
                one = Equivalence(metric, hessian, gradient, share * reach)
                whole, inside, g = one.dense()
                step = one.step.reshape(-1).numpy()
                solved = by_secular_equation(whole, inside, g, one.radius).v
                ball = by_secular_equation(whole, np.eye(len(g)), g, float(np.linalg.norm(step))).v
                t = case + place / len(SHARES)
                found = Point(t, max(_apart(step, solved), one.kkt_residual), BOUND)
                if precision == 2 and not found.ratio <= 1 + self.tolerance:
                    found = step_point(t, state, one, BOUND)
                points.append(found)
                control += [Point(t, _apart(step, ball), 1e-2)]
        sound = all(np.isfinite(reaches))
        assumed = Assumption("delta_bar", min(reaches), sound, "delta bar is positive and finite")
        return Evidence((assumed,), tuple(points), tuple(control), "G = I, differing by more than 1e-2")


def _apart(v: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(v - other) / np.linalg.norm(other))


@dataclass(frozen=True)
class StationaryIsGlobal:
    """C6: the gradient in (A, B) is at least lambda_min(D) kappa times the gap, so none vanishes above L*."""

    code: ClassVar[str] = "C6"
    statement: ClassVar[str] = (
        "Every stationary point is global: ||grad L(A, B)||^2 >= lambda_min(D) kappa (L - L*) at every state."
    )
    source: ClassVar[str] = "Kawaguchi 2021, from D > 0 and convexity [RECALL]; the constant: own."
    tolerance: ClassVar[float] = 1e-9
    finest: ClassVar[int] = 2

    states: States = 60

    def examine(self, seed: int, precision: int) -> Evidence:
        """Compare at random states; the control has B frozen, where the gradient in A alone may vanish.

        At precision 2 states that break the bound are looked at again in 50 digits.
        """
        points, control = [], []
        for case in range(self.states):
            state, loss = random_case(_FIRST * seed + case, "square")
            best, metric = optimum(loss), Metric(state)
            gap = loss.value(state.W) - best.value
            kappa = Hull(loss).widened(best.weights).widened(state.W).kappa
            found = state.gradient(loss.gradient(state.W))
            promised = metric.sandwich.low * kappa * gap
            point = Point(case, promised, found.squared_norm())
            if precision == 2 and not point.ratio <= 1 + self.tolerance:
                point = gradient_point(case, state, loss)
            points.append(point)
            control.append(Point(case, promised, float(found.A.square().sum())))
        return Evidence((), tuple(points), tuple(control), "B frozen: the gradient in A alone")

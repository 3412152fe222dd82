"""The basic trust-region loop, in the norm ||p||_M of a metric that may change with every step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch

from deqbench.plugin import NonFiniteError

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.interfaces import HessianProduct
    from deqbench.learning.objective import Objective
    from deqbench_plugins.trainers.trust_region.metrics import ApplyInverse, MetricAt

ACCEPT, SHRINK, GROW = 0.01, 0.25, 0.9
PATIENCE = 3
"""Rejected steps in a row, each too small for the loss to see, after which rounding is said to be reached."""


class Step(NamedTuple):
    """A subproblem's answer: p (P,), the reduction its model predicts, and ||p||_M."""

    p: Tensor
    predicted: float
    length: float


Subproblem = Callable[["Tensor", "HessianProduct", "ApplyInverse", float, float], Step]
"""(gradient (P,), v -> H v, r -> M^-1 r, radius, relative tolerance) -> Step."""


class Outer(NamedTuple):
    """One outer step, accepted or rejected, and where the parameters stand after it.

    Attributes:
        loss: Scalar tensor.
        gradient_norm: Euclidean norm.
        radius: In the metric's norm, for the next step.
        ratio: Actual over predicted reduction of this step; -inf where the trial loss was not finite.
        accepted: Whether the parameters moved.
    """

    loss: Tensor
    gradient_norm: float
    radius: float
    ratio: float
    accepted: bool


@dataclass(frozen=True)
class _Point:
    """Parameters x (P,), with the loss and its gradient g (P,) there."""

    x: Tensor
    loss: Tensor
    g: Tensor
    value: float
    norm: float

    @classmethod
    def at(cls, objective: Objective, x: Tensor) -> _Point:
        """Move the objective to x and evaluate it there.

        The gradient comes along: most trial points are accepted, and then a second forward pass is saved.
        """
        objective.set_vector(x)
        loss, g = objective.value_and_gradient()
        value, norm = torch.stack((loss, torch.linalg.vector_norm(g))).tolist()
        return cls(x, loss, g, value, norm)

    @property
    def finite(self) -> bool:
        return math.isfinite(self.value) and math.isfinite(self.norm)

    @property
    def guard(self) -> float:
        """Ten units of rounding of the loss here; smaller reductions cannot be told from noise."""
        return 10 * torch.finfo(self.x.dtype).eps * max(1.0, abs(self.value))


@dataclass(frozen=True)
class TrustRegion:
    """How a trust region is shaped and shrunk.

    Attributes:
        metric: Gives r -> M^-1 r at a point, once after each accepted step.
        subproblem: Minimises the quadratic model in the ball ||p||_M <= radius.
        forcing: Gradient norm -> relative tolerance of the subproblem.
        radius: First radius, in the metric's norm, > 0.
        gtol: Ends where the Euclidean norm of the gradient is at most this.
    """

    metric: MetricAt
    subproblem: Subproblem
    forcing: Callable[[float], float]
    radius: float
    gtol: float

    def descend(self, objective: Objective) -> Iterator[Outer]:
        """Minimise the objective until its gradient is small or rounding stops it.

        Args:
            objective: What is minimised; its parameters are left at the last accepted point.

        Yields:
            One Outer a step, rejected ones too: they cost a gradient and are charged.

        Raises:
            NonFiniteError: The loss or its gradient is not finite at the start, or a product is not.

        Source: Conn, Gould & Toint (2000), Trust-Region Methods, the basic algorithm, with norms that may
        change between steps and their guard against rounding in the ratio.
        """
        here, radius = _Point.at(objective, objective.vector), self.radius
        if not here.finite:
            raise NonFiniteError("The loss or its gradient is not finite where the trust region starts.")
        moved, unseen = True, 0
        while here.norm > self.gtol and unseen < PATIENCE and radius > 0:
            hessian = objective.hessian_product()  # anew after a rejected step too: the parameters moved
            if moved:
                apply_inverse = self.metric(hessian)
            step = self.subproblem(here.g, hessian, apply_inverse, radius, self.forcing(here.norm))
            trial = _Point.at(objective, here.x + step.p)
            ratio, moved = _judge(here, trial, step.predicted)
            unseen = 0 if moved or step.predicted > here.guard else unseen + 1
            radius = _next_radius(radius, step.length, ratio if moved else -math.inf)
            if moved:
                here = trial
            else:
                objective.set_vector(here.x)
            yield Outer(here.loss, here.norm, radius, ratio, moved)


def _judge(here: _Point, trial: _Point, predicted: float) -> tuple[float, bool]:
    """Return actual over predicted reduction, both raised by the guard, and whether the step is taken.

    Where the loss cannot see a step, the guarded ratio is about 1 whatever happens; there the
    gradient judges, and a tenth off its norm is asked for, lest a run trickles on at the floor of rounding.
    """
    if not trial.finite:
        return -math.inf, False
    ratio = (here.value - trial.value + here.guard) / (predicted + here.guard)
    if predicted <= here.guard:
        return ratio, ratio >= ACCEPT and trial.norm < 0.9 * here.norm
    return ratio, ratio >= ACCEPT


def _next_radius(radius: float, length: float, ratio: float) -> float:
    if ratio >= GROW:
        return max(radius, 2.5 * length)
    return radius if ratio >= SHRINK else 0.25 * length

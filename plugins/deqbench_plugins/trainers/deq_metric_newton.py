"""Trust-region Newton in the metric of an implicit layer, on the shallow explicit model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import torch
from pydantic import Field

from deqbench.plugin import InapplicableError
from deqbench_plugins.theory.delm import Delm
from deqbench_plugins.theory.metric import Metric
from deqbench_plugins.trainers.trust_region.loop import Outer, TrustRegion
from deqbench_plugins.trainers.trust_region.metrics import LinearInFeatures
from deqbench_plugins.trainers.trust_region.steihaug import steihaug
from deqbench_plugins.trainers.trust_region_newton import FORCING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from deqbench.interfaces import HessianProduct
    from deqbench.learning.objective import Objective
    from deqbench_plugins.trainers.trust_region.metrics import ApplyInverse

Gamma = Annotated[float, Field(ge=0, lt=1, description="Weight of the equilibrium term; 0 is Euclidean.")]
Spread = Annotated[float, Field(ge=0, description="Standard deviation of A's entries at the start.")]


@dataclass(frozen=True)
class DeqMetricNewton:
    """Trust-region Newton in the ball ||p||_{D^-1} <= radius, D the metric of a DELM (A, B) with B U^-1 = W.

    Unlike the flow of theorem 2, this is a second-order method, with a superlinear tail at every gamma. It
    holds A itself: after an accepted step p, A moves by the lift of p, the shortest direction in (A, B) whose
    push is p, and B is reset so that B U^-1 is W exactly. Own; model ``linear`` only.
    """

    gamma: Gamma = 0.9
    spread: Spread = 1.0
    moving: Annotated[bool, Field(description="Move A along the steps; false freezes the metric's A.")] = True
    forcing: Annotated[
        Literal["sqrt", "quadratic", "linear", "exact"],
        Field(description="Tolerance of CG, as for trust-region-newton."),
    ] = "sqrt"
    radius: Annotated[float, Field(gt=0, description="First radius, in the norm of D^-1.")] = 10.0
    gtol: Annotated[float, Field(ge=0, description="Ends where the gradient's norm is at most this.")] = 1e-10

    def steps(self, objective: Objective) -> Iterator[Tensor]:
        """Step; yields the loss at the new point, or at the old one after a rejected step."""
        for outer in self.trace(objective):
            yield outer.loss

    def trace(self, objective: Objective) -> Iterator[Outer]:
        """Step; yields all that is known after each outer step."""
        region = TrustRegion(
            metric=_Companion(
                objective, delm_reading(objective, self.gamma, self.spread), moving=self.moving
            ).at,
            subproblem=steihaug,
            forcing=FORCING[self.forcing],
            radius=self.radius,
            gtol=self.gtol,
        )
        return region.descend(objective)


def delm_reading(objective: Objective, gamma: float, spread: float) -> Delm:
    """Return a DELM whose function is the linear model's W, with A ~ N(0, spread^2) from the order's seed.

    Raises:
        InapplicableError: The model is not linear in features.
    """
    module = objective.module
    if not (isinstance(module, LinearInFeatures) and len(objective.parameters) == 1):
        raise InapplicableError(
            "The metric of an implicit layer needs a model that is linear in features, such as 'linear'; "
            f"{type(module).__name__} is not."
        )
    weights = objective.parameters[0].detach().to("cpu", torch.float64)
    size = weights.shape[1]
    draw = torch.Generator().manual_seed(objective.order_seed)
    a = spread * torch.randn(size, size, generator=draw, dtype=torch.float64)
    return Delm(a, torch.zeros_like(weights), 1.0 - gamma).read_as(weights)


class _Companion:
    """The DELM beside the linear model: it moves when the model has moved."""

    def __init__(self, objective: Objective, state: Delm, *, moving: bool) -> None:
        self._objective, self._state, self._moving = objective, state, moving

    def at(self, _hessian: HessianProduct) -> ApplyInverse:
        """Return r -> D r at the model's parameters, after moving A by the lift of the way from the last."""
        like = self._objective.vector
        weights = like.to("cpu", torch.float64).view_as(self._state.B)
        metric = Metric(self._state)
        if self._moving and not torch.equal(weights, self._state.W):
            lift = self._state.gradient(metric.solve(weights - self._state.W))
            self._state = self._state.moved(lift)
        self._state = self._state.read_as(weights)
        moved = Metric(self._state)
        return lambda r: moved.apply(r.to("cpu", torch.float64).view_as(weights)).reshape(-1).to(like)

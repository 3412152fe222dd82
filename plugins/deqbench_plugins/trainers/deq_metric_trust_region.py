"""Theorem 2 as an optimiser: the linear model, stepped in the metric that a DELM's flow induces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import torch
from pydantic import Field

from deqbench.plugin import InapplicableError
from deqbench_plugins.theory.equivalence import Equivalence
from deqbench_plugins.theory.metric import Metric
from deqbench_plugins.theory.subproblem import in_the_ball
from deqbench_plugins.trainers.deq_metric_newton import Gamma, Spread, delm_reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from deqbench.learning.objective import Objective
    from deqbench_plugins.theory.delm import Delm

_ACCURACY = 1e-3
"""Relative accuracy of lambda_max(D H), which only bounds delta; each Lanczos vector is a Hessian product."""

_ROOM = 0.99
"""Delta must be below this share of its computed bound, which is inexact."""


class Taken(NamedTuple):
    """One step.

    Attributes:
        loss: After the step, a scalar tensor.
        state: The DELM beside the model after the step; its W is the model's.
        delta: The length of the step in time of the DELM's flow, which is not the linear model's own.
        reach: Delta bar, the bound on it, before the step.
    """

    loss: Tensor
    state: Delm
    delta: float
    reach: float


@dataclass(frozen=True)
class DeqMetricTrustRegion:
    """W moves by the trust-region Newton step in the norm of G = D^-1 - delta H, D the metric of (A, B).

    By theorem 2 that step is -delta D grad L(W), what the gradient flow of a DELM with B U^-1 = W does in an
    instant. A moves along the flow's direction and B is reset so that B U^-1 is W exactly. So the trajectory
    is the DELM's gradient flow to first order in delta, and the method converges linearly, as the flow does:
    the Newton part of the theorem cancels. Model ``linear`` only; matrix-free.

    Every gradient and Hessian product is charged, those that bound delta included.

    Source: K. Kawaguchi (2021), arXiv 2102.07346, theorem 2; the update of (A, B) is own.
    """

    gamma: Gamma = 0.9
    delta: Annotated[
        Annotated[float, Field(gt=0)] | None,
        Field(description="Flow time of a step, below delta bar; None for a share of delta bar."),
    ] = None
    share: Annotated[
        float, Field(gt=0, lt=1, description="Delta over delta bar = 1 / lambda_max(D H), without delta.")
    ] = 0.5
    subproblem: Annotated[
        Literal["closed", "solved"],
        Field(description="Take the step that theorem 2 says, or solve the subproblem without the theorem."),
    ] = "closed"
    spread: Spread = 1.0

    def steps(self, objective: Objective) -> Iterator[Tensor]:
        """Step for ever; yields the loss after each step."""
        for taken in self.trace(objective):
            yield taken.loss

    def trace(self, objective: Objective) -> Iterator[Taken]:
        """Step for ever; yields all that is known after each step.

        Raises:
            InapplicableError: The model is not linear in features, or delta reaches delta bar, where G is
                no metric any more.
        """
        state, like = delm_reading(objective, self.gamma, self.spread), objective.vector
        loss, flat = objective.value_and_gradient()
        while True:
            gradient = flat.to("cpu", torch.float64).view_as(state.B)
            case, reach = self._case(objective, Metric(state), gradient)
            step = case.step if self.subproblem == "closed" else in_the_ball(case).v
            weights = state.W + step
            state = state.moved(state.gradient(gradient), -case.delta).read_as(weights)
            objective.set_vector(weights.reshape(-1).to(like))
            loss, flat = objective.value_and_gradient()  # the next step's, and the loss to show
            yield Taken(loss, state, case.delta, reach)

    def _case(self, objective: Objective, metric: Metric, gradient: Tensor) -> tuple[Equivalence, float]:
        """Return theorem 2's subproblem at the model's parameters, and delta bar there."""
        product, like = objective.hessian_product(), objective.vector

        def hessian(v: Tensor) -> Tensor:
            return product(v.reshape(-1).to(like)).to("cpu", torch.float64).view_as(v)

        reach = metric.reach(hessian, tolerance=_ACCURACY)
        delta = self.share * _ROOM * reach if self.delta is None else self.delta
        if not delta <= _ROOM * reach or delta == float("inf"):
            raise InapplicableError(
                f"delta = {delta:g} is not below delta bar = {reach:g}, where the metric D^-1 - delta H "
                "stops being positive definite; give a smaller delta, or none and a share."
            )
        return Equivalence(metric, hessian, gradient, delta), reach

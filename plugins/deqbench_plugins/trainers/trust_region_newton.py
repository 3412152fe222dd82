"""Trust-region Newton in a given metric: the second-order baseline, on any model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from deqbench_plugins.trainers.trust_region import metrics
from deqbench_plugins.trainers.trust_region.exact_subproblem import exact
from deqbench_plugins.trainers.trust_region.loop import Outer, Subproblem, TrustRegion
from deqbench_plugins.trainers.trust_region.steihaug import steihaug

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.learning.objective import Objective

FORCING: dict[str, Callable[[float], float]] = {
    "sqrt": lambda norm: min(0.5, math.sqrt(norm)),
    "quadratic": lambda norm: min(0.1, norm),
    "linear": lambda _norm: 0.1,
    "exact": lambda _norm: 1e-8,
}
"""Gradient norm -> relative tolerance of CG (Dembo, Eisenstat & Steihaug, 1982)."""

_SUBPROBLEMS: dict[str, Subproblem] = {"steihaug": steihaug, "exact": exact}


@dataclass(frozen=True)
class TrustRegionNewton:
    """Trust-region Newton: minimises the quadratic model in the ball ||p||_M <= radius at each step.

    The metric M says in what norm steps are short. Hessian-vector products are analytic for the linear model
    and come from one kept gradient graph a step for any other. Every product and every rejected step is
    charged; a rejected one is a step too. Ends by itself where the gradient norm is at most ``gtol``, or
    where rounding lets no step improve.

    Source: Conn, Gould & Toint (2000), Trust-Region Methods; Steihaug (1983); Moré & Sorensen (1983).
    """

    metric: Annotated[
        Literal["identity", "hessian-diagonal", "data-gram"],
        Field(description="M: I, diag(H) at each step, or I x (X'X / 2n + shift I) (linear model only)."),
    ] = "identity"
    subproblem: Annotated[
        Literal["steihaug", "exact"],
        Field(description="Truncated CG, or an eigendecomposition (at most 2,000 parameters)."),
    ] = "steihaug"
    forcing: Annotated[
        Literal["sqrt", "quadratic", "linear", "exact"],
        Field(
            description="Tolerance of CG relative to the gradient g: min(.5, sqrt|g|), of order 1.5; "
            "min(.1, |g|), quadratic; .1, linear; 1e-8, the full Newton step."
        ),
    ] = "sqrt"
    radius: Annotated[float, Field(gt=0, description="First radius, in the norm of M.")] = 10.0
    gtol: Annotated[float, Field(ge=0, description="Ends where the gradient's norm is at most this.")] = 1e-10
    shift: Annotated[float, Field(gt=0, description="Added to the Gram matrix of metric=data-gram.")] = 1e-4

    def steps(self, objective: Objective) -> Iterator[Tensor]:
        """Step; yields the loss at the new point, or at the old one after a rejected step."""
        for outer in self.trace(objective):
            yield outer.loss

    def trace(self, objective: Objective) -> Iterator[Outer]:
        """Step; yields all that is known after each outer step."""
        region = TrustRegion(
            metric=self._metric(objective),
            subproblem=_SUBPROBLEMS[self.subproblem],
            forcing=FORCING[self.forcing],
            radius=self.radius,
            gtol=self.gtol,
        )
        return region.descend(objective)

    def _metric(self, objective: Objective) -> metrics.MetricAt:
        if self.metric == "data-gram":
            return metrics.data_gram(objective, self.shift)
        return (
            metrics.identity(objective) if self.metric == "identity" else metrics.hessian_diagonal(objective)
        )

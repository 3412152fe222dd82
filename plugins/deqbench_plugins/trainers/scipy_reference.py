"""Reference trainers: scipy's trust regions on the objective's own losses, gradients and Hessian products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import scipy.optimize
import torch
from pydantic import Field

from deqbench_plugins.trainers.closed_loop import stepwise
from deqbench_plugins.trainers.trust_region.exact_subproblem import dense_hessian

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from deqbench.interfaces import HessianProduct
    from deqbench.learning.objective import Objective

Radius = Annotated[float, Field(gt=0, lt=1000, description="First radius, Euclidean; scipy's default is 1.")]
Gtol = Annotated[float, Field(ge=0, description="Ends where the gradient's norm is below this.")]


@dataclass(frozen=True)
class ScipyTrustNcg:
    """``scipy.optimize.minimize(method="trust-ncg")``: Steihaug's truncated CG in the Euclidean norm.

    It spends one product more a step than ours, and tight tolerances end it early: it forms the predicted
    reduction as a difference of losses, which cancels.
    """

    radius: Radius = 1.0
    gtol: Gtol = 1e-10

    def steps(self, objective: Objective) -> Iterator[Tensor]:
        """Step; yields the loss after each outer step, rejected ones too."""
        yield from _steps(objective, "trust-ncg", self.radius, self.gtol)


@dataclass(frozen=True)
class ScipyTrustExact:
    """``scipy.optimize.minimize(method="trust-exact")``: Moré-Sorensen on a dense Hessian; small models only.

    The Hessian is formed of P products at each accepted point, and charged so.
    """

    radius: Radius = 1.0
    gtol: Gtol = 1e-10

    def steps(self, objective: Objective) -> Iterator[Tensor]:
        """Step; yields the loss after each outer step, rejected ones too."""
        yield from _steps(objective, "trust-exact", self.radius, self.gtol)


def _steps(objective: Objective, method: str, radius: float, gtol: float) -> Iterator[Tensor]:
    """Run scipy's loop, yielding the loss after each of its iterations."""
    bridge = _Bridge(objective)
    minimize: Any = scipy.optimize.minimize  # its stubs allow no choice between hess and hessp
    second = {"hessp": bridge.product} if method == "trust-ncg" else {"hess": bridge.dense}

    def solve(hand_over: Callable[[Tensor], None]) -> None:
        def callback(intermediate_result: Any) -> None:  # scipy looks at the parameter's name
            bridge.move(intermediate_result.x)
            hand_over(torch.tensor(float(intermediate_result.fun), dtype=bridge.like.dtype))

        result = minimize(
            bridge.value_and_gradient,
            bridge.like.double().cpu().numpy(),
            method=method,
            jac=True,
            callback=callback,
            options={"initial_trust_radius": radius, "gtol": gtol},
            **second,
        )
        bridge.move(result.x)

    return stepwise(solve)


class _Bridge:
    """The objective as scipy wants it: float64 numpy vectors (P,) in and out."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self.like = objective.vector
        self._product: HessianProduct | None = None

    def move(self, x: Any) -> None:
        """Set the objective's parameters; a product prepared before is void."""
        self._product = None
        self._objective.set_vector(self._tensor(x))

    def value_and_gradient(self, x: Any) -> tuple[float, Any]:
        """Return the loss and its gradient at x."""
        self.move(x)
        loss, gradient = self._objective.value_and_gradient()
        return float(loss), gradient.double().cpu().numpy()

    def product(self, x: Any, v: Any) -> Any:
        """Return H v at x; the Hessian is prepared once a step.

        scipy asks for products at one point between two evaluations of the loss, so x is not compared.
        """
        if self._product is None:
            self.move(x)
            self._product = self._objective.hessian_product()
        return self._product(self._tensor(v)).double().cpu().numpy()

    def dense(self, x: Any) -> Any:
        """Return H at x, (P, P)."""
        self.move(x)
        return dense_hessian(self._objective.hessian_product(), self.like).double().cpu().numpy()

    def _tensor(self, x: Any) -> Tensor:
        return torch.from_numpy(x).to(self.like)

"""Reference trainer: pytorch-minimize's trust-ncg, which differentiates the loss itself."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import torch
from pydantic import Field

from deqbench.plugin import NonFiniteError
from deqbench_plugins.trainers.closed_loop import stepwise

with warnings.catch_warnings():
    # torchmin 0.1 compiles a class with torch.jit.script, which torch has deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    import torchmin

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.learning.objective import Objective


@dataclass(frozen=True)
class TorchminTrustNcg:
    """``torchmin.minimize(method="trust-ncg")``: scipy's algorithm on torch tensors, by double backward.

    It reports no count of Hessian products: a hook on its own autograd counts and charges them.
    """

    radius: Annotated[float, Field(gt=0, lt=1000, description="First radius; its default is 1.")] = 1.0
    gtol: Annotated[float, Field(ge=0, description="Ends where the gradient's norm is below this.")] = 1e-10

    def steps(self, objective: Objective) -> Iterator[Tensor]:
        """Step; yields the loss after each outer step, rejected ones too."""

        def solve(hand_over: Callable[[Tensor], None]) -> None:
            watched = _Watched(objective)

            def callback(x: Tensor) -> None:
                objective.set_vector(x)
                hand_over(watched.loss_at(x))

            options: dict[str, Any] = {"initial_trust_radius": self.radius, "gtol": self.gtol}
            result = torchmin.minimize(
                watched, objective.vector, "trust-ncg", callback=callback, options=options
            )
            objective.set_vector(result.x)

        yield from stepwise(solve)


class _Watched:
    """The objective as a function of flat parameters (P,), charged for what torchmin does with it."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._recent: list[tuple[Tensor, Tensor]] = []

    def __call__(self, x: Tensor) -> Tensor:
        """Return the differentiable loss at x; differentiated first for the gradient, then for products."""
        differentiated = False

        def charge(_gradient: Tensor) -> None:
            nonlocal differentiated
            self._objective.charge(**{"hessian_products" if differentiated else "gradients": 1})
            differentiated = True

        x.register_hook(charge)  # type: ignore[no-untyped-call]  # unannotated in torch
        loss = self._objective.at(x)
        if not math.isfinite(float(loss.detach())):  # its CG would never end
            raise NonFiniteError("The loss is not finite; pytorch-minimize cannot go on from here.")
        self._recent = [*self._recent[-1:], (x.detach(), loss.detach())]
        return loss

    def loss_at(self, x: Tensor) -> Tensor:
        """Return the loss at x, one of the last two points: a rejected step leaves the one before."""
        for point, loss in reversed(self._recent):
            if torch.equal(point, x):
                return loss
        with torch.no_grad():
            return self._objective.at(x)

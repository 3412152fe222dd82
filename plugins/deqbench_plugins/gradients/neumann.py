"""The truncated Neumann series of the adjoint equation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from pydantic import Field

from deqbench_plugins.gradients.attaching import value_with_adjoint

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.binding import Problem


@dataclass(frozen=True)
class Neumann:
    """u = sum_{i < terms} (J^T)^i g in place of (I - J^T)^-1 g: terms - 1 products, no check, no stop.

    One term is ``one-step``. What is dropped is (J^T)^terms u, so the relative error is at most
    ||J||^terms. The same sum is what the adjoint equation's fixed-point iteration has after as many steps.
    First derivatives only.

    Source: the Neumann series, C. Neumann (1877); for implicit models J. Lorraine, P. Vicol, D. Duvenaud
    (2020), "Optimizing Millions of Hyperparameters by Implicit Differentiation", arXiv 1911.02590.
    """

    terms: Annotated[int, Field(ge=1, description="Terms that are summed; 1 is one-step.")] = 5

    def attach(self, problem: Problem) -> Tensor:
        """Solve, then connect; the products are made in backward, and charged there."""
        z = problem.solve()
        if not torch.is_grad_enabled():
            return z
        leaf, fz = problem.attach(z)
        product = problem.pullback(leaf, fz)
        return value_with_adjoint(z, fz, lambda incoming: neumann_sum(product, incoming, self.terms))


def neumann_sum(
    product: Callable[[Tensor], Tensor], incoming: Tensor, terms: int, damping: float = 1.0
) -> Tensor:
    """Return u = tau sum_{i < terms} B^i g, B = tau J^T + (1 - tau) I, by terms - 1 products.

    Args:
        product: v -> J^T v, (B, *s) -> (B, *s).
        incoming: g, (B, *s).
        terms: >= 1.
        damping: tau in (0, 1].
    """
    scaled = incoming if damping == 1 else damping * incoming
    u = scaled
    for _ in range(terms - 1):
        image = product(u)
        u = scaled + (image if damping == 1 else torch.lerp(u, image, damping))
    return u

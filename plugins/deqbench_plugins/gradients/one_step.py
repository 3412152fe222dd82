"""Jacobian-free backpropagation: the gradient of the last step only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from deqbench_plugins.gradients.attaching import value_with_graph

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.binding import Problem


@dataclass(frozen=True)
class OneStep:
    """The gradient of f at a z* held constant: the adjoint equation's u replaced by g.

    No adjoint solve, one call and its backpropagation. Biased: the error is at most
    rho / (1 - rho) of the map's own derivative for a contraction of factor rho. First derivatives only.

    Source: S. Wu Fung et al. (2022), "JFB: Jacobian-Free Backpropagation for Implicit Networks", arXiv
    2103.12803; J. Bolte, E. Pauwels, S. Vaiter (2023), "One-step differentiation of iterative algorithms".
    """

    def attach(self, problem: Problem) -> Tensor:
        """Solve, then call the map once more with a graph; the value stays z*."""
        z = problem.solve()
        if not torch.is_grad_enabled():
            return z
        return value_with_graph(problem.call(z), z)

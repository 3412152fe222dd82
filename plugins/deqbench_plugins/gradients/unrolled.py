"""Backpropagation through the solver's own steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.binding import Problem


@dataclass(frozen=True)
class UnrolledGradient:
    """The gradient of the iterates that were made, by backpropagation through all of them.

    Exact for the truncated iteration; as an approximation of the equilibrium's gradient its error is
    O(K rho^K) after K steps of a contraction of factor rho. Memory grows with the steps. The value is
    f at the point whose residual met the tolerance. Needs a stepwise solver.

    Source: backpropagation through time, P. J. Werbos (1990).
    """

    def attach(self, problem: Problem) -> Tensor:
        """Solve with a graph."""
        z = problem.solve(differentiable=torch.is_grad_enabled())
        # An empty batch takes no step; a call gives it the graph that its loss expects.
        return z if len(z) or not torch.is_grad_enabled() else problem.call(z)

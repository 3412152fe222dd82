"""Phantom gradients: a few damped steps from z*, differentiated, or their Neumann series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import torch
from pydantic import Field

from deqbench_plugins.gradients.attaching import value_with_adjoint, value_with_graph
from deqbench_plugins.gradients.neumann import neumann_sum

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.binding import Problem


@dataclass(frozen=True)
class Phantom:
    """The gradient of k damped steps h <- (1 - tau) h + tau f(h) that start at z*, held constant.

    ``unrolled`` makes the steps and backpropagates through them: k calls, memory of k steps. ``neumann``
    differentiates f at z* alone: u = tau sum_{i<k} B^i g with B = tau J^T + (1 - tau) I, one call and
    k - 1 products. At z* itself the two agree. The relative error of u is at most
    (1 - tau (1 - ||J||))^k, so tau = 1 is best where f contracts; a smaller one tames a J with
    eigenvalues near or below -1. First derivatives only.

    Source: Z. Geng, X.-Y. Zhang, S. Bai, Y. Wang, Z. Lin (2021), "On Training Implicit Models", arXiv
    2111.05177.
    """

    steps: Annotated[int, Field(ge=1, description="Steps k that are differentiated.")] = 5
    damping: Annotated[float, Field(gt=0, le=1, description="Share tau of each step; 1 is undamped.")] = 0.5
    form: Annotated[Literal["unrolled", "neumann"], Field(description="Steps in z, or the series at z*.")] = (
        "unrolled"
    )

    def attach(self, problem: Problem) -> Tensor:
        """Solve, then connect; the value stays z*."""
        z = problem.solve()
        if not torch.is_grad_enabled():
            return z
        if self.form == "unrolled":
            return value_with_graph(self._unroll(problem, z), z)
        leaf, fz = problem.attach(z)
        product = problem.pullback(leaf, fz)
        return value_with_adjoint(
            z, fz, lambda incoming: neumann_sum(product, incoming, self.steps, self.damping)
        )

    def _unroll(self, problem: Problem, z: Tensor) -> Tensor:
        """Return the last of the damped steps, attached; each is one call, charged."""
        h = z
        for _ in range(self.steps):
            fh = problem.call(h)
            h = fh if self.damping == 1 else torch.lerp(h, fh, self.damping)
        return h

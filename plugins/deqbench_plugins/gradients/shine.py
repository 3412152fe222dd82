"""SHINE: the inverse that the forward solve built, transposed, in place of an adjoint solve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import torch
from pydantic import Field

from deqbench.equilibria.maps import flat_rows
from deqbench.interfaces import QuasiNewton
from deqbench.plugin import InapplicableError
from deqbench_plugins.gradients.attaching import value_with_adjoint

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.binding import Problem


@dataclass(frozen=True)
class Shine:
    """u = H^T g, H the quasi-Newton solver's last estimate of (I - J)^-1: a backward pass without products.

    H is good along the directions the search took, which the loss's gradient need not be in: plain reuse
    can be worse than H = I. Samples for which ||H^T g|| exceeds ``fallback`` times ||g|| therefore take
    u = g (Jacobian-free), and ``refinement`` steps u <- J^T u + g improve all of them, one product each.
    A solver that forgets (a restart) has less to share. Samples that are done early are held in place, so
    H is theirs from when they met the tolerance. First derivatives only.

    Source: Z. Ramzi, F. Mannel, S. Bai, J.-L. Starck, P. Ciuciu, T. Moreau (2022), "SHINE: SHaring the
    INverse Estimate from the forward pass for bi-level optimization and implicit models", arXiv 2106.00553.
    The default of ``fallback`` is this project's; outer-problem-aware updates are not made.
    """

    fallback: Annotated[
        float | None, Field(ge=1, description="Greatest ||H^T g|| / ||g|| that is believed; None: any is.")
    ] = 10.0
    refinement: Annotated[int, Field(ge=0, description="Products spent on improving u.")] = 0

    def attach(self, problem: Problem) -> Tensor:
        """Solve, keep what the solver learnt, then connect; the value stays z*.

        Raises:
            InapplicableError: The solver has no inverse to share.
        """
        solver = problem.solver
        if not isinstance(solver, QuasiNewton):
            raise InapplicableError(
                f"The gradient 'shine' shares the inverse that a quasi-Newton solver builds, and "
                f"{type(solver).__name__} builds none; use the solver 'broyden', or another gradient."
            )
        if not torch.is_grad_enabled():
            return problem.solve()
        z, state = problem.solve_keeping(solver)
        leaf, fz = problem.attach(z)
        return value_with_adjoint(z, fz, self._adjoint(solver, state, problem.pullback(leaf, fz)))

    def _adjoint(
        self, solver: QuasiNewton, state: Any, product: Callable[[Tensor], Tensor]
    ) -> Callable[[Tensor], Tensor]:
        """Return g -> u; it holds the solver's state until the graph is freed."""

        def adjoint(incoming: Tensor) -> Tensor:
            if state is None:  # an empty batch
                return incoming
            u = self._believed(solver.inverse_transposed(state, incoming), incoming)
            for _ in range(self.refinement):
                u = product(u) + incoming
            return u

        return adjoint

    def _believed(self, u: Tensor, incoming: Tensor) -> Tensor:
        """Return u, but g for the samples whose u is not finite or longer than is believed."""
        length = torch.linalg.vector_norm(flat_rows(u), dim=1)
        sound = torch.isfinite(length)
        if self.fallback is not None:
            sound &= length <= self.fallback * torch.linalg.vector_norm(flat_rows(incoming), dim=1)
        return torch.where(sound.reshape(-1, *[1] * (u.dim() - 1)), u, incoming)

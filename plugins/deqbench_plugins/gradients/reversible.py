"""The exact gradient of a reversible iteration: its steps are undone in backward, their states not stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from deqbench_plugins.gradients.attaching import refuse_second_derivatives
from deqbench_plugins.gradients.coupled import (
    Coupled,
    CoupledState,
    LostBits,
    from_quanta,
    restore,
    to_quanta,
)
from deqbench_plugins.gradients.hidden import Hidden, refuse_unknown_leaves

if TYPE_CHECKING:
    from deqbench.equilibria.binding import Problem


@dataclass(frozen=True)
class Reversible:
    """Backpropagation through a coupled iteration that is run backwards as it is differentiated.

    y <- (1 - beta) y + beta f(w), then w <- (1 - beta) w + beta f(y). From (y, w) the ones before follow by
    algebra, so backward makes as many calls again as the solve, and as many products. Undoing a step
    divides rounding by 1 - beta, which ruins floating point within some tens of steps where f contracts
    slowly; here beta = 1 - 2^-k, the iterates are in fixed point, and the k bits a step cuts off are kept:
    k / 64 of a state a call, and every state returns to the last bit. Exact for the iterate that is
    returned, as ``unrolled`` is. First derivatives only.

    It brings its own iteration: the solver that is bound serves only where no gradient is wanted. All
    samples take the same steps, until each has met the tolerance.

    Source: S. McCallum, K. Arora, J. Foster (2025), "Reversible Deep Equilibrium Models", arXiv 2509.12917;
    for keeping the lost bits D. Maclaurin, D. Duvenaud, R. Adams (2015), "Gradient-based Hyperparameter
    Optimization through Reversible Learning", arXiv 1502.03492. The default is this project's.
    """

    halvings: Annotated[
        int, Field(ge=1, le=8, description="k in beta = 1 - 2^-k: 1 is half of each step, 2 three quarters.")
    ] = 2

    def attach(self, problem: Problem) -> Tensor:
        """Solve by the coupled iteration, then connect.

        Raises:
            InapplicableError: The map depends on a tensor that cannot be found.
        """
        if not torch.is_grad_enabled():
            return problem.solve()
        z, state = problem.solve_keeping(Coupled(self.halvings), hold=False)
        if state is None:  # an empty batch
            return problem.call(z)
        hidden = Hidden(problem.f.inputs)
        leaf, fz = problem.attach(z, hidden)
        tensors = [*problem.f.inputs, *hidden.found.values()]
        refuse_unknown_leaves(fz, [leaf, *tensors])
        undo = _Undo(problem, self.halvings, state._replace(z=None, fz=None))
        attached: Tensor = _Reversed.apply(undo, z, *tensors)  # type: ignore[no-untyped-call]  # torch's is
        return attached


class _Reversed(torch.autograd.Function):
    """(undo, z, *tensors) -> z."""

    @staticmethod
    def forward(ctx: Any, undo: _Undo, z: Tensor, *tensors: Tensor) -> Tensor:
        ctx.undo = undo
        ctx.save_for_backward(*tensors)
        return z.view_as(z)

    @staticmethod
    def backward(ctx: Any, incoming: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_derivatives()
        return (None, None, *ctx.undo(incoming, ctx.saved_tensors))


@dataclass(frozen=True, eq=False)
class _Undo:
    """Runs the coupled iteration backwards and gathers what its steps owe to each tensor."""

    problem: Problem
    halvings: int
    state: CoupledState

    def __call__(self, incoming: Tensor, tensors: tuple[Tensor, ...]) -> list[Tensor | None]:
        """Return dL/dt for every tensor t, None where it needs none."""
        y, partner, steps = self.state.y, self.state.partner, self.state.steps
        y_bits, partner_bits = self.state.y_bits, self.state.partner_bits
        keep = 0.5**self.halvings  # 1 - beta
        owed = {place: torch.zeros_like(t) for place, t in enumerate(tensors) if t.requires_grad}
        to_y, to_partner = incoming, torch.zeros_like(incoming)
        for step in range(steps):
            # The partner's last move reaches nothing that is returned: no product is due for it.
            fy, product = self._call(y, (1 - keep) * to_partner if step else None, tensors, owed)
            partner, partner_bits = self._undone(partner, fy, partner_bits)
            to_y = to_y + product
            fw, product = self._call(partner, (1 - keep) * to_y, tensors, owed)
            y, y_bits = self._undone(y, fw, y_bits)
            to_y, to_partner = keep * to_y, keep * to_partner + product
        return [owed.get(place) for place in range(len(tensors))]

    def _undone(self, y: Tensor, target: Tensor, bits: LostBits) -> tuple[Tensor, LostBits]:
        lost, bits = bits.pop(self.halvings)
        return restore(y, to_quanta(target, self.state.quantum), self.halvings, lost), bits

    def _call(
        self, point: Tensor, u: Tensor | None, tensors: tuple[Tensor, ...], owed: dict[int, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return f and J^T u at a point, and add u^T df/dt to what is owed: one call and one product."""
        problem, dtype = self.problem, self.problem.z0.dtype
        totals = problem.ledger.backward
        totals.map_calls += 1
        totals.sample_calls += point.shape[0]
        with torch.set_grad_enabled(u is not None):
            leaf = from_quanta(point, self.state.quantum, dtype).requires_grad_(u is not None)
            fz: Tensor = problem.f.function(leaf, *tensors[: len(problem.f.inputs)])
        if u is None:
            return fz, torch.zeros_like(fz)
        totals.vjps += 1
        wanted = [leaf, *(tensors[place] for place in owed)]
        own, *parts = torch.autograd.grad(fz, wanted, u, allow_unused=True)
        for sum_, part in zip(owed.values(), parts, strict=True):
            if part is not None:
                sum_.add_(part)
        return fz.detach(), torch.zeros_like(u) if own is None else own

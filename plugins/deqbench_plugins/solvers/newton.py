"""Newton's method with dense Jacobians, for small states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple

import torch
from pydantic import Field

from deqbench.equilibria.solving import flat_rows
from deqbench.plugin import InapplicableError

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.solving import Map

DECREASE = 1e-4
"""Share of the predicted decrease of ||f(z) - z|| that a step must bring (Armijo)."""
SHORTEST = 1e-3
"""Step lengths below which a trial is accepted as it is: Newton's direction is then of no use."""


class NewtonState(NamedTuple):
    """The trial point and the map's value there; the last accepted point, its gap, and the step's length."""

    z: Tensor  # (B, *s)
    fz: Tensor  # (B, *s)
    base: Tensor  # (B, d)
    gap: Tensor  # f(base) - base, (B, d)
    length: Tensor  # share of Newton's step that the trial takes, (B, 1)


@dataclass(frozen=True)
class Newton:
    """Newton's method on f(z) - z = 0: (I - J) p = f(z) - z is solved by LU, sample by sample.

    The Jacobian is made of one call and d vector-Jacobian products a step. Where a full step does not
    decrease ||f(z) - z||, the sample goes back and tries half of it, one trial a step, so that no sample
    waits for another. Where I - J is singular the sample takes the map's own step.

    Source: C. T. Kelley (1995), "Iterative Methods for Linear and Nonlinear Equations".
    """

    largest: Annotated[
        int, Field(ge=1, description="Largest state that is served; J holds its square a sample.")
    ] = 2048

    def init(self, f: Map, z0: Tensor) -> NewtonState:
        """Evaluate the start.

        Raises:
            InapplicableError: The state is larger than ``largest``.
        """
        size = z0[0].numel()
        if size > self.largest:
            raise InapplicableError(
                f"The solver 'newton' forms Jacobians of {size} x {size} a sample, and its parameter "
                f"largest is {self.largest}; raise it, or use 'newton-krylov'."
            )
        fz = f(z0)
        base = flat_rows(z0)
        worse = torch.full_like(base, torch.inf)  # than any gap: the start is accepted
        return NewtonState(z0, fz, base, worse, base.new_ones(len(base), 1))

    def step(self, f: Map, state: NewtonState) -> NewtonState:
        """Accept or shorten the trial, then take Newton's step; two calls and d products."""
        point = flat_rows(state.z)
        gap = flat_rows(state.fz) - point
        accepted = acceptable(gap, state.gap, state.length)
        base, gap = torch.where(accepted, point, state.base), torch.where(accepted, gap, state.gap)
        length = torch.where(accepted, 1.0, state.length / 2)
        direction = _newton_step(f.jacobian(base.view_as(state.z)), gap)
        z = torch.addcmul(base, length, direction).view_as(state.z)
        return NewtonState(z, f(z), base, gap, length)


def acceptable(gap: Tensor, before: Tensor, length: Tensor) -> Tensor:
    """Return whether each row's trial decreases the gap enough, or is too short to try again, (B, 1).

    Args:
        gap: f(z) - z at the trial, (B, d).
        before: The same where the step began, (B, d).
        length: Share of the step that was taken, (B, 1).
    """
    size: Tensor = torch.linalg.vector_norm(gap, dim=1, keepdim=True)
    least: Tensor = torch.linalg.vector_norm(before, dim=1, keepdim=True)
    return (size <= (1 - DECREASE * length) * least) | (length < SHORTEST)


def _newton_step(jacobian: Tensor, gap: Tensor) -> Tensor:
    """Return p with (I - J) p = gap, or the gap itself where that is singular, (B, d)."""
    half = gap.dtype in (torch.float16, torch.bfloat16)
    wide = torch.float32 if half else gap.dtype
    system = torch.eye(gap.shape[1], dtype=wide, device=gap.device) - jacobian.to(wide)
    solution, failed = torch.linalg.solve_ex(system, gap.to(wide).unsqueeze(2))
    step = solution.squeeze(2)
    sound = (failed == 0).unsqueeze(1) & torch.isfinite(step).all(1, keepdim=True)
    taken: Tensor = torch.where(sound, step.to(gap.dtype), gap)
    return taken

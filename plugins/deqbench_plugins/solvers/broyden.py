"""Good Broyden with limited memory, in the form that stores nothing but its own steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple

import torch
from pydantic import Field

from deqbench.equilibria.solving import flat_rows

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.solving import Map

GROWTH = 1e3
"""Growth of ||f(z) - z|| over its least value so far beyond which a sample forgets its history."""


class BroydenState(NamedTuple):
    """The point, the map's value, and the steps since the last restart; the last is still to be taken."""

    z: Tensor  # (B, *s)
    fz: Tensor  # (B, *s)
    steps: tuple[Tensor, ...]  # each (B, d)
    squares: tuple[Tensor, ...]  # ||step||^2, each (B, 1), never 0
    least: Tensor  # least ||f(z) - z||^2 so far, (B, 1)


@dataclass(frozen=True)
class Broyden:
    """Good Broyden on f(z) - z = 0, from the inverse Jacobian I, restarted when its memory is full.

    With full steps s_0, s_1, ... the inverse is the product of the factors
    I + s_{j+1} s_j^T / ||s_j||^2, so memory + 1 states are all it holds, whatever the limit of calls.
    A sample whose update is singular or not finite, or whose residual has leapt, starts its history anew
    from a plain step.

    Source: C. G. Broyden (1965), "A class of methods for solving nonlinear simultaneous equations"; the
    storage is C. T. Kelley's (1995), "Iterative Methods for Linear and Nonlinear Equations", chapter 7.
    """

    memory: Annotated[int, Field(ge=1, description="Updates kept until a restart.")] = 10

    def init(self, f: Map, z0: Tensor) -> BroydenState:
        """Evaluate the start; the first step is the map's own."""
        fz = f(z0)
        step = flat_rows(fz - z0)
        square = _square(step)
        return BroydenState(z0, fz, (step,), (square,), square)

    def step(self, f: Map, state: BroydenState) -> BroydenState:
        """Take the step at hand, then find the next; one call."""
        steps, squares = state.steps, state.squares
        z = state.z + steps[-1].view_as(state.z)
        fz = f(z)
        gap = flat_rows(fz - z)
        square = _square(gap)
        least = torch.minimum(state.least, square)
        if len(steps) > self.memory:
            return BroydenState(z, fz, (gap,), (square,), least)
        ahead = gap
        for k in range(len(steps) - 1):
            share = torch.linalg.vecdot(steps[k], ahead).unsqueeze(1) / squares[k]
            ahead = torch.addcmul(ahead, steps[k + 1], share)
        share = 1 - torch.linalg.vecdot(steps[-1], ahead).unsqueeze(1) / squares[-1]
        sound = (share.abs() > 10 * torch.finfo(gap.dtype).eps) & (square <= GROWTH**2 * least)
        following = torch.where(sound, ahead / share, gap)
        # An infinite square silences a factor: forgetting costs (B, 1) tensors, not the steps.
        kept = (old.masked_fill(~sound, torch.inf) for old in squares)
        return BroydenState(z, fz, (*steps, following), (*kept, _square(following)), least)


def _square(x: Tensor) -> Tensor:
    """Return ||x||^2 of each row, (B, 1), or 1 where that is 0: what is divided by it is 0 as well."""
    square = torch.linalg.vecdot(x, x).unsqueeze(1)
    return torch.where(square > 0, square, 1.0)

"""Anderson mixing, type II, whose least squares do not depend on the units of the state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple

import torch
from pydantic import Field

from deqbench.equilibria.solving import flat_rows

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.solving import Map


class AndersonState(NamedTuple):
    """The point, the map's value, and the last changes of both.

    ``k`` <= memory columns are held; none at the start.
    """

    z: Tensor  # (B, *s)
    fz: Tensor  # (B, *s)
    moves: Tensor  # (B, k, d): changes of f(z)
    bends: Tensor  # (B, k, d): changes of f(z) - z


@dataclass(frozen=True)
class Anderson:
    """Anderson mixing (type II): the next point combines the last ones so that residuals cancel.

    With g = f(z) - z it solves min ||g - sum_j c_j dg_j|| over the last changes dg_j and takes
    f(z) - sum_j c_j df_j, sample by sample. The normal equations are scaled to a unit diagonal
    before a ridge of a few rounding units is added, so scaling z and f changes nothing, and a singular
    system costs accuracy, never an exception. An absolute ridge would turn the weights uniform once
    residuals are smaller than it.

    Source: D. G. Anderson (1965), "Iterative procedures for nonlinear integral equations"; in the form of
    H. F. Walker and P. Ni (2011), "Anderson acceleration for fixed-point iterations".
    """

    memory: Annotated[int, Field(ge=1, description="Past changes that are mixed.")] = 5
    damping: Annotated[
        float, Field(gt=0, le=1, description="Share of the mixed residual that is added; 1 is all.")
    ] = 1.0

    def init(self, f: Map, z0: Tensor) -> AndersonState:
        """Evaluate the start; no history."""
        none = z0.new_empty(z0.shape[0], 0, z0[0].numel())
        return AndersonState(z0, f(z0), none, none)

    def step(self, f: Map, state: AndersonState) -> AndersonState:
        """Mix, then evaluate; one call."""
        value, gap = flat_rows(state.fz), flat_rows(state.fz - state.z)
        mixed = value if self.damping == 1 else value - (1 - self.damping) * gap
        if state.bends.shape[1]:
            weights = mixing_weights(state.bends, gap).unsqueeze(1)  # (B, 1, k)
            mixed = mixed - (weights @ state.moves).squeeze(1)
            if self.damping != 1:
                mixed = mixed + (1 - self.damping) * (weights @ state.bends).squeeze(1)
        z = mixed.view_as(state.z)
        fz = f(z)
        move, bend = flat_rows(fz) - value, flat_rows(fz - z) - gap
        return AndersonState(z, fz, self._keep(state.moves, move), self._keep(state.bends, bend))

    def _keep(self, history: Tensor, column: Tensor) -> Tensor:
        return torch.cat(
            (history[:, -(self.memory - 1) :] if self.memory > 1 else history[:, :0], column.unsqueeze(1)), 1
        )


RIDGE = 10.0
"""Ridge on the unit diagonal of the normal equations, in rounding units of the state's type."""


def mixing_weights(columns: Tensor, target: Tensor) -> Tensor:
    """Return the weights of the columns nearest to the target in least squares, (B, k).

    Args:
        columns: (B, k, d).
        target: (B, d).
    """
    both = torch.cat((columns, target.unsqueeze(1)), 1)
    products = columns @ both.mT  # (B, k, k + 1)
    k = columns.shape[1]
    wide = products.double()  # the system is tiny; squaring has cost half the digits already
    gram, right = wide[..., :k], wide[..., k]
    length = gram.diagonal(dim1=1, dim2=2).sqrt()
    scale = torch.where(length > 0, length, 1.0).reciprocal()
    gram = gram * scale.unsqueeze(1) * scale.unsqueeze(2)
    ridge = RIDGE * torch.finfo(columns.dtype).eps
    gram = gram + ridge * torch.eye(k, dtype=gram.dtype, device=gram.device)
    solution: Tensor = torch.linalg.solve_ex(gram, (right * scale).unsqueeze(2))[0].squeeze(2)
    return (solution * scale).to(columns.dtype)

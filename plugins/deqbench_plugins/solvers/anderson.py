"""Anderson mixing, type II, whose least squares do not depend on the units of the state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import torch
from pydantic import Field

from deqbench_plugins.solvers import one_sample
from deqbench_plugins.solvers.history import (
    SMALL,
    Columns,
    Rows,
    as_state,
    changed,
    combination,
    moved,
    no_columns,
    products,
    remembered,
    rows_like,
    wide_rows,
)
from deqbench_plugins.solvers.tape import Tape

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.solving import Map


class AndersonState(NamedTuple):
    """The point, the map's value, and the last changes of both; none are held at the start."""

    z: Tensor  # (B, *s)
    fz: Tensor  # (B, *s)
    gap: Rows  # f(z) - z, (B, d)
    moves: Columns  # changes of f(z), each (B, d)
    bends: Columns  # changes of the gap, each (B, d)
    gram: Tensor | None  # products of the bends before the newest came, (B, k, k) float64


@dataclass(frozen=True)
class Anderson:
    """Anderson mixing (type II): the next point combines the last ones so that residuals cancel.

    With g = f(z) - z it solves min ||g - sum_j c_j dg_j|| over the last changes dg_j and takes
    f(z) - sum_j c_j df_j, sample by sample. The ridge of the normal equations is a few rounding units of
    each column's own square, so scaling z and f changes nothing, and a singular
    system costs accuracy, never an exception. An absolute ridge would turn the weights uniform once
    residuals are smaller than it.

    Source: D. G. Anderson (1965), "Iterative procedures for nonlinear integral equations"; in the form of
    H. F. Walker and P. Ni (2011), "Anderson acceleration for fixed-point iterations".
    """

    memory: Annotated[int, Field(ge=1, description="Past changes that are mixed.")] = 6
    damping: Annotated[
        float, Field(gt=0, le=1, description="Share of the mixed residual that is added; 1 is all.")
    ] = 1.0

    def init(self, f: Map, z0: Tensor) -> AndersonState:
        """Evaluate the start; no history."""
        fz = f(z0)
        return AndersonState(z0, fz, wide_rows(fz) - wide_rows(z0), (), (), None)

    def step(self, f: Map, state: AndersonState) -> AndersonState:
        """Mix, then evaluate; one call."""
        before, bends, moves = state.gap, state.bends, state.moves
        if len(bends) == 0:
            before = remembered(state.z, before)
            bends = moves = no_columns(before)
        value = rows_like(state.fz, before)
        mixed = value if self.damping == 1 else moved(value, before, self.damping - 1)
        gram = None
        if len(bends) > 0:
            gram = _grown(state.gram, bends, state.z)
            weights = mixing_weights(*normal_equations(bends, before, gram, _ridge(state.z)))
            mixed = combination(mixed, moves, weights, -1)
            if self.damping != 1:
                mixed = combination(mixed, bends, weights, 1 - self.damping)
        z = as_state(mixed, state.z)
        fz = f(z)
        after = rows_like(fz, before)
        gap = moved(after, rows_like(z, before), -1)
        bends = changed(bends, gap, before, self.memory)
        moves = changed(moves, after, value, self.memory)
        return AndersonState(z, fz, gap, moves, bends, gram)


RIDGE = 10.0
"""Ridge, in rounding units of the state's type, of each diagonal entry of the normal equations."""
NOT_ZERO = 1e-300
"""Added to that entry, so that a column that is zero gets the weight zero."""


def _ridge(z: Tensor) -> float:
    return 1 + RIDGE * torch.finfo(z.dtype).eps


def normal_equations(
    columns: Columns, target: Rows, gram: Tensor | None = None, ridge: float = 1.0
) -> tuple[Any, Any]:
    """Return the columns' products, (B, k, k), and theirs with the target, (B, k), in float64.

    Args:
        columns: Each (B, d).
        target: (B, d).
        gram: The products, if they are known, with their ridge.
        ridge: Factor of the diagonal, > 1.
    """
    if isinstance(target, one_sample.Row):
        return one_sample.gram(columns, ridge, NOT_ZERO), one_sample.products(columns, target)
    if gram is not None:
        return gram, products(columns, target).double()
    k = len(columns)
    both = torch.stack((*columns, target), 1)
    # The system is tiny; squaring has cost half the digits already.
    found = torch.bmm(both[:, :k], both.mT).double()
    gram, right = found[..., :k], found[..., k]
    gram.diagonal(dim1=1, dim2=2).mul_(ridge).add_(NOT_ZERO)
    return gram, right


def _grown(gram: Tensor | None, bends: Columns, z: Tensor) -> Tensor | None:
    """Return the products with those of the newest bend added and those of the dropped ones left out."""
    ridge = _ridge(z)
    if isinstance(bends, Tape):
        return bends.gram(gram, ridge, NOT_ZERO)
    if z.numel() <= SMALL:
        return None
    row: Tensor = products(bends, bends[-1]).double()  # (B, k + 1)
    corner = row[:, -1:] * ridge + NOT_ZERO
    k = len(bends) - 1
    if gram is None or k == 0:
        return corner.unsqueeze(2)
    tall = torch.cat((gram[:, -k:, -k:], row[:, :k].unsqueeze(1)), 1)
    last = torch.cat((row[:, :k], corner), 1)
    return torch.cat((tall, last.unsqueeze(2)), 2)


def mixing_weights(gram: Any, right: Any) -> Any:
    """Return the weights of the columns nearest to a target in least squares, (B, k) float64.

    Args:
        gram: Products of the columns, (B, k, k) float64, with their ridge.
        right: Products of the columns with the target, (B, k) float64.
    """
    if isinstance(gram, one_sample.Row):
        return one_sample.solution(gram, right)
    return torch.linalg.solve_ex(gram, right.unsqueeze(2))[0].squeeze(2)

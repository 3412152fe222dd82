"""Anderson mixing, type II, whose least squares do not depend on the units of the state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import torch
from pydantic import Field

from deqbench.equilibria.arrays import numbers
from deqbench_plugins.solvers import one_sample
from deqbench_plugins.solvers.history import (
    SMALL,
    Columns,
    Rows,
    as_state,
    changed,
    combination,
    moved,
    products,
    readable,
    remembered,
    rows_like,
    wide_rows,
)
from deqbench_plugins.solvers.tape import NOT_ZERO, Tape

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.solving import Map


class TapedState(NamedTuple):
    """The point, the map's value, and what is remembered of a batch on the CPU."""

    z: Tensor  # (B, *s)
    fz: Tensor  # (B, *s)
    tape: Tape


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

    def step(self, f: Map, state: AndersonState | TapedState) -> AndersonState | TapedState:
        """Mix, then evaluate; one call."""
        if isinstance(state, TapedState):
            return self._step_taped(f, state)
        before, bends, moves = state.gap, state.bends, state.moves
        if len(bends) == 0:
            before = remembered(state.z, before)
            if not isinstance(before, one_sample.Row) and readable(before):
                tape = Tape(numbers(before), numbers(wide_rows(state.fz)))
                return self._step_taped(f, TapedState(state.z, state.fz, tape))
        value = rows_like(state.fz, before)
        mixed = value if self.damping == 1 else moved(value, before, self.damping - 1)
        gram = None
        if len(bends) > 0:
            weights, gram = mixing_weights(bends, before, state.gram, _ridge(state.z))
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

    def _step_taped(self, f: Map, state: TapedState) -> TapedState:
        """Do the same with what a tape remembers."""
        mixed, gram = state.tape.mixed(self.damping, _ridge(state.z))
        z = as_state(mixed, state.z)
        fz = f(z)
        return TapedState(z, fz, state.tape.followed(wide_rows(z), wide_rows(fz), gram, self.memory))


RIDGE = 10.0
"""Ridge, in rounding units of the state's type, of each diagonal entry of the normal equations."""


def _ridge(z: Tensor) -> float:
    return 1 + RIDGE * torch.finfo(z.dtype).eps


def mixing_weights(
    columns: Columns, target: Rows, known: Tensor | None = None, ridge: float = 1.0
) -> tuple[Any, Tensor | None]:
    """Return the weights of the columns nearest to a target in least squares, (B, k) float64.

    Also what the next call is to know: the products of the columns, (B, k, k) float64, with their ridge;
    None where they are computed anew each time.

    Args:
        columns: Each (B, d).
        target: (B, d).
        known: The products of the columns before the newest came; None: there were none, or none are kept.
        ridge: Factor of each column's own square, > 1.
    """
    if isinstance(target, one_sample.Row):
        system = one_sample.gram(columns, ridge, NOT_ZERO)
        return one_sample.solution(system, one_sample.products(columns, target)), None
    if target.numel() <= SMALL:
        return _solution(*_normal_equations(columns, target, ridge)), None
    gram = _grown(known, columns, ridge)
    return _solution(gram, products(columns, target).double()), gram


def _normal_equations(columns: Columns, target: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """Return the columns' products, (B, k, k), and theirs with the target, (B, k), in float64."""
    k = len(columns)
    both = torch.stack((*columns, target), 1)
    # The system is tiny; squaring has cost half the digits already.
    found = torch.bmm(both[:, :k], both.mT).double()
    gram, right = found[..., :k], found[..., k]
    gram.diagonal(dim1=1, dim2=2).mul_(ridge).add_(NOT_ZERO)
    return gram, right


def _grown(known: Tensor | None, columns: Columns, ridge: float) -> Tensor:
    """Return the products with those of the newest column added and those of the dropped ones left out."""
    row: Tensor = products(columns, columns[-1]).double()  # (B, k + 1)
    corner = row[:, -1:] * ridge + NOT_ZERO
    k = len(columns) - 1
    if known is None or k == 0:
        return corner.unsqueeze(2)
    tall = torch.cat((known[:, -k:, -k:], row[:, :k].unsqueeze(1)), 1)
    last = torch.cat((row[:, :k], corner), 1)
    return torch.cat((tall, last.unsqueeze(2)), 2)


def _solution(gram: Tensor, right: Tensor) -> Tensor:
    """Return gram^-1 right, (B, k); a singular system costs its own sample's weights, never an exception."""
    found: Tensor = torch.linalg.solve_ex(gram, right.unsqueeze(2))[0]
    return found.squeeze(2)

"""Anderson mixing, type I, with the safeguards that make it globally convergent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple

import torch
from pydantic import Field

from deqbench_plugins.solvers.history import lengths, wide_rows

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.solving import Map


class TypeOneState(NamedTuple):
    """The point, the map's value, and H = I + sum p_j q_j^T, the inverse of I - J that the past suggests.

    Columns of zeros are forgotten ones. The gap is z - f(z).
    """

    z: Tensor  # (B, *s)
    fz: Tensor  # (B, *s)
    before: Tensor  # the point before, (B, d)
    gap: Tensor  # the gap there, (B, d)
    ahead: Tensor  # H gap there, (B, d)
    units: Tensor  # past steps made orthonormal, (B, k, d)
    left: Tensor  # p_j, (B, k, d)
    right: Tensor  # q_j, (B, k, d)
    used: Tensor  # steps since the last restart, (B, 1)
    mixed: Tensor  # steps that passed the safeguard, (B, 1)
    first: Tensor  # ||gap|| at the start, (B, 1)


@dataclass(frozen=True)
class AndersonTypeOne:
    """Anderson mixing, type I: a quasi-Newton method that inverts the least change of I - J, z <- z - H gap.

    Three safeguards, sample by sample: an update that would make the estimate of I - J nearly singular is
    mixed with the estimate before (Powell); the history is dropped when it is full or the steps in it turn
    dependent; and where ||gap|| exceeds ``safeguard`` ||gap_0|| / (n + 1), n mixed steps done, a damped
    step of the map is taken instead. For a nonexpansive map that has a fixed point the source proves
    convergence.

    Differs from it: the first step is the map's own, undamped, and after a damped step the history goes on
    from the point reached, not from the one refused, which would cost a second call.

    Source: J. Zhang, B. O'Donoghue, S. Boyd (2020), "Globally convergent type-I Anderson acceleration for
    nonsmooth fixed-point iterations", SIAM J. Optim. 30(4); arXiv 1808.03971.
    """

    memory: Annotated[int, Field(ge=1, description="Steps kept until a restart.")] = 5
    regularisation: Annotated[
        float, Field(gt=0, lt=1, description="Least curvature along a step, over that of the estimate.")
    ] = 0.01
    independence: Annotated[
        float, Field(gt=0, lt=1, description="Least share of a step that is new to the history.")
    ] = 0.001
    safeguard: Annotated[
        float, Field(gt=0, description="Growth of the residual at which mixing gives way to damping.")
    ] = 1e6
    damping: Annotated[float, Field(gt=0, le=1, description="Share of a damped step that is taken.")] = 0.1

    def init(self, f: Map, z0: Tensor) -> TypeOneState:
        """Evaluate the start; no history."""
        fz = f(z0)
        point, gap = _point_and_gap(z0, fz)
        none, zero = point.new_empty(len(point), 0, point.shape[1]), point.new_zeros(len(point), 1)
        return TypeOneState(z0, fz, point, gap, gap, none, none, none, zero, zero, lengths(gap))

    def step(self, f: Map, state: TypeOneState) -> TypeOneState:
        """Learn from the last step, then take the next; one call."""
        point, gap = _point_and_gap(state.z, state.fz)
        step = point - state.before
        state, new = self._restart(state, step)
        square = (new * new).sum(1, keepdim=True)
        safe = torch.where(square > 0, square, torch.inf).reciprocal()
        ahead = gap + _product(state.right, gap, state.left)
        right = new + _product(state.left, new, state.right)  # H^T new
        image = ahead - state.ahead  # H times the change of the gap
        curvature = (new * image).sum(1, keepdim=True) * safe
        weight = self._weight(curvature)
        # The source's s - H y' is weight (s - H y), for it mixes y with the y that H maps to s.
        left = (step - image) * (weight * safe / (weight * curvature + 1 - weight))
        ahead = ahead + left * (right * gap).sum(1, keepdim=True)
        mix = lengths(gap) <= self.safeguard * state.first / (state.mixed + 1)
        following = point - torch.where(mix, ahead, self.damping * gap)
        z = following.to(state.z.dtype).view_as(state.z)
        return TypeOneState(
            z,
            f(z),
            point,
            gap,
            ahead,
            self._keep(state.units, new * safe.sqrt()),
            self._keep(state.left, left),
            self._keep(state.right, right),
            state.used + (square > 0),
            state.mixed + mix,
            state.first,
        )

    def _restart(self, state: TypeOneState, step: Tensor) -> tuple[TypeOneState, Tensor]:
        """Drop the history of the rows that must; return also the part of the step that is new to it."""
        new = step - _product(state.units, step, state.units)
        drop = (state.used >= self.memory) | (lengths(new) < self.independence * lengths(step))
        kept = (~drop).to(step.dtype)
        history = kept.unsqueeze(2)
        dropped = state._replace(
            ahead=torch.where(drop, state.gap, state.ahead),
            units=state.units * history,
            left=state.left * history,
            right=state.right * history,
            used=state.used * kept,
        )
        return dropped, torch.where(drop, step, new)

    def _weight(self, curvature: Tensor) -> Tensor:
        """Return Powell's weight of the new curvature: 1 where that is far enough from 0, (B, 1)."""
        bound = torch.full_like(curvature, self.regularisation)
        bound = torch.where(curvature < 0, -bound, bound)
        mixed = (1 - bound) / (1 - curvature)
        return torch.where(curvature.abs() >= self.regularisation, torch.ones_like(mixed), mixed)

    def _keep(self, history: Tensor, column: Tensor) -> Tensor:
        oldest = max(history.shape[1] - self.memory + 1, 0)
        return torch.cat((history[:, oldest:], column.unsqueeze(1)), 1)


def _point_and_gap(z: Tensor, fz: Tensor) -> tuple[Tensor, Tensor]:
    """Return z and z - f(z) as rows, in float32 if the state is in half precision."""
    point = wide_rows(z)
    return point, point - wide_rows(fz)


def _product(inner: Tensor, v: Tensor, outer: Tensor) -> Tensor:
    """Return sum_j outer_j (inner_j . v), (B, d), for columns (B, k, d)."""
    return ((inner @ v.unsqueeze(2)).mT @ outer).squeeze(1)

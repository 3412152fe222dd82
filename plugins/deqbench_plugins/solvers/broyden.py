"""Good Broyden with limited memory, in the form that stores nothing but its own steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple

import torch
from pydantic import Field
from torch.nn.functional import pad

from deqbench_plugins.solvers.history import SMALL, combination, products, wide_rows

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.solving import Map

GROWTH = 1e4
"""Growth of ||f(z) - z|| over its least value so far beyond which a sample forgets its history."""


class BroydenState(NamedTuple):
    """The point, the map's value, and the steps since the last restart; the last is still to be taken."""

    z: Tensor  # (B, *s)
    fz: Tensor  # (B, *s)
    steps: tuple[Tensor, ...]  # k + 1 of them, each (B, d)
    shares: Tensor  # 1 / ||step||^2 of each, (B, k + 1); 0 where the factor is forgotten
    least: Tensor  # least ||f(z) - z||^2 so far, (B, 1)
    chain: Tensor | None  # what each factor sees of the ones before it, negated, (B, k, k); small states


@dataclass(frozen=True)
class Broyden:
    """Good Broyden on f(z) - z = 0, from the inverse Jacobian I, restarted when its memory is full.

    With full steps s_0, s_1, ... the inverse is the product of the factors
    I + s_{j+1} s_j^T / ||s_j||^2, so memory + 1 states are all it holds, whatever the limit of calls,
    and fewer while fewer steps were taken.
    A sample whose update is singular or not finite, or whose residual has leapt, starts its history anew
    from a plain step.

    Source: C. G. Broyden (1965), "A class of methods for solving nonlinear simultaneous equations"; the
    storage is C. T. Kelley's (1995), "Iterative Methods for Linear and Nonlinear Equations", chapter 7.
    """

    memory: Annotated[int, Field(ge=1, description="Updates kept until a restart.")] = 64

    def init(self, f: Map, z0: Tensor) -> BroydenState:
        """Evaluate the start; the first step is the map's own."""
        fz = f(z0)
        step = wide_rows(fz) - wide_rows(z0)
        return _started(z0, fz, step, _square(step))

    def step(self, f: Map, state: BroydenState) -> BroydenState:
        """Take the step at hand, then find the next; one call."""
        steps, shares = state.steps, state.shares
        z = (wide_rows(state.z) + steps[-1]).to(state.z.dtype).view_as(state.z)
        fz = f(z)
        gap = wide_rows(fz) - wide_rows(z)
        square = _square(gap)  # 0 for a sample that is held, and ever after: it forgets nothing
        least = torch.minimum(state.least, square)
        if len(steps) > self.memory:
            return _started(z, fz, gap, least)
        ahead = _ahead(state, gap)
        share = 1 - torch.linalg.vecdot(steps[-1], ahead).unsqueeze(1) * shares[:, -1:]
        sound = (share.abs() > 10 * torch.finfo(gap.dtype).eps) & (square <= GROWTH**2 * least)
        following = torch.where(sound, ahead / share, gap)
        shares = torch.cat((shares * sound, _share(following)), 1)
        steps = (*steps, following)
        return BroydenState(z, fz, steps, shares, least, _chained(state))

    def inverse_transposed(self, state: BroydenState, v: Tensor) -> Tensor:
        """Return H^T v, H the estimate of (I - J)^-1: its factors transposed, the last one first."""
        u = wide_rows(v)
        for k in reversed(range(len(state.steps) - 1)):
            share = torch.linalg.vecdot(state.steps[k + 1], u).unsqueeze(1) * state.shares[:, k : k + 1]
            u = torch.addcmul(u, state.steps[k], share)
        return u.to(v.dtype).view_as(v)


def _ahead(state: BroydenState, gap: Tensor) -> Tensor:
    """Return the product of the factors with f(z) - z, (B, d)."""
    steps, shares, k = state.steps, state.shares, len(state.steps) - 1
    if state.chain is not None and k > 1:
        # All at once: factor j sees the gap and what the factors before it have added of s_1, ..., s_j.
        seen = (products(steps[:k], gap) * shares[:, :k]).unsqueeze(2)
        parts = torch.linalg.solve_triangular(state.chain, seen, upper=False, unitriangular=True)
        return combination(gap, steps[1:], parts.squeeze(2))
    for j in range(k):
        share = torch.linalg.vecdot(steps[j], gap).unsqueeze(1) * shares[:, j : j + 1]
        gap = torch.addcmul(gap, steps[j + 1], share)
    return gap


def _chained(state: BroydenState) -> Tensor | None:
    """Return the chain with the factor whose step has just been taken: s_j s_{i+1} / ||s_j||^2, for i < j.

    A factor that is forgotten sees nothing, and so do all before it: the chain need not forget them.
    """
    steps, chain = state.steps, state.chain
    newest, k = steps[-1], len(steps) - 1
    if newest.numel() > SMALL or (chain is None and k > 0):
        return None  # a batch that was large and has shrunk goes on as it was
    if chain is None:
        return newest.new_zeros(newest.shape[0], 1, 1)
    row = products(steps[1:], newest) * -state.shares[:, -1:]
    return torch.cat((pad(chain, (0, 1)), pad(row, (0, 1)).unsqueeze(1)), 1)


def _started(z: Tensor, fz: Tensor, step: Tensor, least: Tensor) -> BroydenState:
    return BroydenState(z, fz, (step,), _share(step), least, None)


def _share(step: Tensor) -> Tensor:
    """Return 1 / ||step||^2 of each row, (B, 1); of a step that is zero a number that is finite."""
    return _square(step).clamp_min(4 * torch.finfo(step.dtype).tiny).reciprocal()


def _square(x: Tensor) -> Tensor:
    """Return ||x||^2 of each row, (B, 1)."""
    square: Tensor = torch.linalg.vecdot(x, x).unsqueeze(1)
    return square

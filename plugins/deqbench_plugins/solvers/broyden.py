"""Good Broyden with limited memory, in the form that stores nothing but its own steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch.nn.functional import pad

from deqbench.equilibria.arrays import numbers, quiet
from deqbench_plugins.solvers import one_sample
from deqbench_plugins.solvers.factors import Factors
from deqbench_plugins.solvers.history import (
    SMALL,
    Columns,
    Rows,
    alone,
    appended,
    as_state,
    combination,
    moved,
    products,
    readable,
    rows_like,
    wide_rows,
)

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.solving import Map

GROWTH = 1e3
"""Growth of ||f(z) - z|| over its least value so far beyond which a sample forgets its history."""


class BroydenState(NamedTuple):
    """The point, the map's value, and the steps since the last restart; the last is still to be taken."""

    z: Tensor  # (B, *s)
    fz: Tensor  # (B, *s)
    steps: Columns  # k + 1 of them, each (B, d)
    shares: Tensor | None  # 1 / ||step||^2 of each, (B, k + 1); 0 where the factor is forgotten
    least: Any  # least ||f(z) - z||^2 so far, (B, 1)
    chain: Any  # what each factor sees of the ones before it, negated, (B, k, k); small states
    # Of one sample alone ``least`` is a number, and ``chain``, (k, k), has ||step||^2 on its diagonal
    # instead of being divided by it.


class FactoredState(NamedTuple):
    """The same of a batch on the CPU, whose steps lie in one piece of memory."""

    z: Tensor  # (B, *s)
    fz: Tensor  # (B, *s)
    factors: Factors
    least: Tensor  # least ||f(z) - z||^2 so far, (B, 1)


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

    memory: Annotated[int, Field(ge=1, description="Updates kept until a restart.")] = 32

    def init(self, f: Map, z0: Tensor) -> BroydenState:
        """Evaluate the start; the first step is the map's own."""
        fz = f(z0)
        step = wide_rows(fz) - wide_rows(z0)
        return _started(z0, fz, step, _square(step))

    def step(self, f: Map, state: BroydenState | FactoredState) -> BroydenState | FactoredState:
        """Take the step at hand, then find the next; one call."""
        if isinstance(state, BroydenState) and len(state.steps) == 1:
            state = _remembered(state, self.memory)
        if isinstance(state, FactoredState):
            ahead = torch.from_numpy(state.factors.newest)
            z = as_state(moved(wide_rows(state.z), ahead), state.z)
            return _factored(state, z, f(z), self.memory)
        newest = state.steps[-1]
        z = as_state(moved(rows_like(state.z, newest), newest), state.z)
        fz = f(z)
        gap = moved(rows_like(fz, newest), rows_like(z, newest), -1)
        square = _square(gap)  # 0 for a sample that is held, and ever after: it forgets nothing
        least = _lesser(state.least, square)
        if len(state.steps) > self.memory:
            return _started(z, fz, gap, least)
        ahead, share, chain = _ahead(state, gap)
        sound = (abs(share) > 10 * _rounding(gap)) & (square <= GROWTH**2 * least)
        if state.shares is None:
            if not sound:
                return _started(z, fz, gap, least)
            following: Rows = one_sample.scaled(ahead, 1 / share)
            shares = None
        else:
            following = torch.where(sound, ahead / share, gap)
            shares = torch.cat((state.shares * sound, _share(following)), 1)
        steps = appended(state.steps, following, len(state.steps) + 1)
        return BroydenState(z, fz, steps, shares, least, chain)

    def inverse_transposed(self, state: BroydenState | FactoredState, v: Tensor) -> Tensor:
        """Return H^T v, H the estimate of (I - J)^-1: its factors transposed, the last one first."""
        if isinstance(state, FactoredState) or isinstance(state.steps, one_sample.Row):
            state = _of_tensors(state)
        u = wide_rows(v)
        steps: tuple[Tensor, ...] = state.steps
        assert state.shares is not None, "only one sample alone has none"
        for k in reversed(range(len(steps) - 1)):
            share = torch.linalg.vecdot(steps[k + 1], u).unsqueeze(1) * state.shares[:, k : k + 1]
            u = torch.addcmul(u, steps[k], share)
        return u.to(v.dtype).view_as(v)


def _ahead(state: BroydenState, gap: Rows) -> tuple[Rows, Any, Any]:
    """Return the product of the factors with f(z) - z, what the next step is less than it, and the chain."""
    if isinstance(gap, one_sample.Row):
        return _ahead_alone(state, gap)
    steps, shares, k = state.steps, state.shares, len(state.steps) - 1
    assert shares is not None, "only one sample alone has none"
    ahead = gap
    if state.chain is not None and k > 1:
        # All at once: factor j sees the gap and what the factors before it have added of s_1, ..., s_j.
        seen = (products(steps[:k], gap) * shares[:, :k]).unsqueeze(2)
        parts = torch.linalg.solve_triangular(state.chain, seen, upper=False, unitriangular=True)
        ahead = combination(gap, steps[1:], parts.squeeze(2))
    else:
        for j in range(k):
            part = torch.linalg.vecdot(steps[j], ahead).unsqueeze(1) * shares[:, j : j + 1]
            ahead = torch.addcmul(ahead, steps[j + 1], part)
    share = 1 - torch.linalg.vecdot(steps[-1], ahead).unsqueeze(1) * shares[:, -1:]
    return ahead, share, _chained(state)


def _ahead_alone(state: BroydenState, gap: Rows) -> tuple[Rows, float, Any]:
    """Return the same of one sample: what the newest step's own factor sees is one more unknown."""
    steps, k = state.steps, len(state.steps) - 1
    seen = one_sample.products(steps, steps[k])
    chain = one_sample.bordered(state.chain, seen[1:], max(seen[k], 4 * one_sample.tiny(steps)))
    parts = one_sample.forward_substitution(chain, one_sample.products(steps, gap))
    ahead = one_sample.combination(gap, steps[1:], parts[:k], 1.0) if k else gap
    return ahead, 1 - float(parts[k]), chain


def _chained(state: BroydenState) -> Tensor | None:
    """Return the chain with the factor whose step has just been taken: s_j s_{i+1} / ||s_j||^2, for i < j.

    A factor that is forgotten sees nothing, and so do all before it: the chain need not forget them.
    """
    steps, chain = state.steps, state.chain
    newest, k = steps[-1], len(steps) - 1
    if newest.numel() > SMALL or (chain is None and k > 0):
        return None  # a batch that was large and has shrunk goes on as it was
    if chain is None:
        found: Tensor = newest.new_zeros(newest.shape[0], 1, 1)
        return found
    assert state.shares is not None, "only one sample alone has none"
    row = products(steps[1:], newest) * -state.shares[:, -1:]
    return torch.cat((pad(chain, (0, 1)), pad(row, (0, 1)).unsqueeze(1)), 1)


def _started(z: Tensor, fz: Tensor, step: Rows, least: Any) -> BroydenState:
    shares = None if isinstance(step, one_sample.Row) else _share(step)
    return BroydenState(z, fz, (step,), shares, least, None)


def _remembered(state: BroydenState, memory: int) -> BroydenState | FactoredState:
    """Return a state of one step in the form it is to be remembered in."""
    step = state.steps[0]
    if isinstance(step, one_sample.Row):
        return state._replace(steps=step[None], shares=None, least=float(state.least))
    if alone(state.z):
        rows = one_sample.row(step)
        return state._replace(steps=rows[None], shares=None, least=float(state.least))
    # The chain of a batch of short states would take more memory than they do.
    if readable(step) and memory <= step.shape[1]:
        return FactoredState(state.z, state.fz, Factors.of(numbers(step), memory + 1), state.least)
    return state


@quiet
def _factored(state: FactoredState, z: Tensor, fz: Tensor, memory: int) -> FactoredState:
    """Return the state whose step has been taken, to z and f(z), and the step that follows."""
    gap = np.subtract(numbers(wide_rows(fz)), numbers(wide_rows(z)))
    square = np.vecdot(gap, gap)[:, None]
    least = np.minimum(numbers(state.least), square)
    if len(state.factors) > memory:
        return FactoredState(z, fz, Factors.of(gap, memory + 1), torch.from_numpy(least))
    ahead, share, shares = state.factors.ahead(gap)
    sound = (np.abs(share) > 10 * np.finfo(gap.dtype).eps) & (square <= GROWTH**2 * least)
    factors = state.factors.followed(ahead, share, gap, sound, shares)
    return FactoredState(z, fz, factors, torch.from_numpy(least))


def _of_tensors(state: BroydenState | FactoredState) -> BroydenState:
    """Return a state whose steps are arrays, or lie in one piece of memory, in the form of any other."""
    if isinstance(state, FactoredState):
        steps = tuple(torch.from_numpy(step) for step in state.factors.steps)
        shares = torch.from_numpy(state.factors.shares)
        return BroydenState(state.z, state.fz, steps, shares, state.least, None)
    steps = tuple(torch.from_numpy(step[None]) for step in state.steps)
    return state._replace(steps=steps, shares=torch.cat([_share(step) for step in steps], 1), chain=None)


def _rounding(rows: Rows) -> float:
    return one_sample.rounding(rows) if isinstance(rows, one_sample.Row) else torch.finfo(rows.dtype).eps


def _lesser(least: Any, square: Any) -> Any:
    return min(least, square) if isinstance(square, float) else torch.minimum(least, square)


def _share(step: Tensor) -> Tensor:
    """Return 1 / ||step||^2 of each row, (B, 1); of a step that is zero a number that is finite."""
    share: Tensor = _square(step).clamp_min(4 * torch.finfo(step.dtype).tiny).reciprocal()
    return share


def _square(x: Rows) -> Any:
    """Return ||x||^2 of each row, (B, 1), or of the one sample."""
    if isinstance(x, one_sample.Row):
        return one_sample.square(x)
    return torch.linalg.vecdot(x, x).unsqueeze(1)

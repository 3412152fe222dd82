"""The adjoint equation u = J^T u + g as a map: products along one recorded graph, g of unit length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from deqbench.equilibria.arrays import numbers, quiet
from deqbench.equilibria.maps import Function, Map, flat_rows

if TYPE_CHECKING:
    from deqbench.equilibria.problems import Problem

_ENGINE: Any = torch.autograd.Variable._execution_engine
_SQUARED = {kind: torch.finfo(kind).tiny ** 0.5 for kind in (torch.float32, torch.float64)}
"""Lengths above this, and below its inverse, are summed from squares that stay in the range of their type."""


def unit_rows(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradient scaled to unit length in each sample, and the lengths, (B, 1, ...).

    The lengths are detached; a zero row stays zero, with length 1.
    """
    length, _ = row_lengths(gradient)
    return gradient / length, length


def row_lengths(gradient: Tensor) -> tuple[Tensor, float]:
    """Return the length of each sample's gradient, (B, 1, ...), 1 where it is 0, and the greatest, or 0.

    Of one sample alone the length may have the shape ().

    One synchronisation, or two where squares leave the type's range.
    """
    if gradient.shape[0] == 1 and gradient.dtype in _SQUARED:
        only = torch.linalg.vector_norm(gradient.detach())
        single = only.item()
        least = _SQUARED[gradient.dtype]
        if least < single < 1 / least:
            return only, single
    rows = flat_rows(gradient.detach())
    if rows.shape[0] == 0:
        return gradient.new_ones(()), 0.0
    if rows.is_cpu and rows.dtype in _SQUARED:
        found = _lengths_on_host(rows)
        if found is not None:
            return found[0].reshape(-1, *[1] * (gradient.dim() - 1)), found[1]
    half = rows.dtype in (torch.float16, torch.bfloat16)
    length: Tensor = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float32 if half else None)
    low, high = _least_and_greatest(length)
    least = torch.finfo(length.dtype).tiny ** 0.5
    if not least < low <= high < 1 / least:
        # A row is zero, or so small or large that its squares are not to be trusted.
        largest = rows.abs().amax(1, keepdim=True).to(length.dtype)
        largest = torch.where(largest > 0, largest, 1.0)
        length = torch.linalg.vector_norm(rows / largest, dim=1) * largest.squeeze(1)
        high = float(length.max())
        length = torch.where(length > 0, length, 1.0)
    return length.to(gradient.dtype).reshape(-1, *[1] * (gradient.dim() - 1)), high


@quiet
def _lengths_on_host(rows: Tensor) -> tuple[Tensor, float] | None:
    """Return the lengths of rows (B, d), (B,), and the greatest; None if squares leave the type's range."""
    values = numbers(rows)
    lengths = np.sqrt(np.vecdot(values, values))
    low, high = float(lengths[lengths.argmin()]), float(lengths[lengths.argmax()])  # a NaN is either
    least = _SQUARED[rows.dtype]
    return (torch.from_numpy(lengths), high) if least < low <= high < 1 / least else None


def _least_and_greatest(values: Tensor) -> tuple[float, float]:
    if values.numel() == 1:
        only = values.item()
        return only, only
    low, high = torch.stack(values.aminmax()).tolist()
    return low, high


class Pullback:
    """u -> J^T u + g through one recorded graph of f; narrowing to some rows records it anew.

    Args:
        leaf: Where f was called, (B, *s).
        fz: What it returned, attached to the leaf.
        problem: Whose map f is; calls for narrowed graphs are charged to its ledger.
    """

    traceable = False  # autograd.grad along a recorded graph is no graph of its own

    def __init__(self, leaf: Tensor, fz: Tensor, problem: Problem) -> None:
        self.leaf, self.fz, self.problem = leaf, fz, problem
        # keep_graph, create_graph, inputs, allow_unreachable, accumulate_grad
        self.options = (True, False, (leaf,), True, False)

    def __call__(self, u: Tensor, gradient: Tensor) -> Tensor:
        """Return J^T u + g."""
        found = _ENGINE.run_backward((self.fz,), (u,), *self.options)[0]
        return gradient.clone() if found is None else found + gradient

    def linear(self, v: Tensor) -> Tensor:
        """Return J^T v."""
        # torch.autograd.grad, less its checks of the arguments, which take longer than a small product.
        found = _ENGINE.run_backward((self.fz,), (v,), *self.options)[0]
        return torch.zeros_like(v) if found is None else found

    def rows(self, index: Tensor) -> Function:
        """Return the pull-back of the samples of ``index``: one call on them, far cheaper products."""
        f = Map(self.problem.f.function, self.problem.f.inputs)
        if not f.inputs:
            return _PartialPullback(self, index)
        narrowed = f.rows(index)
        leaf, fz = narrowed.linearise(self.leaf.detach().index_select(0, index))
        self.problem.ledger.backward.add_calls(f.counter)
        return Pullback(leaf, fz, self.problem.narrowed(narrowed))


class _PartialPullback:
    """The pull-back of some rows of a map that cannot be narrowed: the others are fed zeros."""

    traceable = False

    def __init__(self, whole: Pullback, index: Tensor) -> None:
        self.whole, self.index = whole, index

    def __call__(self, u: Tensor, gradient: Tensor) -> Tensor:
        full = torch.zeros_like(self.whole.leaf).index_copy(0, self.index, u)
        return self.whole.linear(full).index_select(0, self.index) + gradient

    def rows(self, index: Tensor) -> Function:
        """Return the pull-back of fewer rows still."""
        return _PartialPullback(self.whole, self.index[index])

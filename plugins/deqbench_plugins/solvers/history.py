"""Products with, and combinations of, the columns that a quasi-Newton solver remembers.

They have two forms: a tuple of tensors, stacked for each product where states are so small that the number of
operations decides, and of one small sample alone on the CPU :mod:`deqbench_plugins.solvers.one_sample`'s
arrays. A solver chooses when it first remembers something. What is remembered of a batch on the CPU, where
torch need not see every operation, has a room of its own: a :class:`~deqbench_plugins.solvers.tape.Tape`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from deqbench.equilibria.solving import flat_rows
from deqbench_plugins.solvers import one_sample
from deqbench_plugins.solvers.one_sample import Row

if TYPE_CHECKING:
    from torch import Tensor

SMALL = 2**13
"""Entries of a batch of states up to which columns are stacked; measured on a CPU."""

Rows = Any
"""Wide rows: a tensor (B, d), or for one small state alone an array (d,)."""
Columns = Any
"""Rows that are remembered: a tuple of k tensors (B, d), or an array (k, d)."""


def wide_rows(x: Tensor) -> Tensor:
    """Return x, (B, *s), as (B, d), in float32 where it is of half precision: sums need the digits."""
    flat = x if x.dim() == 2 else flat_rows(x)
    return flat.float() if flat.dtype in (torch.float16, torch.bfloat16) else flat


def lengths(x: Tensor) -> Tensor:
    """Return ||x||_2 of each row, (B, 1), for rows (B, d)."""
    norm: Tensor = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return norm


def readable(x: Tensor) -> bool:
    """Whether the numbers of x may be read and written as such, past torch.

    They may not where a graph is recorded, compiled or transformed, or where a dispatch mode watches every
    operation (what counts operations sees none of BLAS), nor off the CPU; half precision has no BLAS.
    """
    if torch.compiler.is_compiling() or torch.is_grad_enabled() or type(x) is not torch.Tensor:
        return False
    if not x.is_cpu or x.dtype not in (torch.float32, torch.float64):
        return False
    if is_in_torch_dispatch_mode():
        return False
    try:
        x.numpy(force=True)
    except RuntimeError:  # what a transform of torch.func or a mode of fake tensors hands in
        return False
    return True


def alone(x: Tensor) -> bool:
    """Whether x is one small sample whose numbers may be read past torch."""
    return x.shape[0] == 1 and 0 < x.numel() <= SMALL and readable(x)


def remembered(x: Tensor, rows: Tensor) -> Rows:
    """Return rows of x in the form they are to be remembered in, at the first step of a history."""
    return one_sample.row(rows) if alone(x) else rows


def rows_like(x: Tensor, like: Rows) -> Rows:
    """Return x, (B, *s), as wide rows of the form of ``like``."""
    return one_sample.row(x) if isinstance(like, Row) else wide_rows(x)


def as_state(rows: Rows, like: Tensor) -> Tensor:
    """Return rows as a state of the shape and type of ``like``."""
    if isinstance(rows, Row):
        return one_sample.state(rows, like)
    same = rows.shape == like.shape and rows.dtype == like.dtype
    found: Tensor = rows if same else rows.to(like.dtype).view_as(like)
    return found


def moved(start: Rows, by: Rows, factor: float = 1) -> Rows:
    """Return start + factor by."""
    if isinstance(start, Row):
        return one_sample.moved(start, by, factor)
    return torch.add(start, by, alpha=factor)


def appended(columns: Columns, newest: Rows, most: int) -> Columns:
    """Return the last columns with the newest, ``most`` >= 1 at most."""
    if isinstance(newest, Row):
        return one_sample.appended(columns, newest, most)
    return (*(columns[1 - most :] if most > 1 else ()), newest)


def changed(columns: Columns, after: Rows, before: Rows, most: int) -> Columns:
    """Return the last columns with the change from ``before`` as the newest, ``most`` >= 1 at most."""
    return appended(columns, moved(after, before, -1), most)


def products(columns: Columns, target: Rows) -> Any:
    """Return the products of each column with the target, (B, k), or (k,) of one sample.

    Args:
        columns: k >= 1 of them.
        target: Rows.
    """
    if isinstance(target, Row):
        return one_sample.products(columns, target)
    if target.numel() <= SMALL:
        return torch.linalg.vecdot(torch.stack(columns, 1), target.unsqueeze(1))
    return torch.stack([torch.linalg.vecdot(column, target) for column in columns], 1)


def combination(start: Rows, columns: Columns, weights: Any, factor: float = 1) -> Rows:
    """Return start + factor sum_j weights_j columns_j, rows.

    Args:
        start: Rows.
        columns: k >= 1 of them.
        weights: (B, k), or (k,) of one sample.
        factor: Of them all.
    """
    if isinstance(start, Row):
        return one_sample.combination(start, columns, weights, factor)
    weights = weights.to(start.dtype)
    if start.numel() <= SMALL:
        stacked = torch.stack(columns, 1)
        return torch.baddbmm(start.unsqueeze(1), weights.unsqueeze(1), stacked, alpha=factor).squeeze(1)
    for column, weight in zip(columns, torch.split(weights, 1, 1), strict=True):
        start = torch.addcmul(start, column, weight, value=factor)
    return start

"""Products with, and combinations of, the columns that a quasi-Newton solver remembers.

Columns are kept as a tuple of whole states: nothing is copied when the oldest is dropped, and each is
read once a product. For states so small that the number of operations decides, they are stacked for each
product instead; for one small state alone they are arrays
(:mod:`deqbench_plugins.solvers.one_sample`), from when a solver first remembers something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

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


def remembered(x: Tensor, rows: Tensor) -> Rows:
    """Return rows of x in the form they are to be remembered in, at the first step of a history."""
    return one_sample.row(rows) if one_sample.alone(x, SMALL) else rows


def rows_like(x: Tensor, like: Rows) -> Rows:
    """Return x, (B, *s), as wide rows of the form of ``like``."""
    return one_sample.row(x) if isinstance(like, Row) else wide_rows(x)


def as_state(rows: Rows, like: Tensor) -> Tensor:
    """Return rows as a state of the shape and type of ``like``."""
    return one_sample.state(rows, like) if isinstance(rows, Row) else rows.to(like.dtype).view_as(like)


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

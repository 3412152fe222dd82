"""Products with, and combinations of, the columns that a quasi-Newton solver remembers.

Columns are kept as a tuple of whole states: nothing is copied when the oldest is dropped, and each is
read once a product. For states so small that the number of operations decides, they are stacked for one
batched product instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from deqbench.equilibria.solving import flat_rows

if TYPE_CHECKING:
    from torch import Tensor

SMALL = 2**13
"""Entries of a batch of states up to which columns are stacked; measured on a CPU."""


def wide_rows(x: Tensor) -> Tensor:
    """Return x, (B, *s), as (B, d), in float32 where it is of half precision: sums need the digits."""
    flat = x if x.dim() == 2 else flat_rows(x)
    return flat.float() if flat.dtype in (torch.float16, torch.bfloat16) else flat


def products(columns: Sequence[Tensor], target: Tensor) -> Tensor:
    """Return the products of each column with the target, (B, k).

    Args:
        columns: k >= 1 tensors, (B, d).
        target: (B, d).
    """
    if target.numel() <= SMALL:
        found: Tensor = torch.bmm(torch.stack(tuple(columns), 1), target.unsqueeze(2)).squeeze(2)
        return found
    return torch.stack([torch.linalg.vecdot(column, target) for column in columns], 1)


def combination(start: Tensor, columns: Sequence[Tensor], weights: Tensor, factor: float = 1) -> Tensor:
    """Return start + factor sum_j weights_j columns_j, (B, d).

    Args:
        start: (B, d).
        columns: k >= 1 tensors, (B, d).
        weights: (B, k), of the type of the columns.
        factor: Of them all.
    """
    if start.numel() <= SMALL:
        mixed = torch.bmm(weights.unsqueeze(1), torch.stack(tuple(columns), 1)).squeeze(1)
        return torch.add(start, mixed, alpha=factor)
    for column, weight in zip(columns, torch.split(weights, 1, 1), strict=True):
        start = torch.addcmul(start, column, weight, value=factor)
    return start

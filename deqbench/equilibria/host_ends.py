"""What came of samples that are done, on the CPU: noted as they end, written down once, when all are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from deqbench.equilibria.arrays import numbers
from deqbench.equilibria.judging import SolveStatus, Tally

Array = NDArray[Any]

READABLE = (torch.float32, torch.float64, torch.float16)
"""Types of states that arrays have too; bfloat16 is not among them."""


class End(NamedTuple):
    """What came of some samples, K of them.

    Attributes:
        rows: Which of the batch they are, (K,); None: all of them, in order.
        residual: (K,); of all of them perhaps one number.
        fates: Their statuses, (K,), or one for all.
        calls: When they ended.
        points: The best iterates, (K, *s): an array where it has their type and no graph has to be kept.
    """

    rows: Array | None
    residual: Array
    fates: Array | SolveStatus
    calls: int
    points: Tensor | Array


def picked(points: Tensor, some: Array) -> Tensor | Array:
    """Return a copy of the rows at these places: see ``End.points``."""
    if points.requires_grad or points.dtype not in READABLE:
        return points.index_select(0, torch.from_numpy(some))
    rows: Array = numbers(points)[some]  # a third of the price of tensors of indices
    return rows


def gathered(ends: list[End], start: Tensor) -> Tensor:
    """Return the best iterate of every sample, (B, *s).

    Args:
        ends: Of every sample one.
        start: Where the search began, (B, *s).
    """
    if ends[0].rows is None:
        assert isinstance(ends[0].points, Tensor), "they are handed out as they are"
        return ends[0].points
    found = torch.empty_like(start, requires_grad=False)
    if all(isinstance(end.points, np.ndarray) for end in ends):
        values = numbers(found)
        for end in ends:
            values[end.rows] = end.points
        return found
    rows = np.concatenate([end.rows for end in ends if end.rows is not None])
    points = torch.cat([torch.as_tensor(end.points) for end in ends])
    return found.index_copy(0, torch.from_numpy(rows), points)


class HostVerdict:
    """What came of some samples on the CPU; tensors of it are made for whoever asks.

    Args:
        z: The best iterates, (K, *s).
        ends: How they ended: of every sample one.
    """

    def __init__(self, z: Tensor, ends: list[End]) -> None:
        self.z, self.ends = z, ends

    @cached_property
    def residual(self) -> Tensor:
        """As ``Verdict.residual``."""
        return self._told([end.residual for end in self.ends], self.ends[0].residual.dtype)

    @cached_property
    def status(self) -> Tensor:
        """As ``Verdict.status``."""
        return self._told([end.fates for end in self.ends], np.int8)

    @cached_property
    def calls(self) -> Tensor:
        """As ``Verdict.calls``."""
        return self._told([end.calls for end in self.ends], np.int32)

    def _told(self, parts: Sequence[Array | int], kind: DTypeLike) -> Tensor:
        told = np.empty(len(self.z), kind)
        for end, part in zip(self.ends, parts, strict=True):
            told[slice(None) if end.rows is None else end.rows] = part
        return torch.from_numpy(told)

    def at(self, z: Tensor) -> HostVerdict:
        """Return the same of other iterates."""
        return HostVerdict(z, self.ends)

    def tally(self) -> Tally:
        """Return the sums over the samples, K >= 1."""
        missed = lost = spent = 0
        worst = -math.inf
        for rows, residual, fates, calls, points in self.ends:
            count = len(points) if rows is None else len(rows)
            spent += calls * count
            worst = max(worst, float(residual.reshape(-1)[residual.argmax()]))  # of NaN there is none
            if fates is not SolveStatus.CONVERGED:
                told = np.broadcast_to(fates, count)
                missed += int(np.count_nonzero(told))
                lost += int(np.count_nonzero(told == SolveStatus.NON_FINITE))
        return Tally(len(self.z), missed, lost, spent, worst)

"""What came of samples that are done, on the CPU: noted as they end, made into tensors for whoever asks."""

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
    """

    rows: Array | None
    residual: Array
    fates: Array | SolveStatus
    calls: int


def picked(points: Tensor, some: Array) -> Tensor | Array:
    """Return a copy of the rows at these places: an array where it has their type and no graph is lost."""
    if points.requires_grad or points.dtype not in READABLE:
        return points.index_select(0, torch.from_numpy(some))
    rows: Array = numbers(points)[some]  # a third of the price of tensors of indices
    return rows


class HostEnds:
    """Gathers what came of samples as they end.

    Args:
        start: Where the search began, (B, *s).
    """

    found: Tensor | None = None  # the best iterates, (B, *s), of the samples that have ended
    values: Array | None = None  # the same memory; None where it cannot be written to as such

    def __init__(self, start: Tensor) -> None:
        self.start = start
        self.ends: list[End] = []

    def add(self, end: End, points: Tensor | Array) -> None:
        """Take an end and the best iterates of its samples, (K, *s); of all, as they are."""
        self.ends.append(end)
        if end.rows is None:
            assert isinstance(points, Tensor), "nothing was picked"
            self.found = points
            return
        if self.found is None:
            self.found = torch.empty_like(self.start, requires_grad=False)
            self.values = numbers(self.found) if self.start.dtype in READABLE else None
        if self.values is not None and isinstance(points, np.ndarray):
            self.values[end.rows] = points
        else:
            self.found.index_copy_(0, torch.from_numpy(end.rows), torch.as_tensor(points))
            self.values = None

    def verdict(self) -> HostVerdict:
        """Return what came of all samples, in their original order, once every one has ended."""
        assert self.found is not None, "there are samples"
        return HostVerdict(self.found, self.ends)


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
        for rows, residual, fates, calls in self.ends:
            count = len(self.z) if rows is None else len(rows)
            spent += calls * count
            worst = max(worst, float(residual.reshape(-1)[residual.argmax()]))  # of NaN there is none
            if fates is not SolveStatus.CONVERGED:
                told = np.broadcast_to(fates, count)
                missed += int(np.count_nonzero(told))
                lost += int(np.count_nonzero(told == SolveStatus.NON_FINITE))
        return Tally(len(self.z), missed, lost, spent, worst)

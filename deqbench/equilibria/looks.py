"""After which steps a search is looked at, and which of its samples."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from deqbench.equilibria.arrays import quiet
from deqbench.equilibria.batch_judge import BatchJudge
from deqbench.equilibria.host_judge import HostJudge
from deqbench.equilibria.looking_ahead import MOST, Outlook, unseen
from deqbench.equilibria.single_judge import SingleJudge

Judge = BatchJudge | HostJudge | SingleJudge
"""What looks at the pairs (z, f(z)) of a solve, and says when it ends."""


class Looks:
    """Looks at every ``stride``-th step.

    Args:
        judge: What looks.
        first: The step that is looked at first.
        stride: Steps from one look to the next.

    Attributes:
        due: The step after which to look next; < 0: none but the last.
    """

    def __init__(self, judge: Judge, first: int, stride: int) -> None:
        self.judge, self.due, self.stride = judge, first, stride

    def at(self, z: Tensor, fz: Tensor, calls: int, steps: int) -> int:
        """Judge the iterates, (B, *s), and return how many samples still search."""
        left = self.judge.observe(z, fz, calls)
        self.due = steps + self.stride
        return left

    def narrow(self, kept: Tensor) -> None:
        """Let only the rows at these places, (K,) int64, remain."""


class SparseLooks(Looks):
    """Looks at one sample where its residual's fall does not rule out the end: see :class:`Outlook`.

    The start is not looked at.

    Args:
        judge: What looks.
        unit: The step at which the residual was 1 or is taken for it; None: nothing is known.
    """

    judge: SingleJudge

    def __init__(self, judge: SingleJudge, unit: int | None) -> None:
        super().__init__(judge, 1, 1)
        known = () if unit is None else (1.0, unit)
        self.outlook = Outlook(judge.tolerance, *known)

    def at(self, z: Tensor, fz: Tensor, calls: int, steps: int) -> int:
        """As above."""
        left = self.judge.observe(z, fz, calls)
        self.due = steps + self.outlook.ahead(self.judge.value, steps)
        return left


class BlockLooks(Looks):
    """Looks at a batch, sample by sample, where a residual's fall does not rule out the end.

    All samples are looked at after the first step and after every multiple of ``MOST``. What a sample's own
    residual has done since the last such look tells from which step on it may end before the next one: most
    of the steps that are left at that rate pass unseen. So nothing that comes of a sample depends on others.
    Where nothing is known of the start, all samples are looked at after the second step too.

    Args:
        judge: What looks.
        unit: As in :class:`SparseLooks`.
    """

    judge: HostJudge
    starts: NDArray[Any] = np.empty(0)  # from when on each sample may end, (K,)

    def __init__(self, judge: HostJudge, unit: int | None) -> None:
        super().__init__(judge, 1, 1)
        self.goal = math.log(judge.tolerance)
        self.level: NDArray[Any] | float = 0.0  # logarithm of the best residuals at the last such look, (K,)
        self.opening = 2 if unit is None else 1  # steps after each of which all are looked at
        self.last = unit or 0

    def at(self, z: Tensor, fz: Tensor, calls: int, steps: int) -> int:
        """As above."""
        if steps > self.opening and steps % MOST and calls < self.judge.stop.max_calls:
            left = self.judge.glance(z, fz, self.starts > steps, calls)
            self.due = steps + 1
            return left
        left = self.judge.observe(z, fz, calls)
        if left:
            self.due = self._planned(steps)
        return left

    @quiet
    def _planned(self, steps: int) -> int:
        """Plan the looks until the next one at all samples; return the step of the first."""
        level, before, since = np.log(self.judge.best), self.level, steps - self.last
        self.level, self.last = level, steps
        if steps < self.opening:
            return steps + 1
        fall = before - level
        share, less = unseen(since)
        starts = (level - self.goal) * (share * since) / fall
        starts += steps - less
        following = steps - steps % MOST + MOST
        if not fall[fall.argmin()] > 0:
            starts[~(fall > 0)] = steps + 1  # nothing is known of it
        if self.judge.done is not None:
            starts[self.judge.done] = following
        self.starts = starts
        first = float(starts[starts.argmin()])
        return following if first > following else max(math.ceil(first), steps + 1)

    def narrow(self, kept: Tensor) -> None:
        """As above."""
        rows = kept.numpy()
        if not isinstance(self.level, float):
            self.level = self.level[rows]
        if len(self.starts):
            self.starts = self.starts[rows]


def looks(judge: Judge, *, several: bool, unit_start: bool = False) -> Looks:
    """Return where a judge looks.

    Args:
        judge: What looks.
        several: Whether the solver takes several steps at once where nobody looks.
        unit_start: Whether the start is f(0), of unit length: the residual one step before it was 1. A
            relative residual of any other start is taken for 1: that of zeros is.
    """
    every, traced = judge.stop.check_every, judge.counter is not None
    if every is None:
        return Looks(judge, -1, 0)
    if every != "auto":
        # What is looked at seldom is not looked at before anything has been done.
        return Looks(judge, 0 if traced or every == 1 else every, every)
    if not several or traced:
        return Looks(judge, 0, 1)
    unit = -1 if unit_start else 0 if judge.stop.norm == "relative" else None
    if isinstance(judge, SingleJudge):
        return SparseLooks(judge, unit)
    return BlockLooks(judge, unit) if isinstance(judge, HostJudge) else Looks(judge, 1, 1)

"""Each sample's best point so far, on the CPU: references to whole points, and places in arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deqbench.equilibria.arrays import numbers
from deqbench.equilibria.best_iterates import HELD

Array = NDArray[Any]
READABLE = (torch.float32, torch.float64, torch.float16)
"""Types of states that arrays have too; bfloat16 is not among them."""

COPIED = 2**16
"""Entries of a batch up to which rows that came nearer are copied at once."""


class HostIterates:
    """As :class:`~deqbench.equilibria.best_iterates.BestIterates`, but samples that are done are copied out.

    Those that search on then all come nearer at most checks, and nothing is copied for them.

    Args:
        start: What a sample has before any point was better, (B, *s).
    """

    # What every search begins with is the class's: see HostJudge.
    places: Array | None = None  # of each row among the points, (K,); None: all in the first
    found: Tensor | None = None  # (B, *s), the rows of the samples that are done filled in
    numbers: Array | None = None  # the same memory; None where it cannot be written to as such
    own: Tensor | None = None  # a point that nobody else holds

    def __init__(self, start: Tensor) -> None:
        self.start = start
        self.points = [start]

    def take(self, point: Tensor) -> None:
        """Let the best of every row that searches be its row of this point, (K, *s)."""
        self.points, self.places = [point], None

    def take_some(self, point: Tensor, better: Array, active: Array | None) -> None:
        """Let the best of the rows ``better``, (K,) bool, be their rows of this point, (K, *s).

        ``active`` says which rows search on, None: all; nothing is kept for the others.
        """
        if self.places is None and self._copied(point, better):
            return
        self.places = np.where(better, len(self.points), 0 if self.places is None else self.places)
        self.points.append(point)
        if len(self.points) > HELD:
            self._prune(self.places if active is None else self.places[active])

    def _copied(self, point: Tensor, better: Array) -> bool:
        """Whether these rows could be copied: of a small batch that takes less time than keeping places."""
        best = self.points[0]
        recorded = point.requires_grad or best.requires_grad
        if point.numel() > COPIED or recorded or point.dtype not in READABLE:
            return False
        if best is not self.own:
            self.own = best.clone(memory_format=torch.contiguous_format)
            self.points = [self.own]
        np.copyto(_rows(self.points[0]), _rows(point), where=better[:, None])
        return True

    def _prune(self, needed: Array) -> None:
        """Hold only the points at these places, or if they are many the one that is made of them."""
        assert self.places is not None, "there are several points"
        held = np.unique(needed)
        self.points = [self.points[place] for place in held]
        self.places = np.minimum(np.searchsorted(held, self.places), len(held) - 1)  # rows that are done: any
        if len(held) > HELD:
            width = len(self.places)
            rows = torch.from_numpy(self.places * width + np.arange(width))
            self.take(torch.cat(self.points).index_select(0, rows))

    def settle(self, some: Array, rows: Array) -> None:
        """Copy out the points of some rows here, which are ``rows`` of the batch."""
        if self.places is None:
            self._copy(self.points[0], some, rows)
            return
        places = self.places[some]
        for place in np.unique(places):
            here = places == place
            self._copy(self.points[place], some[here], rows[here])

    def settle_all(self) -> None:
        """Do the same for all rows of a batch that is whole: one point is handed out as it is."""
        if self.places is None:
            self.found = self.points[0]
        else:
            rows = np.arange(len(self.places))
            self.settle(rows, rows)

    def _copy(self, point: Tensor, some: Array, rows: Array) -> None:
        """Copy some rows of a point into rows of what was found."""
        if self.found is None:
            self.found = torch.empty_like(self.start)
            self.numbers = self.found.numpy(force=True) if self.start.dtype in READABLE else None
        if self.numbers is not None and not (point.requires_grad or self.found.requires_grad):
            # A third of the price of tensors of indices.
            self.numbers[rows] = point.numpy(force=True)[some]
        else:
            part = point.index_select(0, torch.from_numpy(some))
            self.found.index_copy_(0, torch.from_numpy(rows), part)

    def narrow(self, kept: Array, places: Tensor) -> None:
        """Keep only these rows of the points, given as an array and as a tensor."""
        self.points = [point.index_select(0, places) for point in self.points]
        self.places = None if self.places is None else self.places[kept]

    def whole(self) -> Tensor:
        """Return every sample's best as one tensor, (B, *s), once all are settled."""
        return self.start if self.found is None else self.found


def _rows(x: Tensor) -> Array:
    """Return the numbers of x, (K, *s), as (K, d), a view."""
    return numbers(x.flatten(1) if x.dim() > 1 else x.unsqueeze(1))

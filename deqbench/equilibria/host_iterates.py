"""Each sample's best point so far, on the CPU: references to whole points, and places in arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deqbench.equilibria.best_iterates import HELD

Array = NDArray[Any]
READABLE = (torch.float32, torch.float64, torch.float16)
"""Types of states that arrays have too; bfloat16 is not among them."""


class HostIterates:
    """As :class:`~deqbench.equilibria.best_iterates.BestIterates`, but samples that are done are copied out.

    Those that search on then all come nearer at most checks, and nothing is copied for them.

    Args:
        start: What a sample has before any point was better, (B, *s).
    """

    def __init__(self, start: Tensor) -> None:
        self.start = start
        self.points = [start]
        self.places: Array | None = None  # of each row among the points, (K,); None: all in the first
        self.found: Tensor | None = None  # (B, *s), the rows of the samples that are done filled in
        self.readable = start.dtype in READABLE

    def take(self, point: Tensor) -> None:
        """Let every row's best be its row of this point, (K, *s)."""
        self.points, self.places = [point], None

    def take_some(self, point: Tensor, better: Array, active: Array) -> None:
        """Let the best of the rows ``better``, (K,) bool, be their rows of this point, (K, *s).

        ``active`` says which rows search on; only what they need is held.
        """
        width = len(better)
        old = np.zeros(width, np.int64) if self.places is None else self.places
        mixed = np.where(better, len(self.points), old)
        held = np.unique(mixed[active])
        points = [*self.points, point]
        self.points = [points[place] for place in held]
        self.places = np.minimum(np.searchsorted(held, mixed), len(held) - 1)  # rows that are done: any
        if len(held) > HELD:
            rows = torch.from_numpy(self.places * width + np.arange(width))
            self.take(torch.cat(self.points).index_select(0, rows))

    def settle(self, some: Array, rows: Array) -> None:
        """Copy out the points of some rows here, which are ``rows`` of the batch."""
        if self.places is None:
            groups = [(0, slice(None))]
        else:
            places = self.places[some]
            groups = [(place, places == place) for place in np.unique(places)]
        if len(some) == len(self.start) and len(groups) == 1:
            self.found = self.points[groups[0][0]]  # all of them, in their order
            return
        if self.found is None:
            self.found = torch.empty_like(self.start)
        for place, here in groups:
            self._copy(self.points[place], some[here], self.found, rows[here])

    def _copy(self, point: Tensor, some: Array, found: Tensor, rows: Array) -> None:
        """Copy some rows of a point into rows of what was found."""
        if self.readable and not (point.requires_grad or found.requires_grad):
            # A third of the price of tensors of indices.
            found.numpy()[rows] = point.numpy(force=True)[some]
        else:
            part = point.index_select(0, torch.from_numpy(some))
            found.index_copy_(0, torch.from_numpy(rows), part)

    def settle_all(self) -> None:
        """Hand out the one point that is the best of the whole batch."""
        self.found = self.points[0]

    def narrow(self, kept: Array, places: Tensor) -> None:
        """Keep only these rows of the points, given as an array and as a tensor."""
        self.points = [point.index_select(0, places) for point in self.points]
        self.places = None if self.places is None else self.places[kept]

    def whole(self) -> Tensor:
        """Return every sample's best as one tensor, (B, *s), once all are settled."""
        return self.start if self.found is None else self.found

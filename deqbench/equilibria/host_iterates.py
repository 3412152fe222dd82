"""Each sample's best point so far, on the CPU: references to whole points, and places in arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deqbench.equilibria.arrays import numbers
from deqbench.equilibria.best_iterates import HELD
from deqbench.equilibria.host_ends import READABLE, picked

Array = NDArray[Any]

COPIED = 2**16
"""Entries of a batch up to which rows that came nearer are copied at once."""


class HostIterates:
    """As :class:`~deqbench.equilibria.best_iterates.BestIterates`, but of the samples that search.

    They all come nearer at most checks, and nothing is copied for them then.

    Args:
        start: What a sample has before any point was better, (B, *s).
    """

    # What every search begins with is the class's: see HostJudge.
    places: Array | None = None  # of each row among the points, (K,); None: all in the first
    own: Tensor | None = None  # a point that nobody else holds

    def __init__(self, start: Tensor) -> None:
        self.points = [start]

    def take(self, point: Tensor) -> None:
        """Let the best of every row that searches be its row of this point, (K, *s)."""
        self.points, self.places = [point], None

    def take_some(self, point: Tensor, better: Array, done: Array | None) -> None:
        """Let the best of the rows ``better``, (K,) bool, be their rows of this point, (K, *s).

        ``done`` says which rows are, None: no row; nothing is kept for them.
        """
        if self.places is None and self._copied(point, better):
            return
        self.places = np.where(better, len(self.points), 0 if self.places is None else self.places)
        self.points.append(point)
        if len(self.points) > HELD:
            self._prune(self.places if done is None else self.places[~done])

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
            self.take(self._merged())

    def _merged(self) -> Tensor:
        """Return the best of every row as one point, (K, *s)."""
        if self.places is None:
            return self.points[0]
        width = len(self.places)
        rows = torch.from_numpy(self.places * width + np.arange(width))
        return torch.cat(self.points).index_select(0, rows)

    def of(self, some: Array | None) -> Tensor | Array:
        """Return the best of the rows at these places, copied; None: of all rows, as it is."""
        if some is None:
            return self._merged()
        if self.places is None:
            return picked(self.points[0], some)
        places = self.places[some]
        held = [(places == place).nonzero()[0] for place in range(len(self.points))]
        parts = [
            torch.as_tensor(picked(point, some[here])) for point, here in zip(self.points, held, strict=True)
        ]
        return torch.cat(parts).index_select(0, torch.from_numpy(np.concatenate(held).argsort()))

    def narrow(self, kept: Array, places: Tensor) -> None:
        """Keep only these rows of the points, given as an array and as a tensor."""
        self.points = [point.index_select(0, places) for point in self.points]
        self.places = None if self.places is None else self.places[kept]


def _rows(x: Tensor) -> Array:
    """Return the numbers of x, (K, *s), as (K, d), a view."""
    return numbers(x.flatten(1) if x.dim() > 1 else x.unsqueeze(1))

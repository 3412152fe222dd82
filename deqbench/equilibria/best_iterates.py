"""Each sample's best point so far, kept as references to whole points for as long as that will do."""

from __future__ import annotations

import torch
from torch import Tensor

HELD = 3
"""Whole points held at once, at most, before each sample's own is picked from them."""


class BestIterates:
    """Which of the points visited is each sample's best.

    Copying rows at every check would cost as much as a cheap map. Points are held by reference
    instead, with the place of each sample's own among them, and merged only when ``HELD`` are held.

    Args:
        start: What a sample has before any point was better, (K, *s).
    """

    def __init__(self, start: Tensor) -> None:
        self.points = [start]
        self.places: Tensor | None = (
            None  # of each sample among the points, (K,) int64; None: all in the first
        )

    def take(self, point: Tensor) -> None:
        """Let every sample's best be its row of this point, (K, *s)."""
        self.points, self.places = [point], None

    def take_rows(self, point: Tensor, better: Tensor) -> None:
        """Let the best of the samples ``better``, (K,) bool, be their rows of this point, (K, *s)."""
        if self.places is None:
            self.places = torch.zeros_like(better, dtype=torch.int64)
        self.places = self.places.masked_fill(better, len(self.points))
        self.points.append(point)
        if len(self.points) > HELD:
            self.merged()

    def merged(self) -> Tensor:
        """Return each sample's best as one tensor, (K, *s)."""
        if self.places is not None:
            count = self.places.shape[0]
            rows = self.places * count + torch.arange(count, device=self.places.device)
            self.take(torch.cat(self.points).index_select(0, rows))
        return self.points[0]

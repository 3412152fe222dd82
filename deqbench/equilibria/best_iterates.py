"""Each sample's best point so far, kept as references to whole points for as long as that will do."""

from __future__ import annotations

from itertools import compress

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


class FewIterates:
    """The same for a few samples on the CPU: places are a list, and samples that are done are copied out.

    Args:
        start: What a sample has before any point was better, (B, *s).
    """

    def __init__(self, start: Tensor) -> None:
        self.start = start
        self.points = [start]
        self.places: list[int] | None = None  # among the points, of the samples that search; None: all first
        self.count = start.shape[0]  # samples that search
        self.settled: list[tuple[list[int], Tensor]] = []  # rows of the batch, and their points

    def take(self, point: Tensor) -> None:
        """Let the best of every sample that searches be its row of this point, (K, *s)."""
        self.points, self.places = [point], None

    def take_some(self, point: Tensor, better: list[bool], at: list[int]) -> None:
        """Let the best of some of the samples that search be their rows of this point, (K, *s).

        ``at`` says which rows the samples that search are.
        """
        if all(better):
            self.take(point)
            return
        old = self.places or [0] * self.count
        new = len(self.points)
        mixed = [new if gain else place for gain, place in zip(better, old, strict=True)]
        held = sorted(set(mixed))
        self.points = [point if place == new else self.points[place] for place in held]
        self.places = [held.index(place) for place in mixed]
        if len(held) > HELD:
            width = point.shape[0]
            rows = list(range(width))
            for row, place in zip(at, self.places, strict=True):
                rows[row] += place * width
            self.take(torch.cat(self.points).index_select(0, torch.tensor(rows)))

    def settle(self, some: list[int], at: list[int], rows: list[int]) -> None:
        """Copy out the points of some of the samples that search; ``at`` and ``rows`` as the judge's."""
        by_place: dict[int, list[int]] = {}
        for i in some:
            by_place.setdefault(0 if self.places is None else self.places[i], []).append(at[i])
        for place, here in by_place.items():
            point = self.points[place]
            if len(here) < point.shape[0]:
                point = point.index_select(0, torch.tensor(here))
            self.settled.append(([rows[i] for i in here], point))

    def forget(self, keep: list[bool]) -> None:
        """Go on with those of the samples that ``keep`` names."""
        self.count = sum(keep)
        self.places = None if self.places is None else list(compress(self.places, keep))

    def narrow(self, at: list[int]) -> None:
        """Keep only these rows of the points: those of the samples that search, in their order."""
        index = torch.tensor(at, dtype=torch.int64)
        self.points = [point.index_select(0, index) for point in self.points]

    def whole(self) -> Tensor:
        """Return every sample's best as one tensor, (B, *s), once all are settled."""
        if not self.settled:
            return self.start
        if len(self.settled) == 1:
            return self.settled[0][1]  # all of them, in their order
        rows = torch.tensor([row for part, _ in self.settled for row in part])
        return torch.cat([point for _, point in self.settled]).index_select(0, rows.argsort())

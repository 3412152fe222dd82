"""What the host knows of a few rows on the CPU: the batch judge's decisions in plain numbers."""

from __future__ import annotations

import math
from operator import lt

FEW = 128
"""Rows up to which a list is faster than five operations on tensors."""


class FewRows:
    """Mirrors the best residual of each row, and whether it searches, from the values that are read.

    Attributes:
        plain: Whether every row that ended at the last check had met the tolerance by a residual that
            leaves no doubt: positive, so that neither 0 / 0 nor an infinite size is behind it.
    """

    def __init__(self, width: int, tolerance: float) -> None:
        self.best = [math.inf] * width
        self.live = [True] * width
        self.tolerance = tolerance
        self.plain = True

    def decide(self, found: list[float], given_up: list[float] | None) -> tuple[list[bool], list[bool]]:
        """Return which rows search on and which came nearer.

        Args:
            found: The residual of each row.
            given_up: 1 for each row that has no hope, or None if none was looked for.
        """
        hopeless = given_up is not None and any(given_up)
        if min(found) > self.tolerance and all(map(lt, found, self.best)) and not hopeless and all(self.live):
            self.best = found  # the common case
            return self.live, self.live
        rows = list(zip(self.live, found, self.best, strict=True))
        met = [live and not value > self.tolerance for live, value, _ in rows]
        better = [live and value < best for live, value, best in rows]
        self.plain = not hopeless and all(value > 0 for value, end in zip(found, met, strict=True) if end)
        self.best = [value if gain else best for gain, (_, value, best) in zip(better, rows, strict=True)]
        lost = given_up if hopeless and given_up is not None else [0.0] * len(met)
        self.live = [
            live and not end and not gone for live, end, gone in zip(self.live, met, lost, strict=True)
        ]
        return self.live, better

    def compact(self) -> None:
        """Forget the rows that are done."""
        self.best = [best for live, best in zip(self.live, self.best, strict=True) if live]
        self.live = [True] * len(self.best)

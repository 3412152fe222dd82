"""How many steps nobody need look at: the residual's own fall says when it can first meet its tolerance."""

from __future__ import annotations

import math

MOST = 8
"""Steps between two looks at most: what runs away or stalls is noticed within as many."""
LONG = 4
"""Steps over which a residual has to have fallen for its rate to be relied on."""
CLOSE = 2
"""Steps to the end under which every one is looked at, where the rate is not: the end may come at any."""


def unseen(since: int) -> tuple[float, float]:
    """Return (share, less): ``ceil(share * left - less)`` steps on, a sample is looked at again.

    Seven eighths of the steps that are left pass unseen, rounded up. Where the rate is not to be relied on it
    is three quarters, rounded to the nearest.

    Args:
        since: The steps in which the residual fell at the rate by which ``left`` was reckoned.
    """
    return (7 / 8, 0.0) if since >= LONG else (3 / 4, 0.5)


class Outlook:
    """Foresees, from check to check, how far a sample is from its tolerance.

    Of the steps that are left at the rate of the last ones most pass unseen (:func:`unseen`), so the search
    stops where looking at every step would have stopped it, unless it becomes faster meanwhile by a seventh
    or more.

    Args:
        tolerance: The residual that counts as solved, > 0.
        residual: What is known before the first check; NaN: nothing.
        steps: After how many steps it was that; they may be negative.
    """

    __slots__ = ("close", "residual", "steps", "tolerance")

    def __init__(self, tolerance: float, residual: float = math.nan, steps: int = 0) -> None:
        self.tolerance = tolerance
        self.residual, self.steps = residual, steps
        self.close = 0  # until this step the end may come at any

    def ahead(self, residual: float, steps: int) -> int:
        """Return after how many steps to look again, >= 1.

        Args:
            residual: Of the sample after ``steps`` steps; NaN: unknown.
            steps: More than at the last look.
        """
        if steps < self.close:
            return 1
        before, since = self.residual, steps - self.steps
        self.residual, self.steps = residual, steps
        if not self.tolerance < residual < before < math.inf:
            return 1  # the first look, or no fall to go by
        left = since * math.log(residual / self.tolerance) / math.log(before / residual)
        if left < CLOSE and since < LONG:
            self.close = steps + MOST
            return 1
        share, less = unseen(since)
        return min(math.ceil(share * left - less), MOST)

"""How many steps nobody need look at: the residual's own fall says when it can first meet its tolerance."""

from __future__ import annotations

import math

MOST = 8
"""Steps between two looks at most: what runs away or stalls is noticed within as many."""
CLOSE = 2
"""Steps to the end under which every one is looked at: there is nothing to pass unseen."""


class Outlook:
    """Foresees, from check to check, how far a sample is from its tolerance.

    Three quarters of the steps that are left at the rate of the last ones pass unseen, to the nearest whole
    number, so the search stops where looking at every step would have stopped it, unless it becomes faster
    meanwhile by a seventh or more.

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
        if left < CLOSE:
            self.close = steps + MOST
            return 1
        return min(round(0.75 * left), MOST)

"""Which samples of a batch on the CPU are lost: run away, or near to rounding and falling no longer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from deqbench.equilibria.host_residuals import HostResiduals
from deqbench.equilibria.judging import (
    BLOW_UP,
    FALL_FAR,
    FALL_NEAR,
    PATIENCE_FAR,
    PATIENCE_NEAR,
    WINDOW,
    Past,
)

Array = NDArray[Any]


class HostLosses:
    """Asks every ``WINDOW`` calls which rows are lost.

    Args:
        residuals: Of the last look.
        tolerance: What counts as solved.

    Attributes:
        due: The calls from which on to ask again.
    """

    # What every search begins with is the class's: see HostJudge.
    due = WINDOW
    brink: float | None = None  # no row below it has run away
    past: Past[Array] | None = None

    def __init__(self, residuals: HostResiduals, tolerance: float) -> None:
        self.residuals, self.tolerance = residuals, tolerance
        # A relative residual near to rounding has met a tolerance that is not.
        self.may_stall = not (residuals.relative and tolerance >= residuals.far)

    def of(self, best: Array, done: Array | None, fz: Tensor, calls: int) -> Array | None:
        """Return which of the rows that search are lost, (K,) bool; None: none.

        Args:
            best: Residuals, so far, (K,); of rows that are done, any; (): there are none yet.
            done: Rows that search no longer, (K,) bool; None: no row.
            fz: f at the iterates, (K, *s).
            calls: When.
        """
        if not best.ndim:
            return None
        self.due = calls + WINDOW
        gap, first = self.residuals.gap, self.residuals.first
        lost: Array | None = None
        if self.brink is None:
            self.brink = BLOW_UP * first[first.argmin()]
        # The greatest of all against the least limit: mostly that is enough.
        if not gap[gap.argmax()] <= self.brink:
            lost = gap > BLOW_UP * first
        if self.may_stall:
            best = best if done is None else np.where(done, np.inf, best)
            self.past = self.past or Past()
            self.past.remember(calls, best)
            if not self.residuals.relative or best[best.argmin()] <= self.residuals.far:
                lost = self._stalled(best, fz, self.past, calls, lost)
        if lost is None:
            return None
        lost = lost if done is None else lost & ~done
        return lost if np.count_nonzero(lost) else None

    def _stalled(
        self, best: Array, fz: Tensor, past: Past[Array], calls: int, lost: Array | None
    ) -> Array | None:
        """Return ``lost`` and the rows that are near to rounding and no longer fall; None: there are none."""
        residuals = self.residuals
        size: Array | float | None = 1.0 if residuals.relative else None
        for patience, fall, zone in (
            (PATIENCE_NEAR, FALL_NEAR, residuals.near),
            (PATIENCE_FAR, FALL_FAR, residuals.far),
        ):
            before = past.before(calls - patience)
            # Whatever searches is above its tolerance.
            if before is None or (residuals.relative and zone <= self.tolerance):
                continue
            if size is None:
                size = residuals.norms(residuals.flat(fz))
            stuck = best <= zone * size
            if np.count_nonzero(stuck):
                stuck &= best > fall * before
                lost = stuck if lost is None else lost | stuck
        return lost

    def narrow(self, kept: Array) -> None:
        """Remember these rows only, given by their places."""
        if self.past is not None:
            self.past.marks = [(calls, best[kept]) for calls, best in self.past.marks]

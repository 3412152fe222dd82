"""The judge of a batch on the CPU: the rules of :mod:`deqbench.equilibria.batch_judge` on arrays.

The host reads the CPU's memory without waiting, and an operation of numpy on one number a sample is
dispatched in a fraction of the time of one on tensors. Where every sample came nearer and none is done, the
common case, a check is a difference, two norms, a quotient and two comparisons.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deqbench.equilibria.arrays import quiet
from deqbench.equilibria.host_iterates import HostIterates
from deqbench.equilibria.host_residuals import HostResiduals
from deqbench.equilibria.judging import (
    BLOW_UP,
    FALL_FAR,
    FALL_NEAR,
    PATIENCE_FAR,
    PATIENCE_NEAR,
    RUNAWAY,
    WINDOW,
    HostVerdict,
    Past,
    SolveStatus,
    Stop,
    TracePoint,
)
from deqbench.equilibria.maps import Counter

Array = NDArray[Any]
_NONE: Array = np.zeros(())
_CONVERGED, _STALLED = int(SolveStatus.CONVERGED), int(SolveStatus.STALLED)
_DIVERGED, _NON_FINITE = int(SolveStatus.DIVERGED), int(SolveStatus.NON_FINITE)


class HostJudge:
    """Keeps, per sample, the best finite iterate, its residual, its status and the calls it took.

    Rows that are done stay in the layout, and what came of them in its arrays, until :meth:`compact` drops
    them; ``rows`` says which row of the batch each row is. Arrays are replaced, not written to, once
    something else may hold them.

    Args:
        z0: Start, (B, *s): what a sample returns that never had a finite residual.
        stop: Tolerance and norm.
        image: Whether to keep f(z) rather than z; its graph is one call longer.
        trace: What has been spent is read from it at every check, and every check kept; None: none is.
    """

    # What every search begins with is the class's: what is run once between two calls of a map runs cold.
    rows: Array | None = None  # of the batch; None: all of them
    searching: Array | None = None  # which rows here search on, (K,) bool; None: all
    status = calls = _NONE  # of the rows here that are done, (K,)
    brink: float | None = None  # no row below it has run away
    past: Past[Array] | None = None
    look_at = WINDOW
    ends: tuple[Array, ...] | None = None  # residual, status and calls of the batch
    spent = begun = 0.0

    def __init__(self, z0: Tensor, stop: Stop, *, image: bool = False, trace: Counter | None = None) -> None:
        self.residuals = residuals = HostResiduals(z0, stop)
        self.tolerance = stop.tolerance_for(z0.dtype)
        # A relative residual near to rounding has met a tolerance that is not.
        self.may_stall = not (residuals.relative and self.tolerance >= residuals.far)
        self.stop, self.image = stop, image
        self.width = self.left = self.batch = z0.shape[0]  # rows here, those that search, those of all
        self.iterates = HostIterates(z0)
        self.best: Array = residuals.gap  # so far; one number, infinity, while no sample has any
        self.trace: list[TracePoint] = []
        self.counter = trace
        if trace is not None:
            self.spent, self.begun = trace.equivalents(self.batch), perf_counter()

    @property
    def active(self) -> Tensor | None:
        """Which rows here still search, (K,) bool; None while all do."""
        return None if self.searching is None else torch.from_numpy(self.searching)

    @quiet
    def observe(self, z: Tensor, fz: Tensor, calls: int) -> int:
        """Judge the iterates of all rows and return how many samples still search."""
        value = self.residuals.of(z, fz)
        if self.counter is not None:
            self._note(value, calls)
        lost = self._hopeless(fz, calls) if calls >= self.look_at and self.best.ndim else None
        better = value < self.best  # a NaN is not
        # An extreme's place is found in half the time that a comparison and its count take; a NaN is one.
        if self.searching is not None or lost is not None or not better[better.argmin()]:
            return self._sort(z, fz, value, better, lost, calls)
        none, every = value[value.argmin()] > self.tolerance, value[value.argmax()] <= self.tolerance
        if not none and (not every or self._doubtful(value)):
            return self._sort(z, fz, value, better, lost, calls)
        self.best = value
        self.iterates.take(fz if self.image else z)
        if every:
            self._end(None, 0, calls)
        return self.left

    @quiet
    def give_up(self, calls: int) -> None:
        """Close the samples that still search: their calls are spent."""
        ended = self._active()
        self._end(None, 0, calls)
        self.status[ended] = int(SolveStatus.MAX_CALLS)
        gap, first = self.residuals.gap, self.residuals.first
        if first.ndim:
            self.status[ended & (gap > RUNAWAY * first)] = _DIVERGED

    def concede(self, calls: int) -> None:
        """Close the samples that still search although their solver has ended: they are stalled."""
        if self.left:
            ended = self._active()
            self._end(None, 0, calls)
            self.status[ended] = _STALLED

    def compact(self) -> Tensor:
        """Drop the rows that are done; return the places of those kept, (K,) int64."""
        active = self._active()
        self._settle((~active).nonzero()[0])
        kept = active.nonzero()[0]
        places = torch.from_numpy(kept)
        self.iterates.narrow(kept, places)
        self.residuals.narrow(kept)
        self.rows = kept if self.rows is None else self.rows[kept]
        self.best = self.best[kept]
        if self.past is not None:
            self.past.marks = [(calls, best[kept]) for calls, best in self.past.marks]
        self.width, self.searching = self.left, None
        self.status = self.calls = _NONE
        return places

    def verdict(self) -> HostVerdict:
        """Return what came of all samples, in their original order."""
        if self.left:  # an external solver's, which may end unasked, or a caller that looks early
            ended = self._active()
            self._end(None, 0, 0)
            self.status[ended] = int(SolveStatus.MAX_CALLS)
        if self.width == self.batch:
            best = self.best if self.best.ndim else np.full(self.width, self.best)
            self.ends = (best, self.status, self.calls)
        elif self.width:
            self._settle(np.arange(self.width))
        self.width = 0
        assert self.ends is not None, "all are settled"
        return HostVerdict(self.iterates.whole(), *self.ends)

    def _active(self) -> Array:
        return np.ones(self.width, bool) if self.searching is None else self.searching

    def _hopeless(self, fz: Tensor, calls: int) -> Array | None:
        """Which rows have run away, or are near to rounding and no longer fall; None: none that searches."""
        self.look_at = calls + WINDOW
        gap, first = self.residuals.gap, self.residuals.first
        lost: Array | None = None
        if self.brink is None:
            self.brink = BLOW_UP * first[first.argmin()]
        # The greatest of all against the least limit: mostly that is enough.
        if not gap[gap.argmax()] <= self.brink:
            lost = gap > BLOW_UP * first
        if self.may_stall:
            best, self.past = self.best, self.past or Past()
            self.past.remember(calls, best)
            near = self.searching is not None or not self.residuals.relative
            if near or best[best.argmin()] <= self.residuals.far:
                lost = self._stalled(fz, self.past, calls, lost)
        if lost is None:
            return None
        lost = lost if self.searching is None else lost & self.searching
        return lost if np.count_nonzero(lost) else None

    def _stalled(self, fz: Tensor, past: Past[Array], calls: int, lost: Array | None) -> Array | None:
        """Return ``lost`` and the rows that are near to rounding and no longer fall; None: there are none."""
        residuals, best = self.residuals, self.best
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

    def _sort(  # noqa: PLR0913, PLR0917 -- a check's two points, and what was found of them
        self, z: Tensor, fz: Tensor, value: Array, better: Array, lost: Array | None, calls: int
    ) -> int:
        """Close the samples that end here and keep what is better; no sample's fate touches another's."""
        on = value > self.tolerance  # a NaN is not
        if self.searching is not None:
            better &= self.searching
            on &= self.searching
        left, gained = int(np.count_nonzero(on)), int(np.count_nonzero(better))
        point = fz if self.image else z
        if lost is not None or (left < self.left and self._doubtful(value)):
            self._sort_closely(z, fz, value, on, lost, calls)
            return self.left
        if gained == self.left:
            self.best = value if self.searching is None else np.where(better, value, self.best)
            self.iterates.take(point)
        elif gained:
            self.best = np.where(better, value, self.best)
            self.iterates.take_some(point, better, self.searching)
        if left < self.left:  # they have converged
            self._end(on if left else None, left, calls)
        return self.left

    def _sort_closely(  # noqa: PLR0913, PLR0917 -- as above
        self, z: Tensor, fz: Tensor, value: Array, on: Array, lost: Array | None, calls: int
    ) -> None:
        """Do the same where some are lost, or may only look solved: their squares have underflowed."""
        active = self._active()
        if lost is not None:
            on &= ~lost
        ended = (active & ~on).nonzero()[0]
        value = self.residuals.closely(z, fz, value, ended)
        above = value[ended] > self.tolerance
        on[ended] = above if lost is None else above & ~lost[ended]
        ended = (active & ~on).nonzero()[0]
        better = active & (value < self.best)
        if np.count_nonzero(better):
            self.best = np.where(better, value, self.best)
            self.iterates.take_some(fz if self.image else z, better, self.searching)
        if len(ended):
            fates = self._fates(z, fz, value, ended)
            self._end(on, int(np.count_nonzero(on)), calls)
            self.status[ended] = fates

    def _doubtful(self, value: Array) -> bool:
        """Whether some residual is 0 or NaN, or of squares that may have underflowed."""
        gap = self.residuals.gap
        return not (value[value.argmin()] > 0 and gap[gap.argmin()] >= self.residuals.trusted)

    def _fates(self, z: Tensor, fz: Tensor, value: Array, ended: Array) -> Array:
        """Return the statuses of the rows that end here, their residuals NaN where they are not finite."""
        residuals = self.residuals
        last, blown = value[ended], residuals.gap[ended] > BLOW_UP * residuals.first[ended]
        status = np.where(blown, _DIVERGED, _STALLED)
        status[last <= self.tolerance] = _CONVERGED
        strange = np.isnan(last).nonzero()[0]
        if len(strange):
            here = ended[strange]
            pair = [residuals.flat(point)[here] for point in (z, fz)]
            whole = np.isfinite(pair[0]).all(1) & np.isfinite(pair[1]).all(1)
            status[strange] = np.where(whole, _DIVERGED, _NON_FINITE)
        return status

    def _end(self, on: Array | None, left: int, calls: int) -> None:
        """Let only the rows ``on``, (K,) bool, None: none, search on; the others have converged so far."""
        if not self.calls.ndim:
            self.calls, self.status = np.empty(self.width, np.int32), np.zeros(self.width, np.int8)
            self.calls.fill(calls)
        elif self.searching is not None:
            self.calls[self.searching] = calls  # right for those that end, and written again for the rest
        if on is None and self.left == self.batch:
            self.iterates.settle_all()
        else:
            active = self._active()
            ended = (active if on is None else active > on).nonzero()[0]
            self.iterates.settle(ended, ended if self.rows is None else self.rows[ended])
        self.searching, self.left = (np.zeros(self.width, bool) if on is None else on), left

    def _settle(self, some: Array) -> None:
        """Write down what came of some rows here, which leave the batch."""
        rows = some if self.rows is None else self.rows[some]
        if self.ends is None:
            kinds = (self.best.dtype, np.int8, np.int32)
            self.ends = tuple(np.empty(self.batch, kind) for kind in kinds)
        for end, found in zip(self.ends, (self.best, self.status, self.calls), strict=True):
            end[rows] = found[some]

    def _note(self, value: Array, calls: int) -> None:
        """Keep this check."""
        assert self.counter is not None, "only a traced solve is noted"
        seconds = perf_counter() - self.begun
        spent = self.counter.equivalents(self.batch) - self.spent
        rows = np.arange(self.batch) if self.rows is None else self.rows.copy()
        residual = torch.from_numpy(value.copy())
        self.trace.append(TracePoint(calls, spent, seconds, torch.from_numpy(rows), residual))

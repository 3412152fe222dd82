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

from deqbench.equilibria.host_iterates import HostIterates
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
    numbers_of,
    scaled_norms,
)
from deqbench.equilibria.maps import Counter
from deqbench.equilibria.quiet import quiet

Array = NDArray[Any]
_NONE: Array = np.full((), np.inf)
_CONVERGED, _STALLED = int(SolveStatus.CONVERGED), int(SolveStatus.STALLED)
_DIVERGED, _NON_FINITE = int(SolveStatus.DIVERGED), int(SolveStatus.NON_FINITE)


class HostJudge:
    """Keeps, per sample, the best finite iterate, its residual, its status and the calls it took.

    Rows that are done stay in the layout until :meth:`compact` drops them; ``rows`` says which row of the
    batch each of them is. Arrays are replaced, not written to, once something else may hold them.

    Args:
        z0: Start, (B, *s): what a sample returns that never had a finite residual.
        stop: Tolerance and norm.
        image: Whether to keep f(z) rather than z; its graph is one call longer.
        trace: What has been spent is read from it at every check, and every check kept; None: none is.
    """

    def __init__(self, z0: Tensor, stop: Stop, *, image: bool = False, trace: Counter | None = None) -> None:
        self.dtype, self.tiny, trusted, self.near, self.far = numbers_of(z0)
        self.casts = self.dtype != z0.dtype
        self.order = 1 if stop.norm == "l1" else 2
        self.relative = stop.norm == "relative"
        self.trusted = trusted if self.order == 2 else 0.0
        self.tolerance = stop.tolerance_for(z0.dtype)
        # A relative residual near to rounding has met a tolerance that is not.
        self.may_stall = not (self.relative and self.tolerance >= self.far)
        self.stop, self.image = stop, image
        self.width = self.left = self.batch = z0.shape[0]  # rows here, those that search, those of all
        self.iterates = HostIterates(z0)
        # Nothing is made before it is needed: what is run once between two calls of a map is run cold.
        self.rows: Array | None = None  # of the batch; None: all of them
        self.searching: Array | None = None  # which rows here search on, (K,) bool; None: all
        self.best: Array = _NONE  # so far; one number, infinity, while no sample has any
        self.first: Array = _NONE  # ||f(z) - z|| at the first check, of all rows here
        self.brink: float | None = None  # no row below it has run away
        self.gap = self.size = _NONE  # of all rows here, at the last check
        self.difference: Array = _NONE  # f(z) - z: room for it, used again at every check
        self.follows = stop.check_every in (1, "auto") and not self.casts and z0.dim() == 2  # see _measure
        self.seen: Tensor | None = None  # the image of the last check, and its numbers
        self.images: Array = _NONE
        self.past: Past[Array] = Past()
        self.look_at = WINDOW
        self.ends: tuple[Array, ...] | None = None  # residual, status and calls of the batch
        self.trace: list[TracePoint] = []
        self.counter = trace
        self.spent = 0.0 if trace is None else trace.equivalents(self.batch)
        self.begun = perf_counter() if trace is not None else 0.0

    @property
    def active(self) -> Tensor | None:
        """Which rows here still search, (K,) bool; None while all do."""
        return None if self.searching is None else torch.from_numpy(self.searching)

    @quiet
    def observe(self, z: Tensor, fz: Tensor, calls: int) -> int:
        """Judge the iterates of all rows and return how many samples still search."""
        value = self._measure(z, fz)
        if self.counter is not None:
            self._note(value, calls)
        better = value < self.best  # a NaN is not, nor infinity
        whole = self.searching is None and np.count_nonzero(better) == self.width
        # An extreme value's place is found in half the time that a comparison and its count take; NaN is one.
        far = whole and value[value.argmin()] > self.tolerance
        ends = whole and not far and self._beyond_doubt(value, self.gap)
        if not ends:
            lost = self._hopeless(fz, calls) if calls >= self.look_at and self.best.ndim else None
            if not far or lost is not None:
                self._sort(z, fz, value, better, lost, calls)
                return self.left
        self.best = value
        self.iterates.take(fz if self.image else z)
        if ends:
            self._settle_all(calls)
        return self.left

    @quiet
    def give_up(self, calls: int) -> None:
        """Close the samples that still search: their calls are spent."""
        ended = np.flatnonzero(self._active())
        status = np.full(len(ended), int(SolveStatus.MAX_CALLS))
        if self.first.ndim:
            status[self.gap[ended] > RUNAWAY * self.first[ended]] = _DIVERGED
        self._settle(ended, status, calls)

    def concede(self, calls: int) -> None:
        """Close the samples that still search although their solver has ended: they are stalled."""
        if self.left:
            self._settle(np.flatnonzero(self._active()), _STALLED, calls)

    def compact(self) -> Tensor:
        """Drop the rows that are done; return the places of those kept, (K,) int64."""
        kept = np.flatnonzero(self._active())
        places = torch.from_numpy(kept)
        self.iterates.narrow(kept, places)
        self.rows = kept if self.rows is None else self.rows[kept]
        self.best, self.first, self.gap, self.size = (
            values[kept] if values.ndim else values for values in (self.best, self.first, self.gap, self.size)
        )
        self.past.marks = [(calls, best[kept]) for calls, best in self.past.marks]
        self.width, self.searching = self.left, None
        return places

    def verdict(self) -> HostVerdict:
        """Return what came of all samples, in their original order."""
        if self.left:  # an external solver's, which may end unasked, or a caller that looks early
            self._settle(np.flatnonzero(self._active()), int(SolveStatus.MAX_CALLS), 0)
        assert self.ends is not None, "all are settled"
        return HostVerdict(self.iterates.whole(), *self.ends)

    def _active(self) -> Array:
        return np.ones(self.width, bool) if self.searching is None else self.searching

    def _flat(self, x: Tensor) -> Array:
        """Return x, (K, *s), as (K, d) in the type that residuals are measured in; a view where it can be."""
        wide: Array = (x.to(self.dtype) if self.casts else x).numpy(force=True)
        return wide if wide.ndim == 2 else wide.reshape(len(wide), wide.size // max(len(wide), 1))

    def _norms(self, rows: Array) -> Array:
        norms: Array = np.abs(rows).sum(1) if self.order == 1 else np.sqrt(np.vecdot(rows, rows))
        return norms

    def _measure(self, z: Tensor, fz: Tensor) -> Array:
        """Return the residuals of all rows; NaN where f(z) = z = 0, which :meth:`_again` sees to."""
        # Where every step is looked at, the point is often the image of the last one.
        points = self.images if z is self.seen else self._flat(z)
        images = self._flat(fz)
        if self.difference.shape != images.shape:
            self.difference = np.empty(images.shape, images.dtype)
        self.gap = self._norms(np.subtract(images, points, out=self.difference))
        if self.follows:  # else it may be a copy, and out of date
            self.seen, self.images = fz, images
        if not self.first.ndim:
            self.first = self.gap
        if not self.relative:
            return self.gap
        self.size = self._norms(images)
        value: Array = self.gap / self.size
        return value

    def _hopeless(self, fz: Tensor, calls: int) -> Array | None:
        """Which rows have run away, or are near to rounding and no longer fall; None: none that searches."""
        self.look_at = calls + WINDOW
        lost: Array | None = None
        if self.brink is None:
            self.brink = BLOW_UP * self.first[self.first.argmin()]
        # The greatest of all against the least limit, and below the least of all: mostly that is enough.
        if not self.gap[self.gap.argmax()] <= self.brink:
            lost = self.gap > BLOW_UP * self.first
        if self.may_stall:
            best = self.best
            self.past.remember(calls, best)
            if not self.relative or best[best.argmin()] <= self.far:
                stalled = self._stalled(1.0 if self.relative else self._norms(self._flat(fz)), calls)
                lost = stalled if lost is None else lost | stalled
        if lost is None:
            return None
        lost = lost if self.searching is None else lost & self.searching
        return lost if np.count_nonzero(lost) else None

    def _stalled(self, size: Array | float, calls: int) -> Array:
        """Which rows are near to rounding, for images of this size, and no longer fall."""
        best, stalled = self.best, np.zeros(self.width, bool)
        for patience, fall, zone in (
            (PATIENCE_NEAR, FALL_NEAR, self.near),
            (PATIENCE_FAR, FALL_FAR, self.far),
        ):
            before = self.past.before(calls - patience)
            if before is not None:
                stalled |= (best > fall * before) & (best <= zone * size)
        return stalled

    def _sort(  # noqa: PLR0913, PLR0917 -- a check's two points, and what was found of them
        self, z: Tensor, fz: Tensor, value: Array, better: Array, lost: Array | None, calls: int
    ) -> None:
        """Close the samples that end here and keep what is better; no sample's fate touches another's."""
        done = ~(value > self.tolerance)
        if self.searching is not None:
            done &= self.searching
            better &= self.searching
        ended = np.flatnonzero(done if lost is None else done | lost)
        status: Array | int = _CONVERGED
        if len(ended) and (lost is not None or not self._beyond_doubt(value[ended], self.gap[ended])):
            value = self._again(z, fz, value, ended)
            better = self._active() & (value < self.best)
            on = value[ended] > self.tolerance
            ended = ended[~on if lost is None else ~on | lost[ended]]
            status = self._fates(z, fz, value, ended)
        gained = np.count_nonzero(better)
        if gained:
            self.best = np.where(better, value, self.best)
            point = fz if self.image else z
            if gained == self.left:
                self.iterates.take(point)
            else:
                self.iterates.take_some(point, better, self._active())
        if len(ended):
            self._settle(ended, status, calls)

    def _beyond_doubt(self, value: Array, gap: Array) -> bool:
        """Whether these residuals, one or more, are all of samples that have converged."""
        if not value[value.argmax()] <= self.tolerance:
            return False
        return bool(value[value.argmin()] > 0 and gap[gap.argmin()] >= self.trusted)

    def _again(self, z: Tensor, fz: Tensor, value: Array, some: Array) -> Array:
        """Return the residuals, those of some rows without what underflows; NaN where they are not finite."""
        gap = self.gap[some]
        size = self.size[some] if self.relative else np.ones_like(gap)
        small = gap < self.trusted
        if self.relative:
            small |= size < self.trusted
        if small.any():
            places = torch.from_numpy(some[small])
            with torch.no_grad():
                point, image = (part.index_select(0, places).to(self.dtype) for part in (z, fz))
                gap[small], size[small] = (scaled_norms(x).numpy() for x in (image - point, image))
            self.gap = self.gap.copy()
            self.gap[some] = gap
            self.first = self.first.copy()
            self.first[some] = np.where(self.first[some] == 0, gap, self.first[some])
        closely = gap / np.maximum(size, self.tiny) if self.relative else gap
        finite = np.isfinite(gap) & np.isfinite(size) if self.relative else np.isfinite(gap)
        value = value.copy()
        value[some] = np.where(finite, closely, np.nan)
        return value

    def _fates(self, z: Tensor, fz: Tensor, value: Array, ended: Array) -> Array:
        """Return the statuses of the rows that end here, their residuals NaN where they are not finite."""
        last, blown = value[ended], self.gap[ended] > BLOW_UP * self.first[ended]
        status = np.where(blown, _DIVERGED, _STALLED)
        status[last <= self.tolerance] = _CONVERGED
        strange = np.flatnonzero(np.isnan(last))
        if len(strange):
            here = ended[strange]
            whole = np.isfinite(self._flat(z)[here]).all(1) & np.isfinite(self._flat(fz)[here]).all(1)
            status[strange] = np.where(whole, _DIVERGED, _NON_FINITE)
        return status

    def _settle_all(self, calls: int) -> None:
        """Write down that all rows here have converged."""
        if self.rows is not None:
            self._settle(np.arange(self.width), _CONVERGED, calls)
            return
        status, spent = np.empty(self.batch, np.int8), np.empty(self.batch, np.int32)
        status.fill(_CONVERGED)
        spent.fill(calls)
        self.ends = (self.best, status, spent)
        self.iterates.settle_all()
        self.searching, self.left = np.zeros(self.width, bool), 0

    def _settle(self, ended: Array, status: Array | int, calls: int) -> None:
        """Write down what came of some rows here: none of them is looked at again."""
        if self.ends is None:
            kind = np.float64 if self.dtype == torch.float64 else np.float32
            self.ends = tuple(np.empty(self.batch, part) for part in (kind, np.int8, np.int32))
        rows = ended if self.rows is None else self.rows[ended]
        best = self.best[ended] if self.best.ndim else self.best
        self.iterates.settle(ended, rows)
        for end, found in zip(self.ends, (best, status, calls), strict=True):
            end[rows] = found
        self.searching = self._active().copy()
        self.searching[ended] = False
        self.left -= len(ended)

    def _note(self, value: Array, calls: int) -> None:
        """Keep this check."""
        assert self.counter is not None, "only a traced solve is noted"
        seconds = perf_counter() - self.begun
        spent = self.counter.equivalents(self.batch) - self.spent
        rows = np.arange(self.batch) if self.rows is None else self.rows.copy()
        residual = torch.from_numpy(value.copy())
        self.trace.append(TracePoint(calls, spent, seconds, torch.from_numpy(rows), residual))

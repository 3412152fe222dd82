"""The judge of a batch: residuals, statuses and best iterates by sample, one transfer to the host a check."""

from __future__ import annotations

from time import perf_counter

import torch
from torch import Tensor

from deqbench.equilibria.best_iterates import BestIterates
from deqbench.equilibria.judging import (
    BLOW_UP,
    FALL_FAR,
    FALL_NEAR,
    PATIENCE_FAR,
    PATIENCE_NEAR,
    RUNAWAY,
    WINDOW,
    Past,
    SolveStatus,
    Stop,
    TracePoint,
    Verdict,
    numbers_of,
    row_norms,
    scaled_norms,
)
from deqbench.equilibria.maps import Counter, flat_rows


class BatchJudge:
    """Keeps, per sample, the best finite iterate, its residual, its status and the calls it took.

    Rows that are done stay in the layout, untouched, until :meth:`compact` drops them. What becomes of a
    row is decided on its device; only how many samples search on, and how many came nearer, is
    read by the host, once a check, or twice where squares underflow.

    Args:
        z0: Start, (B, *s): what a sample returns that never had a finite residual.
        stop: Tolerance and norm.
        image: Whether to keep f(z) rather than z; its graph is one call longer.
        trace: What has been spent is read from it at every check, and every check kept; None: none is.
    """

    def __init__(self, z0: Tensor, stop: Stop, *, image: bool = False, trace: Counter | None = None) -> None:
        self.dtype, self.tiny, trusted, self.near, self.far = numbers_of(z0.dtype, z0.shape[1:].numel())
        self.order = 1 if stop.norm == "l1" else 2
        self.relative = stop.norm == "relative"
        self.stop = stop
        self.image = image
        self.width = self.left = z0.shape[0]  # rows here, and those of them that search
        self.iterates = BestIterates(z0)
        self.residual = z0.new_full((self.width,), torch.inf, dtype=self.dtype)
        self.status = torch.full_like(self.residual, int(SolveStatus.MAX_CALLS), dtype=torch.int8)
        self.calls = torch.zeros_like(self.residual, dtype=torch.int32)
        # A tensor of one element: a number would be wrapped anew for every comparison.
        self.bound = z0.new_full((), stop.tolerance_for(z0.dtype), dtype=self.dtype)
        self.trusted = trusted if self.order == 2 else 0.0
        # A relative residual near to rounding has met a tolerance that is not.
        self.may_stall = not (self.relative and stop.tolerance_for(z0.dtype) >= self.far)
        self.look_at = WINDOW  # calls at which runaways and stalled rows are looked for
        self.past: Past[Tensor] = Past()
        self.rows: Tensor | None = None  # original place of each row; None while all are here
        self.active: Tensor | None = None  # rows still searching; None while all of width are
        # ||f(z) - z|| at the first and at the last check, and ||f(z)|| at the last
        self.first = self.gap = self.size = self.residual
        self.fresh = True
        self.layouts: list[tuple[Tensor | None, Verdict]] = []  # before each compaction
        self.trace: list[TracePoint] = []
        self.counter = trace
        self.batch = self.width
        self.spent = 0.0 if trace is None else trace.equivalents(self.batch)
        self.begun = perf_counter()

    def observe(self, z: Tensor, fz: Tensor, calls: int) -> int:
        """Judge the iterates of all rows and return how many samples still search."""
        with torch.no_grad():
            value = self._measure(z, fz)
            value, searching, better, left, gained = self._decide(value, z, fz, calls)
        if self.counter is not None:
            self._note(value, calls)
        point = fz if self.image else z
        if left < self.left:
            self._close(z, fz, searching, calls, all_gained=gained == self.width)
            self.active, self.left = searching, left
        elif gained == self.width:
            # All came nearer and none is done: the common case copies nothing.
            self.residual = value
            self.iterates.take(point)
        elif gained:
            self.residual = torch.where(better, value, self.residual)
            self.iterates.take_rows(point, better)
        return self.left

    def _decide(
        self, value: Tensor, z: Tensor, fz: Tensor, calls: int
    ) -> tuple[Tensor, Tensor, Tensor, int, int]:
        """Return the residuals, which rows search on and which came nearer, (K,), and how many they are."""
        searching, better = value > self.bound, value < self.residual  # a NaN is neither
        small = self.gap < self.trusted
        if self.active is not None:
            searching, better, small = searching & self.active, better & self.active, small & self.active
        small = small & ~searching
        if calls >= self.look_at:
            searching = searching & ~self._hopeless(fz, calls)
        left, gained, doubtful = torch.stack((searching, better, small)).sum(1).tolist()
        if not doubtful:
            return value, searching, better, left, gained
        # Squares have left the range of the type: those rows are measured again, which is read once more.
        value = self._measure_small(z, fz, small)
        again = small & (value > self.bound)
        searching = searching | again
        better = torch.where(small, value < self.residual, better)
        left, gained = torch.stack((searching, better)).sum(1).tolist()
        return value, searching, better, left, gained

    def _measure_small(self, z: Tensor, fz: Tensor, small: Tensor) -> Tensor:
        """Measure some rows without squares that underflow; return the residuals of all."""
        z, fz = z.to(self.dtype), fz.to(self.dtype)
        gap = torch.where(small, scaled_norms(fz - z), self.gap)
        self.first = gap if self.first is self.gap else self.first  # the first check
        self.gap = gap
        if not self.relative:
            return self.gap
        self.size = torch.where(small, scaled_norms(fz), self.size)
        return self.gap / self.size

    def give_up(self, calls: int) -> None:
        """Close the samples that still search: their calls are spent."""
        active = self._active()
        self.calls = self.calls.masked_fill(active, calls)
        far = active & (self.gap > RUNAWAY * self.first)
        self.status = self.status.masked_fill(far, int(SolveStatus.DIVERGED))

    def concede(self, calls: int) -> None:
        """Close the samples that still search although their solver has ended: they are stalled."""
        active = self._active()
        self.calls = self.calls.masked_fill(active, calls)
        self.status = self.status.masked_fill(active, int(SolveStatus.STALLED))

    def compact(self) -> Tensor:
        """Drop the rows that are done; return the places of those kept, (K,) int64."""
        # Their number is known, so they are found without asking the device.
        kept = self._active().to(torch.int8).argsort(descending=True, stable=True)[: self.left]
        self.layouts.append((self.rows, self._layout()))
        self.iterates = BestIterates(self.iterates.merged().index_select(0, kept))
        for name in ("residual", "status", "calls", "first", "gap", "size"):
            setattr(self, name, getattr(self, name).index_select(0, kept))
        self.past.marks = [(calls, best.index_select(0, kept)) for calls, best in self.past.marks]
        self.rows = kept if self.rows is None else self.rows.index_select(0, kept)
        self.width, self.active = self.left, None
        return kept

    def verdict(self) -> Verdict:
        """Return what came of all samples, in their original order."""
        layouts = [*self.layouts, (self.rows, self._layout())]
        whole = layouts[0][1]
        for rows, part in layouts[1:]:
            assert rows is not None, "only the first layout holds every row"
            whole = Verdict(*(old.index_copy(0, rows, new) for old, new in zip(whole, part, strict=True)))
        return whole

    def _layout(self) -> Verdict:
        return Verdict(self.iterates.merged(), self.residual, self.status, self.calls)

    def _active(self) -> Tensor:
        return torch.ones_like(self.status, dtype=torch.bool) if self.active is None else self.active

    def _measure(self, z: Tensor, fz: Tensor) -> Tensor:
        """Return the residuals, (K,); NaN where f(z) = z = 0, which :meth:`_close` sees to."""
        if fz.dtype != self.dtype:
            z, fz = z.to(self.dtype), fz.to(self.dtype)
        self.gap = row_norms(fz - z, self.order)
        if self.fresh:
            self.first, self.fresh = self.gap, False
        if not self.relative:
            return self.gap
        self.size = row_norms(fz, self.order)
        return self.gap / self.size

    def _hopeless(self, fz: Tensor, calls: int) -> Tensor:
        """Which rows have run away, or are near to rounding and no longer fall."""
        blown = self.gap > BLOW_UP * self.first
        self.look_at = calls + WINDOW
        if not self.may_stall:
            return blown
        best = self.residual
        self.past.remember(calls, best)
        size = 1.0 if self.relative else row_norms(fz.to(self.dtype), self.order)
        for patience, fall, zone in (
            (PATIENCE_NEAR, FALL_NEAR, self.near),
            (PATIENCE_FAR, FALL_FAR, self.far),
        ):
            before = self.past.before(calls - patience)
            if before is not None:
                blown = blown | ((best > fall * before) & (best <= zone * size))
        return blown

    def _close(self, z: Tensor, fz: Tensor, searching: Tensor, calls: int, *, all_gained: bool) -> None:
        """Write down the rows that end here; no row's fate touches another's."""
        active, gap, value = self._active(), self.gap, self.gap
        ended = active & ~searching
        if self.relative:
            value = gap / self.size.clamp_min(self.tiny)
        better = active & (value < self.residual)
        better = better & self._sort_ended(z, fz, ended, value)
        self.calls = self.calls.masked_fill(ended, calls)
        self.residual = torch.where(better, value, self.residual)
        point = fz if self.image else z
        if all_gained:
            self.iterates.take(point)
        else:
            self.iterates.take_rows(point, better)

    def _sort_ended(self, z: Tensor, fz: Tensor, ended: Tensor, value: Tensor) -> Tensor:
        """Write the status of the rows that end here; return which rows' residuals are finite, (K,)."""
        finite = torch.isfinite(self.gap)
        if self.relative:
            finite = finite & torch.isfinite(self.size)
        blown = ~finite | (self.gap > BLOW_UP * self.first)
        for mask, name in (
            (ended, SolveStatus.STALLED),
            (ended & blown, SolveStatus.DIVERGED),
            (ended & ~self._whole(z, fz, finite), SolveStatus.NON_FINITE),
            (ended & finite & (value <= self.bound), SolveStatus.CONVERGED),
        ):
            self.status = self.status.masked_fill(mask, int(name))
        return finite

    def _whole(self, z: Tensor, fz: Tensor, finite: Tensor) -> Tensor:
        """Which rows hold no NaN and no infinity, although their squares may overflow."""
        # vector_norm takes twenty times as long for its infinite order.
        largest = torch.maximum(flat_rows(z).abs().amax(1), flat_rows(fz).abs().amax(1))
        return finite | torch.isfinite(largest)

    def _note(self, value: Tensor, calls: int) -> None:
        """Keep this check; the device has done all that was asked of it, for the host has read from it."""
        assert self.counter is not None, "only a traced solve is noted"
        seconds = perf_counter() - self.begun
        spent = self.counter.equivalents(self.batch) - self.spent
        rows = torch.arange(self.width, device=value.device) if self.rows is None else self.rows
        self.trace.append(TracePoint(calls, spent, seconds, rows, value))

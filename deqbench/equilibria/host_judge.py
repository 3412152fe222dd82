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
from deqbench.equilibria.host_ends import End, HostEnds, HostVerdict, picked
from deqbench.equilibria.host_iterates import HostIterates
from deqbench.equilibria.host_losses import HostLosses
from deqbench.equilibria.host_residuals import HostResiduals
from deqbench.equilibria.judging import BLOW_UP, RUNAWAY, SolveStatus, Stop, TracePoint
from deqbench.equilibria.maps import Counter

Array = NDArray[Any]
_CONVERGED, _DIVERGED = SolveStatus.CONVERGED, SolveStatus.DIVERGED


class HostJudge:
    """Keeps, per sample, the best finite iterate, its residual, its status and the calls it took.

    What came of a sample is noted when it is done; its row stays in the layout, and is passed over, until
    :meth:`compact` drops it. ``rows`` says which row of the batch each row is. Arrays are replaced, not
    written to, once something else may hold them.

    Args:
        z0: Start, (B, *s): what a sample returns that never had a finite residual.
        stop: Tolerance and norm.
        image: Whether to keep f(z) rather than z; its graph is one call longer.
        trace: What has been spent is read from it at every check, and every check kept; None: none is.
    """

    # What every search begins with is the class's: what is run once between two calls of a map runs cold.
    rows: Array | None = None  # of the batch; None: all of them
    done: Array | None = None  # which rows here search no longer, (K,) bool; None: no row
    spent = begun = 0.0

    def __init__(self, z0: Tensor, stop: Stop, *, image: bool = False, trace: Counter | None = None) -> None:
        self.residuals = residuals = HostResiduals(z0, stop)
        self.tolerance = stop.tolerance_for(z0.dtype)
        self.losses = HostLosses(residuals, self.tolerance)
        self.stop, self.image = stop, image
        self.width = self.left = self.batch = z0.shape[0]  # rows here, those that search, those of all
        self.iterates = HostIterates(z0)
        # So far, of the rows that search, (K,); one number, infinity, while no sample has any.
        self.best: Array = residuals.gap
        self.ends = HostEnds(z0)
        self.trace: list[TracePoint] = []
        self.counter = trace
        if trace is not None:
            self.spent, self.begun = trace.equivalents(self.batch), perf_counter()

    @property
    def active(self) -> Tensor | None:
        """Which rows here still search, (K,) bool; None while all do."""
        return None if self.done is None else torch.from_numpy(~self.done)

    @quiet
    def observe(self, z: Tensor, fz: Tensor, calls: int) -> int:
        """Judge the iterates of all rows and return how many samples still search."""
        value = self.residuals.of(z, fz)
        if self.counter is not None:
            self._note(value, calls)
        # An extreme's place is found in half the time that a comparison and its count take; a NaN is one.
        lost = None
        if calls >= self.losses.due and not value[value.argmax()] <= self.tolerance:
            lost = self.losses.of(self.best, self.done, fz, calls)
        good = value < self.best  # a NaN is not
        if self.done is None:
            clear = good[good.argmin()] and value[value.argmin()] > self.tolerance
        else:
            good &= value > self.tolerance
            good |= self.done
            clear = good[good.argmin()]
        if clear and lost is None:
            self._keep(value, fz if self.image else z, None)
            return self.left
        return self._sort(z, fz, value, lost, calls)

    @quiet
    def glance(self, z: Tensor, fz: Tensor, early: Array, calls: int) -> int:
        """Close the samples that end here, but for the rows ``early``, (K,) bool; return how many search on.

        Of those nothing is taken, be it better than what they have: it was not for them to be seen.
        """
        value = self.residuals.of(z, fz)
        going = value > self.tolerance  # a NaN is not
        going |= early
        if self.done is not None:
            going |= self.done
        if going[going.argmin()]:
            return self.left
        point, some = fz if self.image else z, (~going).nonzero()[0]
        last = value[some]
        if last[last.argmax()] <= self.tolerance and self._trusted():  # a NaN is greatest
            self._end(some, _CONVERGED, calls, (last, picked(point, some)))
            return self.left
        value, ended, fates = self._closely(z, fz, value, ~going, None)
        better = np.zeros(self.width, bool)
        better[ended] = value[ended] < self.best[ended]
        self._keep(value, point, better)
        if len(ended):
            self._end(ended, fates, calls)
        return self.left

    @quiet
    def give_up(self, calls: int) -> None:
        """Close the samples that still search: their calls are spent."""
        gap, first, ended = self.residuals.gap, self.residuals.first, self._searching()
        fates: Array = np.full(len(ended), SolveStatus.MAX_CALLS)
        if first.ndim:
            fates[gap[ended] > RUNAWAY * first[ended]] = _DIVERGED
        self._end(ended, fates, calls)

    def concede(self, calls: int) -> None:
        """Close the samples that still search although their solver has ended: they are stalled."""
        if self.left:
            self._end(self._searching(), SolveStatus.STALLED, calls)

    def compact(self) -> Tensor:
        """Drop the rows that are done; return the places of those kept, (K,) int64."""
        kept = self._searching()
        places = torch.from_numpy(kept)
        self.iterates.narrow(kept, places)
        self.residuals.narrow(kept)
        self.rows = kept if self.rows is None else self.rows[kept]
        self.best = self.best[kept]
        self.losses.narrow(kept)
        self.width, self.done = self.left, None
        return places

    def verdict(self) -> HostVerdict:
        """Return what came of all samples, in their original order."""
        if self.left:  # an external solver's, which may end unasked, or a caller that looks early
            self._end(self._searching(), SolveStatus.MAX_CALLS, 0)
        return self.ends.verdict()

    def _searching(self) -> Array:
        """Return the places of the rows that search."""
        return np.arange(self.width) if self.done is None else (~self.done).nonzero()[0]

    def _sort(self, z: Tensor, fz: Tensor, value: Array, lost: Array | None, calls: int) -> int:
        """Close the samples that end here and keep what is better; no sample's fate touches another's."""
        point, done = fz if self.image else z, self.done
        worst = value[value.argmax()]  # a NaN is greatest
        if lost is None and worst <= self.tolerance and self._trusted():  # all have converged
            self._keep(value, point, None)
            self._end(self._searching(), _CONVERGED, calls)
            return self.left
        going = value > self.tolerance
        if done is not None:
            going |= done
            if not worst < np.inf:  # is it one that searches?
                worst = np.where(done, 0, value).max()
        fates: Array | SolveStatus = _CONVERGED
        ended = (~going).nonzero()[0]
        if lost is not None or not worst < np.inf or (len(ended) and not self._trusted()):
            strange = ~going | ~(value < np.inf)
            if done is not None:
                strange &= ~done
            value, ended, fates = self._closely(z, fz, value, strange, lost)
        better = value < self.best
        self._keep(value, point, better if done is None else better | done)
        if len(ended):
            self._end(ended, fates, calls)
        return self.left

    def _keep(self, value: Array, point: Tensor, better: Array | None) -> None:
        """Let the best be these residuals and this point in the rows ``better``, (K,) bool; None: in all."""
        if better is None or better[better.argmin()]:
            self.best = value
            self.iterates.take(point)
        elif better[better.argmax()]:
            self.best = np.where(better, value, self.best)
            self.iterates.take_some(point, better, self.done)

    def _trusted(self) -> bool:
        """Whether no square has underflowed."""
        gap = self.residuals.gap
        return bool(gap[gap.argmin()] >= self.residuals.trusted)

    def _closely(
        self, z: Tensor, fz: Tensor, value: Array, strange: Array, lost: Array | None
    ) -> tuple[Array, Array, Array]:
        """Return the residuals, and which rows end here and how, of those that are strange or lost."""
        some = (strange if lost is None else strange | lost).nonzero()[0]
        value = self.residuals.closely(z, fz, value, some)
        over = ~(value[some] > self.tolerance)
        if lost is not None:
            over |= lost[some]
        ended = some[over]
        return value, ended, self._fates(z, fz, value, ended)

    def _fates(self, z: Tensor, fz: Tensor, value: Array, ended: Array) -> Array:
        """Return the statuses of the rows that end here, their residuals NaN where they are not finite."""
        residuals = self.residuals
        last, blown = value[ended], residuals.gap[ended] > BLOW_UP * residuals.first[ended]
        status = np.where(blown, _DIVERGED, SolveStatus.STALLED)
        status[last <= self.tolerance] = _CONVERGED
        strange = np.isnan(last).nonzero()[0]
        if len(strange):
            here = ended[strange]
            pair = [residuals.flat(point)[here] for point in (z, fz)]
            whole = np.isfinite(pair[0]).all(1) & np.isfinite(pair[1]).all(1)
            status[strange] = np.where(whole, _DIVERGED, SolveStatus.NON_FINITE)
        return status

    def _end(
        self,
        ended: Array,
        fates: Array | SolveStatus,
        calls: int,
        found: tuple[Array, Tensor | Array] | None = None,
    ) -> None:
        """Note what came of the rows at these places, which search no longer.

        ``found``: their residuals and points; None: the best so far.
        """
        if len(ended) == self.batch and found is None:
            self.ends.add(End(None, self.best, fates, calls), self.iterates.of(None))
        else:
            rows = ended if self.rows is None else self.rows[ended]
            residual, points = found or (self.best[ended], self.iterates.of(ended))
            self.ends.add(End(rows, residual, fates, calls), points)
            if self.done is None:
                self.done = np.zeros(self.width, bool)
            self.done[ended] = True
        self.left -= len(ended)

    def _note(self, value: Array, calls: int) -> None:
        """Keep this check."""
        assert self.counter is not None, "only a traced solve is noted"
        seconds = perf_counter() - self.begun
        spent = self.counter.equivalents(self.batch) - self.spent
        rows = np.arange(self.batch) if self.rows is None else self.rows.copy()
        residual = torch.from_numpy(value.copy())
        self.trace.append(TracePoint(calls, spent, seconds, torch.from_numpy(rows), residual))

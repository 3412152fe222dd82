"""The judge of a few samples on the CPU: the rules of :mod:`deqbench.equilibria.batch_judge` on lists.

Reading from the CPU waits for nothing, and a list of some dozen numbers is gone through faster than one
operation on tensors is dispatched. Where every sample came nearer and none is done, the common case, a check
is a difference, two norms, a quotient and two passes over its list.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import compress
from operator import gt, itemgetter, lt
from time import perf_counter

import torch
from torch import Tensor

from deqbench.equilibria.best_iterates import FewIterates
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
from deqbench.equilibria.maps import Counter

FEW = 128
"""Rows up to which a list is faster than five operations on tensors."""


class FewJudge:
    """Keeps, per sample, the best finite iterate, its residual, its status and the calls it took.

    The lists hold one entry for each sample that still searches; ``at`` says which row it is here,
    ``rows`` which row of the batch that is.

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
        self.iterates = FewIterates(z0)
        self.at = list(range(self.width))
        self.rows = self.searching = self.at  # of the batch: of all rows here, of those that search
        self.pick: Callable[[list[float]], Sequence[float]] | None = None  # those that search; None: all
        self.best: Sequence[float] = [math.inf] * self.width
        self.limits: list[float] | None = None  # ||f(z) - z|| at which a sample has run away
        self.past: Past[tuple[list[int], Sequence[float]]] = Past()  # with the rows of the batch
        self.look_at = WINDOW
        self.gap = self.size = z0  # of all rows here, at the last check
        self.residual = [math.inf] * self.batch
        self.status = [int(SolveStatus.MAX_CALLS)] * self.batch
        self.calls = [0] * self.batch
        self.trace: list[TracePoint] = []
        self.counter = trace
        self.spent = 0.0 if trace is None else trace.equivalents(self.batch)
        self.begun = perf_counter() if trace is not None else 0.0

    @property
    def active(self) -> Tensor | None:
        """Which rows here still search, (K,) bool; None while all do."""
        if self.left == self.width:
            return None
        searching = set(self.at)
        return torch.tensor([row in searching for row in range(self.width)])

    def observe(self, z: Tensor, fz: Tensor, calls: int) -> int:
        """Judge the iterates of all rows and return how many samples still search."""
        if torch.is_grad_enabled():
            with torch.no_grad():
                everyone = self._measure(z, fz)
        else:  # the usual case, and entering no_grad costs as much as a norm
            everyone = self._measure(z, fz)
        if self.counter is not None:
            self._note(everyone, calls)
        found = everyone if self.pick is None else self.pick(everyone)
        lost = self._hopeless(fz, calls) if calls >= self.look_at else None
        if lost is None and min(found) > self.tolerance and all(map(lt, found, self.best)):
            self.best = found  # all came nearer and none is done
            self.iterates.take(fz if self.image else z)
        else:
            self._sort(z, fz, list(found), lost, calls)
        return self.left

    def give_up(self, calls: int) -> None:
        """Close the samples that still search: their calls are spent."""
        limits = self.limits or [math.inf] * self.left
        runaway = [
            gap > RUNAWAY / BLOW_UP * limit for gap, limit in zip(self._of(self.gap), limits, strict=True)
        ]
        names = [SolveStatus.DIVERGED if far else SolveStatus.MAX_CALLS for far in runaway]
        self._settle(dict(enumerate(names)), calls)

    def concede(self, calls: int) -> None:
        """Close the samples that still search although their solver has ended: they are stalled."""
        self._settle(dict.fromkeys(range(self.left), SolveStatus.STALLED), calls)

    def compact(self) -> Tensor:
        """Drop the rows that are done; return the places of those kept, (K,) int64."""
        kept = torch.tensor(self.at, dtype=torch.int64)
        self.iterates.narrow(self.at)
        self.gap, self.size = (part.index_select(0, kept) for part in (self.gap, self.size))
        self.rows = [self.rows[place] for place in self.at]
        self.at, self.pick, self.width = list(range(self.left)), None, self.left
        return kept

    def verdict(self) -> Verdict:
        """Return what came of all samples, in their original order."""
        for row, best in zip(self.searching, self.best, strict=True):
            self.residual[row] = best
        if self.left:  # an external solver's, which may end unasked
            self.iterates.settle(list(range(self.left)), self.at, self.rows)
        return Verdict(
            self.iterates.whole(),
            torch.tensor(self.residual, dtype=self.dtype),
            torch.tensor(self.status, dtype=torch.int8),
            torch.tensor(self.calls, dtype=torch.int32),
        )

    def _of(self, values: Tensor) -> Sequence[float]:
        """Return the numbers of the samples that search."""
        numbers: list[float] = values.tolist()
        return numbers if self.pick is None else self.pick(numbers)

    def _measure(self, z: Tensor, fz: Tensor) -> list[float]:
        """Return the residuals of all rows; NaN where f(z) = z = 0, which :meth:`_ended` sees to."""
        if self.casts:
            z, fz = z.to(self.dtype), fz.to(self.dtype)
        self.gap = value = row_norms(fz - z, self.order)
        if self.relative:
            self.size = row_norms(fz, 2)
            value = self.gap / self.size
        if self.limits is None:
            self.limits = [BLOW_UP * gap for gap in self.gap.tolist()]
        found: list[float] = value.tolist()
        return found

    def _hopeless(self, fz: Tensor, calls: int) -> list[bool] | None:
        """Which samples have run away, or are near to rounding and no longer fall; None: none."""
        self.look_at = calls + WINDOW
        assert self.limits is not None, "something was measured"
        lost = list(map(gt, self._of(self.gap), self.limits))
        if self.may_stall:
            self.past.remember(calls, (self.searching, self.best))
            if not self.relative or min(self.best, default=math.inf) <= self.far:
                size: Sequence[float] = [1.0] * self.left
                if not self.relative:
                    size = self._of(row_norms(fz.detach().to(self.dtype), self.order))
                self._add_stalled(lost, size, calls)
        return lost if any(lost) else None

    def _add_stalled(self, lost: list[bool], size: Sequence[float], calls: int) -> None:
        for patience, fall, zone in (
            (PATIENCE_NEAR, FALL_NEAR, self.near),
            (PATIENCE_FAR, FALL_FAR, self.far),
        ):
            mark = self.past.before(calls - patience)
            if mark is not None:
                known = dict(zip(*mark, strict=True))
                before = [known[row] for row in self.searching]
                for i, (best, old, unit) in enumerate(zip(self.best, before, size, strict=True)):
                    lost[i] = lost[i] or (best > fall * old and best <= zone * unit)

    def _sort(self, z: Tensor, fz: Tensor, found: list[float], lost: list[bool] | None, calls: int) -> None:
        """Close the samples that end here and keep what is better; no sample's fate touches another's."""
        ended: dict[int, SolveStatus] = {}
        if lost is not None or not min(found) > self.tolerance or any(map(math.isnan, found)):
            sizes = self._of(self.size) if self.relative else [0.0] * self.left
            gaps = self._of(self.gap)
            for i, value in enumerate(found):
                gone = lost is not None and lost[i]
                if 0 < value <= self.tolerance and gaps[i] >= self.trusted and not gone:
                    ended[i] = SolveStatus.CONVERGED  # and no doubt: its size is finite
                elif gone or not value > self.tolerance:
                    found[i], status = self._ended(z, fz, i, gaps[i], sizes[i])
                    if gone or not found[i] > self.tolerance:
                        ended[i] = status
        better = list(map(lt, found, self.best))
        if any(better):
            self.best = [
                new if gain else old for new, old, gain in zip(found, self.best, better, strict=True)
            ]
            self.iterates.take_some(fz if self.image else z, better, self.at)
        if ended:
            self._settle(ended, calls)

    def _ended(self, z: Tensor, fz: Tensor, i: int, gap: float, size: float) -> tuple[float, SolveStatus]:
        """Return a sample's residual, NaN if it is not finite, and its status if it ends here."""
        place, limits = self.at[i], self.limits
        assert limits is not None, "something was measured"
        if gap < self.trusted or (self.relative and size < self.trusted):
            point, image = (part[place : place + 1].detach().to(self.dtype) for part in (z, fz))
            gap, size = scaled_norms(image - point).item(), scaled_norms(image).item()
            limits[i] = limits[i] or BLOW_UP * gap
        value = gap / max(size, self.tiny) if self.relative else gap
        if not math.isfinite(gap) or (self.relative and not math.isfinite(size)):
            whole = bool(torch.isfinite(z[place]).all()) and bool(torch.isfinite(fz[place]).all())
            return math.nan, SolveStatus.DIVERGED if whole else SolveStatus.NON_FINITE
        if value <= self.tolerance:
            return value, SolveStatus.CONVERGED
        return value, SolveStatus.DIVERGED if gap > limits[i] else SolveStatus.STALLED

    def _settle(self, ended: dict[int, SolveStatus], calls: int) -> None:
        """Write down what came of some samples, and forget them."""
        for i, status in ended.items():
            row = self.searching[i]
            self.status[row], self.calls[row], self.residual[row] = int(status), calls, self.best[i]
        self.iterates.settle(list(ended), self.at, self.rows)
        keep = [i not in ended for i in range(self.left)]
        self.iterates.forget(keep)
        self.at, self.best = list(compress(self.at, keep)), list(compress(self.best, keep))
        self.limits = None if self.limits is None else list(compress(self.limits, keep))
        self.searching = list(compress(self.searching, keep))
        self.left = len(self.at)
        self.pick = _picker(self.at)

    def _note(self, value: list[float], calls: int) -> None:
        """Keep this check."""
        assert self.counter is not None, "only a traced solve is noted"
        seconds = perf_counter() - self.begun
        spent = self.counter.equivalents(self.batch) - self.spent
        residual = torch.tensor(value, dtype=self.dtype)
        self.trace.append(TracePoint(calls, spent, seconds, torch.tensor(self.rows), residual))


def _picker(places: list[int]) -> Callable[[list[float]], Sequence[float]]:
    """Return what takes the entries at some places out of a list."""
    if len(places) < 2:
        return lambda values: [values[place] for place in places]
    return itemgetter(*places)

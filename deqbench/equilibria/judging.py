"""When a sample's search ends: per-sample residuals, statuses and best iterates, for every solver alike.

The judge sees pairs (z, f(z)) that the counted map vouches for. It never asks a solver anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from enum import IntEnum
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from deqbench.equilibria.maps import Counter, flat_rows
from deqbench.errors import ConfigurationError

Norm = Literal["relative", "absolute", "l1"]

FLOOR = 8.0
"""Residuals below this many rounding units of ||f(z)|| may be stuck on rounding."""
PATIENCE = 20
"""Calls without improvement, so near to rounding, before a sample is called stalled."""
BLOW_UP = 1e8
"""Growth of ||f(z) - z|| over its first value at which a sample is given up as diverged."""


class SolveStatus(IntEnum):
    """How one sample's search ended; only ``CONVERGED`` met the tolerance."""

    CONVERGED = 0
    MAX_CALLS = 1
    STALLED = 2
    DIVERGED = 3
    NON_FINITE = 4


@dataclass(frozen=True)
class Stop:
    """When to stop looking for an equilibrium.

    Attributes:
        tolerance: Largest residual that counts as solved, per sample, > 0.
        max_calls: Most calls of the map on any sample, >= 1. A solver that needs several calls a step
            may pass it by the rest of one step.
        norm: ``relative``: ||f(z) - z||_2 / ||f(z)||_2; ``absolute``: ||f(z) - z||_2;
            ``l1``: ||f(z) - z||_1, the norm in which the DELM's map contracts.
        check_every: Steps between two checks of the residual; each check costs one synchronisation.

    Raises:
        ConfigurationError: A value is out of range.
    """

    tolerance: float = 1e-4
    max_calls: int = 100
    norm: Norm = "relative"
    check_every: int = 1

    def __post_init__(self) -> None:
        mistakes = []
        if not self.tolerance > 0:
            mistakes.append(f"tolerance is {self.tolerance}; give a number > 0.")
        if self.max_calls < 1:
            mistakes.append(f"max_calls is {self.max_calls}; give a whole number >= 1.")
        if self.norm not in ("relative", "absolute", "l1"):
            mistakes.append(f"norm is {self.norm!r}; give 'relative', 'absolute' or 'l1'.")
        if self.check_every < 1:
            mistakes.append(f"check_every is {self.check_every}; give a whole number >= 1.")
        if mistakes:
            raise ConfigurationError(mistakes, where="Stop")


class TracePoint(NamedTuple):
    """One check: what was spent until then, the samples still looked at (K,), and their residuals (K,).

    Attributes:
        calls: Calls of the map on a batch, as a sample in it counts them.
        equivalents: Map-equivalents spent on the whole batch: see ``Counter.equivalents``.
        seconds: Wall time since the solve began, the device synchronised.
        rows: Places of the samples in the batch, (K,).
        residual: Their residuals, (K,).
    """

    calls: int
    equivalents: float
    seconds: float
    rows: Tensor
    residual: Tensor


class _Check(NamedTuple):
    """What one check measures, each (K,) over the samples still computed."""

    gap: Tensor  # ||f(z) - z||
    size: Tensor  # ||f(z)||
    value: Tensor  # the residual that the tolerance is about


class _Rows(NamedTuple):
    """What is known of some samples: the best iterate, its residual, status and calls spent."""

    z: Tensor  # (K, *s)
    residual: Tensor  # (K,)
    status: Tensor  # (K,) int8
    calls: Tensor  # (K,) int32


class Judge:
    """Keeps, per sample, the best finite iterate, its residual, its status and the calls it took.

    Rows that are done stay in the layout, untouched, until :meth:`compact` drops them.

    Args:
        z0: Start, (B, *s): what a sample returns that never had a finite residual.
        stop: Tolerance and norm.
        image: Whether to keep f(z) rather than z; its graph is one call longer.
        trace: What has been spent is read from it at every check, and every check kept; None: none is.
    """

    def __init__(
        self, z0: Tensor, stop: Stop, *, image: bool = False, trace: Counter | None = None
    ) -> None:
        half = z0.dtype in (torch.float16, torch.bfloat16)
        self.dtype = torch.float32 if half else z0.dtype  # squares overflow in half precision
        self.unit = torch.finfo(z0.dtype).eps
        self.tiny = torch.finfo(self.dtype).tiny
        self.stop = stop
        self.image = image
        self.width = z0.shape[0]
        self.best = _Rows(
            z0,
            z0.new_full((self.width,), torch.inf, dtype=self.dtype),
            torch.full((self.width,), SolveStatus.MAX_CALLS, dtype=torch.int8, device=z0.device),
            torch.zeros(self.width, dtype=torch.int32, device=z0.device),
        )
        self.rows: Tensor | None = None  # original index of each row; None while all are here
        self.active: Tensor | None = None  # rows still searching; None while all of width are
        self.improved: Tensor | int = 0  # calls at each row's last improvement
        self.first: Tensor | None = None  # ||f(z) - z|| at the first check
        self.gap: Tensor | None = None  # the same at the last check
        self.layouts: list[tuple[Tensor | None, _Rows]] = []  # before each compaction
        self.trace: list[TracePoint] = []
        self.counter = trace
        self.batch = self.width
        self.spent = 0.0 if trace is None else trace.equivalents(self.batch)
        self.begun = perf_counter()

    def observe(self, z: Tensor, fz: Tensor, calls: int) -> int:
        """Judge the iterates of all rows and return how many samples still search."""
        with torch.no_grad():
            check = self._measure(z, fz)
            low, high, rise = self._summary(check.value)
        if self.counter is not None:
            # The summary was read on the host: the device has done all that was asked of it.
            seconds = perf_counter() - self.begun
            spent = self.counter.equivalents(self.batch) - self.spent
            rows = torch.arange(self.width, device=z.device) if self.rows is None else self.rows
            self.trace.append(TracePoint(calls, spent, seconds, rows, check.value))
        point = fz if self.image else z
        if self.active is None and rise < 0 and low > self.stop.tolerance:
            # All improved and none is done: the common case copies nothing.
            self.best = self.best._replace(z=point, residual=check.value)
            self.improved = calls
            return self.width
        if self.active is None and high <= self.stop.tolerance and bool(torch.isfinite(check.size).all()):
            status = torch.full_like(self.best.status, SolveStatus.CONVERGED)
            self.best = _Rows(point, check.value, status, torch.full_like(self.best.calls, calls))
            return 0
        return self._judge_rows(z, fz, check, calls)

    def give_up(self, calls: int) -> None:
        """Close the samples that still search: their calls are spent."""
        active = self._active()
        self.best.calls[active] = calls
        if self.first is not None and self.gap is not None:
            # What ended a thousand times farther than it began was not on its way.
            self.best.status[active & (self.gap > 1e3 * self.first)] = SolveStatus.DIVERGED

    def concede(self, calls: int) -> None:
        """Close the samples that still search although their solver has ended: they are stalled."""
        active = self._active()
        self.best.calls[active] = calls
        self.best.status[active] = SolveStatus.STALLED

    def compact(self) -> Tensor:
        """Drop the rows that are done; return the places of those kept, (K,) int64."""
        kept = self._active().nonzero().squeeze(1)
        self.layouts.append((self.rows, self.best))
        self.best = _Rows(*(part.index_select(0, kept) for part in self.best))
        self.rows = kept if self.rows is None else self.rows[kept]
        self.width, self.active = kept.shape[0], None
        self.first = None if self.first is None else self.first[kept]
        self.improved = self.improved[kept] if isinstance(self.improved, Tensor) else self.improved
        return kept

    def verdict(self) -> _Rows:
        """Return what came of all samples, in their original order."""
        layouts = [*self.layouts, (self.rows, self.best)]
        whole = layouts[0][1]
        for rows, part in layouts[1:]:
            assert rows is not None, "only the first layout holds every row"
            whole = _Rows(*(old.index_copy(0, rows, new) for old, new in zip(whole, part, strict=True)))
        return whole

    def _active(self) -> Tensor:
        if self.active is None:
            self.active = torch.ones_like(self.best.status, dtype=torch.bool)
        return self.active

    def _norm(self, x: Tensor) -> Tensor:
        order = 1 if self.stop.norm == "l1" else 2
        norm: Tensor = torch.linalg.vector_norm(flat_rows(x), order, dim=1, dtype=self.dtype)
        return norm

    def _measure(self, z: Tensor, fz: Tensor) -> _Check:
        gap, size = self._norm(fz - z), self._norm(fz)
        self.first = gap if self.first is None else self.first
        self.gap = gap
        if self.stop.norm == "relative":
            return _Check(gap, size, gap / size.clamp_min(self.tiny))
        return _Check(gap, size, gap)

    def _summary(self, value: Tensor) -> tuple[float, float, float]:
        """Return least and greatest residual and the greatest rise over the best, in one transfer."""
        if self.width == 1 and value.device.type == "cpu":
            only = value.item()
            return only, only, only - self.best.residual.item()
        low, high = torch.aminmax(value)
        numbers = torch.stack((low, high, (value - self.best.residual).amax())).tolist()
        return numbers[0], numbers[1], numbers[2]

    def _judge_rows(self, z: Tensor, fz: Tensor, check: _Check, calls: int) -> int:
        """Sort the rows into better, done and failed ones; no row's fate touches another's."""
        active = self._active()
        finite = torch.isfinite(check.gap) & torch.isfinite(check.size)
        better = active & finite & (check.value < self.best.residual)
        improved = torch.where(better, calls, self.improved)
        solved = finite & (check.value <= self.stop.tolerance)
        stuck = (check.gap <= FLOOR * self.unit * check.size) & (calls - improved >= PATIENCE)
        blown = self._blown(z, fz, check.gap, finite)
        status = self.best.status
        for mask, name in (
            (stuck, SolveStatus.STALLED),
            (~finite, SolveStatus.NON_FINITE),
            (blown, SolveStatus.DIVERGED),
            (solved, SolveStatus.CONVERGED),
        ):
            status = torch.where(active & mask, int(name), status).to(torch.int8)
        ended = active & (solved | stuck | blown | ~finite)
        spread = better.reshape(-1, *[1] * (z.dim() - 1))
        self.best = _Rows(
            torch.where(spread, fz if self.image else z, self.best.z),
            torch.where(better, check.value, self.best.residual),
            status,
            torch.where(ended, calls, self.best.calls).to(torch.int32),
        )
        self.improved, self.active = improved, active & ~ended
        return int(self.active.sum())

    def _blown(self, z: Tensor, fz: Tensor, gap: Tensor, finite: Tensor) -> Tensor:
        """Which rows ran away: a residual grown past all hope, or too large to be squared."""
        assert self.first is not None, "a check was measured"
        grown = finite & (gap > BLOW_UP * self.first)
        if bool(finite.all()):
            return grown
        whole = flat_rows(torch.isfinite(z) & torch.isfinite(fz)).all(1)
        return grown | (~finite & whole)

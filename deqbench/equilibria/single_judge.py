"""The judge of one sample on the CPU: the rules of :mod:`deqbench.equilibria.batch_judge` in plain numbers.

For one small state the rules cost more than the map when every one of them is an operation on tensors.
"""

from __future__ import annotations

import math
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import blas
from torch import Tensor

from deqbench.equilibria.arrays import numbers
from deqbench.equilibria.judging import (
    BLOW_UP,
    FALL_FAR,
    FALL_NEAR,
    PATIENCE_FAR,
    PATIENCE_NEAR,
    RUNAWAY,
    WINDOW,
    Past,
    SingleVerdict,
    SolveStatus,
    Stop,
    TracePoint,
    numbers_of,
    scaled_norms,
)
from deqbench.equilibria.maps import Counter

_norm, _distance = torch.linalg.vector_norm, torch.dist  # looked up once
_DOT: dict[torch.dtype, Any] = {torch.float32: blas.sdot, torch.float64: blas.ddot}
_HUGE = {torch.float32: 1e36, torch.float64: 1e300}
"""Squares of lengths under which no difference and no square of one leaves the range of its type."""

_NONE = np.empty(0)
SMALL = 2**13
"""Entries up to which BLAS on views is faster than operations on tensors: dispatching is all they cost."""


class SingleJudge:
    """Keeps the best finite iterate of a batch of one, its residual, status and calls.

    Args:
        z0: Start, (1, *s): what is returned if no residual was ever finite.
        stop: Tolerance and norm.
        image: Whether to keep f(z) rather than z; its graph is one call longer.
        trace: What has been spent is read from it at every check, and every check kept; None: none is.
    """

    width = 1
    active: Tensor | None = None  # as the batch judge's: no row is done while others search
    # What every search begins with is the class's: what is run once between two calls of a map runs cold.
    seen: Tensor | None = None  # the last image, and its numbers
    row: NDArray[Any] = _NONE
    best = math.inf
    first = gap = value = math.nan
    look_at = WINDOW
    past: Past[float] | None = None
    status, calls = SolveStatus.MAX_CALLS, 0
    spent = begun = 0.0

    def __init__(self, z0: Tensor, stop: Stop, *, image: bool = False, trace: Counter | None = None) -> None:
        self.dtype, self.tiny, trusted, self.near, self.far = numbers_of(z0.dtype, z0.numel())
        self.order = 1 if stop.norm == "l1" else 2
        self.relative = stop.norm == "relative"
        self.trusted = trusted if self.order == 2 else 0.0
        self.tolerance = stop.tolerance_for(z0.dtype)
        self.stop, self.image, self.point = stop, image, z0
        self.dot = _DOT.get(z0.dtype) if 0 < z0.numel() <= SMALL and z0.is_cpu else None
        self.trace: list[TracePoint] = []
        self.counter = trace
        if trace is not None:
            self.spent, self.begun = trace.equivalents(1), perf_counter()

    def observe(self, z: Tensor, fz: Tensor, calls: int) -> int:
        """Judge the iterate and return 1 while the search goes on, else 0."""
        gap, size, value = self._lengths(z, fz)
        self.value = value
        if self.counter is not None:
            self._note(z, value, calls)
        if value < self.best:
            self.best, self.point = value, fz if self.image else z
        if value > self.tolerance:
            if calls < self.look_at:
                return 1
            if not gap > BLOW_UP * self.first:
                return self._close(SolveStatus.STALLED, calls) if self._stuck(fz, calls) else 1
        if value <= self.tolerance and size < math.inf:
            return self._close(SolveStatus.CONVERGED, calls)
        if bool(torch.isfinite(z).all()) and bool(torch.isfinite(fz).all()):
            return self._close(SolveStatus.DIVERGED, calls)
        return self._close(SolveStatus.NON_FINITE, calls)

    def give_up(self, calls: int) -> None:
        """Close the search: its calls are spent."""
        far = self.gap > RUNAWAY * self.first
        self._close(SolveStatus.DIVERGED if far else SolveStatus.MAX_CALLS, calls)

    def concede(self, calls: int) -> None:
        """Close the search although its solver has ended: it is stalled."""
        self._close(SolveStatus.STALLED, calls)

    def compact(self) -> Tensor:
        """Never needed: one sample is done or is not."""
        raise AssertionError("a batch of one cannot shrink")

    def verdict(self) -> SingleVerdict:
        """Return what came of the sample."""
        return SingleVerdict(self.point, self.best, self.status, self.calls, self.dtype)

    def _close(self, status: SolveStatus, calls: int) -> int:
        self.status, self.calls = status, calls
        return 0

    def _lengths(self, z: Tensor, fz: Tensor) -> tuple[float, float, float]:
        """Return ||f(z) - z||, ||f(z)|| where it is asked for, and the residual."""
        lengths = None if self.dot is None else self._by_blas(z, fz, self.dot)
        if lengths is None:
            with torch.no_grad():
                lengths = self._by_tensors(z, fz)
        gap, size = lengths
        self.gap = gap
        if self.first != self.first:
            self.first = gap
        if not self.relative:
            return gap, 0.0, gap
        value = gap / max(size, self.tiny)
        return gap, size, value if size < math.inf else math.nan

    def _by_blas(self, z: Tensor, fz: Tensor, dot: Any) -> tuple[float, float] | None:
        """Return both lengths; None if they are not to be trusted, near the ends of the type's range."""
        image: NDArray[Any] = numbers(fz).reshape(-1)
        square, huge = dot(image, image), _HUGE[fz.dtype]
        if z is self.seen:  # the next point is this image, as often as not
            point, held = self.row, square < huge
        else:
            point = numbers(z).reshape(-1)
            held = square < huge and dot(point, point) < huge
        # What was copied is not kept: it may be out of date. Nor what is too large.
        self.seen, self.row = (fz if held and fz.is_contiguous() else None), image
        if not held:
            return None
        between = np.subtract(image, point)
        gap = math.sqrt(dot(between, between)) if self.order == 2 else float(np.abs(between).sum())
        sure = gap >= self.trusted or not np.count_nonzero(between)
        return (gap, math.sqrt(square)) if sure else None

    def _by_tensors(self, z: Tensor, fz: Tensor) -> tuple[float, float]:
        """Return both lengths, of any size and type."""
        if self.dtype != fz.dtype:
            z, fz = z.to(self.dtype), fz.to(self.dtype)
        gap = _distance(fz, z, self.order).item()
        size = _norm(fz).item() if self.relative else 0.0
        if gap < self.trusted:
            gap = scaled_norms(fz - z).item()
            size = scaled_norms(fz).item() if self.relative else 0.0
        return gap, size

    def _stuck(self, fz: Tensor, calls: int) -> bool:
        """Whether the residual is near to rounding and no longer falls."""
        self.look_at = calls + WINDOW
        self.past = past = self.past or Past()
        past.remember(calls, self.best)
        zone = 0.0
        for patience, fall, wide in (
            (PATIENCE_NEAR, FALL_NEAR, self.near),
            (PATIENCE_FAR, FALL_FAR, self.far),
        ):
            before = past.before(calls - patience)
            if before is not None and self.best > fall * before:
                zone = max(zone, wide)
        if not zone:
            return False
        size = 1.0 if self.relative else float(_norm(fz.detach().to(self.dtype), self.order))
        return self.best <= zone * size

    def _note(self, z: Tensor, value: float, calls: int) -> None:
        assert self.counter is not None, "only a traced solve is noted"
        seconds = perf_counter() - self.begun
        spent = self.counter.equivalents(1) - self.spent
        rows = torch.zeros(1, dtype=torch.int64, device=z.device)
        residual = torch.tensor([value], dtype=self.dtype, device=z.device)
        self.trace.append(TracePoint(calls, spent, seconds, rows, residual))

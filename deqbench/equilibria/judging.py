"""When a sample's search ends: the stop, the statuses, and the rules that both judges go by.

A judge sees pairs (z, f(z)) that the counted map vouches for. It never asks a solver anything.
:mod:`deqbench.equilibria.batch_judge` holds the rules for a batch, with one transfer to the host a check;
:mod:`deqbench.equilibria.single_judge` the same for one sample on the CPU, in plain numbers, and
:mod:`deqbench.equilibria.host_judge` for a batch on the CPU, on arrays.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, Literal, NamedTuple, TypeVar

import torch
from torch import Tensor

from deqbench.equilibria.maps import flat_rows
from deqbench.errors import ConfigurationError

Norm = Literal["relative", "absolute", "l1"]

FLOOR = 8.0
"""Residuals below this many rounding units of ||f(z)|| are near to rounding; those below 2 sqrt(d) may be."""
PATIENCE_NEAR, PATIENCE_FAR = 12, 28
"""Calls in which the best residual of such a sample must fall, or the sample is stalled."""
FALL_NEAR, FALL_FAR = 0.9, 0.99
"""The share of its value that it must fall under. A slow map's residual has plateaus of twenty calls."""
WINDOW = 4
"""Calls after which that is asked again, and whether a sample has run away."""
BLOW_UP = 1e8
"""Growth of ||f(z) - z|| over its first value at which a sample is given up as diverged."""
RUNAWAY = 1e3
"""Growth at which a sample whose calls are spent is called diverged: it was not on its way."""


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
        tolerance: Largest residual that counts as solved, per sample, > 0. None: what leaves a gradient
            of the state's type little but rounding; see :meth:`tolerance_for`.
        max_calls: Most calls of the map on any sample, >= 1. A solver that needs several calls a step
            may pass it by the rest of one step.
        norm: ``relative``: ||f(z) - z||_2 / ||f(z)||_2; ``absolute``: ||f(z) - z||_2;
            ``l1``: ||f(z) - z||_1, the norm in which the DELM's map contracts.
        check_every: Steps between two checks of the residual; each check costs one synchronisation. The
            start is checked too where every step is, and in a trace.
            ``auto``: one, but fixed-point iteration, untraced, passes the start unseen, and on the CPU
            the steps too that a sample's own fall leaves no doubt about (see :mod:`~.looks`).
            None: a fixed budget. Only the last iterate is judged, once ``max_calls`` are spent.

    Raises:
        ConfigurationError: A value is out of range.
    """

    tolerance: float | None = None
    max_calls: int = 1000
    norm: Norm = "relative"
    check_every: int | Literal["auto"] | None = "auto"

    def __post_init__(self) -> None:
        mistakes = []
        if self.tolerance is not None and not self.tolerance > 0:
            mistakes.append(f"tolerance is {self.tolerance}; give a number > 0, or None.")
        if self.max_calls < 1:
            mistakes.append(f"max_calls is {self.max_calls}; give a whole number >= 1.")
        if self.norm not in ("relative", "absolute", "l1"):
            mistakes.append(f"norm is {self.norm!r}; give 'relative', 'absolute' or 'l1'.")
        if self.check_every not in ("auto", None) and not (
            isinstance(self.check_every, int) and self.check_every >= 1
        ):
            given = repr(self.check_every)
            mistakes.append(f"check_every is {given}; give a whole number >= 1, 'auto' or None.")
        if mistakes:
            raise ConfigurationError(mistakes, where="Stop")

    def tolerance_for(self, dtype: torch.dtype) -> float:
        """Return the tolerance, or the default of this type of state; it is well above rounding."""
        return _TOLERANCES.get(dtype, 1e-6) if self.tolerance is None else self.tolerance


_TOLERANCES = {torch.float64: 1e-11, torch.float32: 1e-6, torch.float16: 4e-3, torch.bfloat16: 3e-2}


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


class Tally(NamedTuple):
    """How the samples of one solve fared, in sums; ``worst`` is their greatest residual."""

    samples: int
    unconverged: int
    non_finite: int
    calls: int
    worst: float


class Verdict(NamedTuple):
    """What came of some samples: the best iterate, its residual, status and calls spent."""

    z: Tensor  # (K, *s)
    residual: Tensor  # (K,)
    status: Tensor  # (K,) int8
    calls: Tensor  # (K,) int32

    def at(self, z: Tensor) -> Verdict:
        """Return the same of other iterates."""
        return self._replace(z=z)

    def tally(self) -> Tally:
        """Return the sums over the samples, K >= 1, in one transfer."""
        status = self.status
        missed, lost = status != SolveStatus.CONVERGED, status == SolveStatus.NON_FINITE
        sums = [part.sum(dtype=torch.float64) for part in (missed, lost, self.calls)]
        numbers = torch.stack((*sums, self.residual.amax().double())).tolist()
        return Tally(status.numel(), int(numbers[0]), int(numbers[1]), int(numbers[2]), numbers[3])


class SingleVerdict:
    """What came of one sample on the CPU, in numbers; tensors of one row are made for whoever asks.

    Args:
        z: The best iterate, (1, *s).
        best: Its residual.
        fate: Its status.
        spent: Calls.
        dtype: Type of ``residual``.
    """

    __slots__ = ("best", "dtype", "fate", "spent", "z")

    def __init__(self, z: Tensor, best: float, fate: SolveStatus, spent: int, dtype: torch.dtype) -> None:
        self.z, self.best, self.fate, self.spent, self.dtype = z, best, fate, spent, dtype

    @property
    def residual(self) -> Tensor:
        """As ``Verdict.residual``."""
        return torch.full((1,), self.best, dtype=self.dtype)

    @property
    def status(self) -> Tensor:
        """As ``Verdict.status``."""
        return torch.full((1,), int(self.fate), dtype=torch.int8)

    @property
    def calls(self) -> Tensor:
        """As ``Verdict.calls``."""
        return torch.full((1,), self.spent, dtype=torch.int32)

    def at(self, z: Tensor) -> SingleVerdict:
        """Return the same of another iterate."""
        return SingleVerdict(z, self.best, self.fate, self.spent, self.dtype)

    def tally(self) -> Tally:
        """Return the sums over the one sample."""
        fate = self.fate
        return Tally(1, int(fate != 0), int(fate == SolveStatus.NON_FINITE), self.spent, self.best)


class Numbers(NamedTuple):
    """What a judge must know of a type, and of the size of one sample's state.

    Attributes:
        measured: The type that residuals are measured in: squares overflow in half precision.
        tiny: Its least normal number.
        trusted: The 2-norm under which squares leave its range and the sum loses digits.
        near: The relative residual under which a sample is near to rounding.
        far: That under which it may be: sums of d products err by about sqrt(d) rounding units.
    """

    measured: torch.dtype
    tiny: float
    trusted: float
    near: float
    far: float


@functools.cache
def numbers_of(dtype: torch.dtype, entries: int) -> Numbers:
    """Return what a judge must know of states of a type, and of as many entries a sample."""
    measured = torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype
    kind, unit = torch.finfo(measured), torch.finfo(dtype).eps
    trusted = math.sqrt(kind.tiny / kind.eps)
    return Numbers(measured, kind.tiny, trusted, FLOOR * unit, max(FLOOR, 2 * math.sqrt(entries)) * unit)


def row_norms(x: Tensor, order: float) -> Tensor:
    """Return the norm of each sample of x, (B, *s), as (B,)."""
    flat = x if x.dim() == 2 else flat_rows(x)
    norm: Tensor = torch.linalg.vector_norm(flat, order, 1)
    return norm


def scaled_norms(x: Tensor) -> Tensor:
    """Return the 2-norm of each sample of x, (B, *s), as (B,), whatever its size: no square underflows."""
    flat = flat_rows(x)
    largest = flat.abs().amax(1, keepdim=True) if flat.shape[1] else flat.new_ones(len(flat), 1)
    largest = torch.where((largest > 0) & (largest < torch.inf), largest, 1.0)
    return row_norms(flat / largest, 2) * largest.squeeze(1)


Value = TypeVar("Value")


class Past(Generic[Value]):
    """The best residuals of some calls ago, remembered every ``WINDOW`` calls."""

    def __init__(self) -> None:
        self.marks: list[tuple[int, Value]] = []

    def remember(self, calls: int, best: Value) -> None:
        """Remember the best residual at this call, and forget what is older than anyone asks for."""
        self.marks.append((calls, best))
        while len(self.marks) > 1 and self.marks[1][0] <= calls - PATIENCE_FAR:
            self.marks.pop(0)

    def before(self, calls: int) -> Value | None:
        """Return the best residual at the last call known that is not after ``calls``."""
        found = [best for call, best in self.marks if call <= calls]
        return found[-1] if found else None

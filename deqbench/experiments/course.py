"""A trial under way: what it observed and spent so far, which survives its failure, and how it ended."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deqbench.errors import InapplicableError, NonFiniteError
from deqbench.records import CurvePoint, Status

_DETAIL_LINES = 20
_OUT_OF_MEMORY_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")


@dataclass(frozen=True)
class Ending:
    """How a trial ended.

    Attributes:
        status: Its status.
        reason: One sentence for any status but ok.
        detail: Last lines of the traceback, if it raised.
    """

    status: Status = Status.OK
    reason: str | None = None
    detail: str | None = None


@dataclass
class Course:
    """What a running trial observed and spent so far.

    Attributes:
        emit: Receives each observation as JSON at once, so that a crash loses none.
        curves: Observations, in order.
        costs: What it took so far, by name with unit.
        host: Facts of the process it runs in.
        judgement: The verdict on a claim, as JSON values; None until there is one.
    """

    emit: Callable[[Any], None]
    curves: list[CurvePoint] = field(default_factory=list)
    costs: dict[str, float | int | None] = field(default_factory=dict)
    host: dict[str, Any] = field(default_factory=dict)
    judgement: dict[str, Any] | None = None

    def observe(self, step: int, epoch: float, seconds: float, values: Mapping[str, float]) -> None:
        """Note and emit the numbers observed at one moment; one that is not finite is noted as None."""
        for name, value in values.items():
            point = CurvePoint(step, epoch, seconds, name, finite_or_none(float(value)))
            self.curves.append(point)
            self.emit(point.to_json())

    @property
    def metrics(self) -> dict[str, float | None]:
        """Last observed value of each curve."""
        return {point.name: point.value for point in self.curves}

    @property
    def finite_costs(self) -> dict[str, float | int | None]:
        """The costs, with None for what is not finite: JSON has no NaN."""
        return {name: finite_or_none(cost) for name, cost in self.costs.items()}


def finite_or_none(value: float | None) -> float | None:
    """Return the value, or None if it is None, infinite or not a number."""
    return value if value is not None and math.isfinite(value) else None


def ending_of(error: BaseException) -> Ending:
    """Return the status, reason and last traceback lines of a trial that raised."""
    message = str(error) or type(error).__name__
    if isinstance(error, InapplicableError):
        return Ending(Status.SKIPPED, message)
    detail = _last_lines(error)
    if isinstance(error, NonFiniteError):
        return Ending(Status.DIVERGED, message, detail)
    if _is_out_of_memory(error):
        return Ending(Status.OUT_OF_MEMORY, _one_line(error), detail)
    return Ending(Status.ERROR, _one_line(error), detail)


def _is_out_of_memory(error: BaseException) -> bool:
    # torch raises a plain RuntimeError on the CPU and OutOfMemoryError on a GPU; telling them by name and
    # words keeps this module free of torch.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and any(phrase in words for phrase in _OUT_OF_MEMORY_WORDS)


def _one_line(error: BaseException) -> str:
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _last_lines(error: BaseException) -> str:
    lines = "".join(traceback.format_exception(error)).rstrip().splitlines()
    return "\n".join(lines[-_DETAIL_LINES:])

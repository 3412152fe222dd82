"""What a worker process is asked to do, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deqbench.records import Status
from deqbench.trials import Limits


@dataclass(frozen=True)
class Job:
    """One call in a process of its own.

    Attributes:
        name: What a person calls it; need not be unique.
        target: ``"module:function"``, called as ``function(payload, emit)`` in the worker.
            ``emit(value)`` keeps a JSON value that survives a crash; the function returns a JSON
            value.
        payload: JSON values.
        limits: Wall time and resident memory, over which the process group is killed.
    """

    name: str
    target: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes:
        job: The job.
        result: What the target returned; None unless ``status`` is None.
        status: None if the target returned; otherwise timeout, out_of_memory, killed, error or
            interrupted.
        reason: One sentence, where there is a status.
        detail: Last lines of the worker's standard error, where there is a status: the traceback,
            or where it hung.
        signal: Name of the signal that ended the worker, e.g. ``SIGSEGV``.
        wall_seconds: From the start, or the handing over to a process that waited, to the end of the
            process; start-up of an interpreter is not in it.
        emitted: What the target emitted, in order, up to its end.
        peak_bytes: Largest resident memory seen of the process or its group, with what it
            inherited; None if unknown.
        imported: Which of ``preloading.LIBRARIES`` the worker had imported when the target returned.
    """

    job: Job
    result: Any = None
    status: Status | None = None
    reason: str | None = None
    detail: str | None = None
    signal: str | None = None
    wall_seconds: float = 0.0
    emitted: tuple[Any, ...] = ()
    peak_bytes: int | None = None
    imported: tuple[str, ...] = ()

    @property
    def returned(self) -> bool:
        """Whether the target returned."""
        return self.status is None

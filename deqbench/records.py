"""What came of a trial: one flat row, its curve rows, and a status that a reader can trust.

The schema has a version. A record is plain JSON: a store of records can be read without deqbench.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from deqbench.errors import StoreError
from deqbench.trials import Trial

SCHEMA_VERSION = 1


class Status(StrEnum):
    """How a trial ended. Only ``ok`` is a success; every other one is a row too."""

    OK = "ok"
    NOT_CONVERGED = "not_converged"
    DIVERGED = "diverged"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    KILLED = "killed"
    ERROR = "error"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"

    @property
    def sentence(self) -> str:
        """What the status means, for a person."""
        return _SENTENCES[self]


_SENTENCES = {
    Status.OK: "finished, every number finite, every evaluated equilibrium within tolerance",
    Status.NOT_CONVERGED: "finished, but evaluated equilibria missed their tolerance",
    Status.DIVERGED: "a loss or a state became infinite or not a number",
    Status.TIMEOUT: "passed its limit of wall time and was stopped",
    Status.OUT_OF_MEMORY: "passed its limit of memory, or an allocation was refused",
    Status.KILLED: "its process was ended by a signal",
    Status.ERROR: "raised an exception",
    Status.SKIPPED: "cannot be run: a component does not apply here",
    Status.INTERRUPTED: "was in flight when the run was interrupted; it runs again on resume",
}


@dataclass(frozen=True)
class CurvePoint:
    """One number observed along a trial.

    Attributes:
        step: Parameter updates done.
        epoch: Passes over the training split whose gradients were used.
        seconds: Training clock: paused during evaluation, the device synchronised at each reading.
        name: What was observed, e.g. ``test_accuracy``.
        value: The observation; None if it was not finite.
    """

    step: int
    epoch: float
    seconds: float
    name: str
    value: float | None

    def to_json(self) -> list[Any]:
        """Return the point as a list, in the order of the fields."""
        return [self.step, self.epoch, self.seconds, self.name, self.value]


@dataclass(frozen=True)
class Record:
    """What came of one trial.

    Attributes:
        trial: The trial.
        status: How it ended.
        reason: One sentence for any status but ok.
        metrics: Last observed value of each curve, e.g. ``test_accuracy``; None where not finite.
        costs: What it took; names end in their unit: ``train_seconds``, ``map_calls``, ``peak_bytes``.
        curves: Observations along the trial, in order.
        detail: Last lines of the traceback or of standard error, for a trial that failed.
        host: Machine facts that belong to the trial: pid, device name, start time.
        judgement: The verdict on a claim and what it rests on; None for a trial that judges none.
    """

    trial: Trial
    status: Status
    reason: str | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    costs: Mapping[str, float | int | None] = field(default_factory=dict)
    curves: Sequence[CurvePoint] = ()
    detail: str | None = None
    host: Mapping[str, Any] = field(default_factory=dict)
    judgement: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON values, with the schema's version."""
        judged = {} if self.judgement is None else {"judgement": dict(self.judgement)}
        return {
            "schema": SCHEMA_VERSION,
            "key": self.trial.key,
            "status": self.status.value,
            "reason": self.reason,
            "metrics": dict(self.metrics),
            "costs": dict(self.costs),
            "detail": self.detail,
            "host": dict(self.host),
            **judged,
            "trial": self.trial.to_json(),
            "curves": [point.to_json() for point in self.curves],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Record:
        """Return the record that :meth:`to_json` wrote.

        Raises:
            StoreError: It was written under another schema.
        """
        check_schema(value)
        return cls(
            trial=Trial.from_json(value["trial"]),
            status=Status(value["status"]),
            reason=value["reason"],
            metrics=value["metrics"],
            costs=value["costs"],
            curves=[CurvePoint(*row) for row in value["curves"]],
            detail=value["detail"],
            host=value["host"],
            judgement=value.get("judgement"),
        )


def check_schema(value: Mapping[str, Any]) -> None:
    """Raise if a record's JSON was written under another schema.

    Raises:
        StoreError: It was.
    """
    if value.get("schema") != SCHEMA_VERSION:
        raise StoreError(
            f"A record has schema {value.get('schema')!r}; this deqbench reads {SCHEMA_VERSION}. "
            "Run with --fresh, or read it with the version that wrote it."
        )

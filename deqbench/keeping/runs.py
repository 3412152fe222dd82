"""What a run is asked to do, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from deqbench.records import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


Isolation = Literal["trial", "worker"]


@dataclass(frozen=True)
class RunResult:
    """How a run ended.

    Attributes:
        folder: Where its records lie.
        counts: Status to number of trials, over the whole plan, reused ones included.
        planned: Trials in the plan.
        reused: Trials whose stored record stood.
        interrupted: Whether it was stopped before its end; the same command resumes it.
        wall_seconds: From the first worker to the last record.
        findings: Statuses that answer the experiment's question as well as ok does.
        violated: Trials that found a claim violated.
    """

    folder: Path
    counts: Mapping[str, int]
    planned: int
    reused: int
    interrupted: bool
    wall_seconds: float
    findings: frozenset[Status] = frozenset()
    violated: int = 0

    @property
    def exit_code(self) -> int:
        """0 if every trial is ok or a finding and no claim is violated, 1 if not, 130 if interrupted."""
        if self.interrupted:
            return 130
        good = sum(self.counts.get(status, 0) for status in {Status.OK, *self.findings})
        return 0 if good == self.planned and not self.violated else 1


@dataclass(frozen=True)
class RunOptions:
    """How a suite is run; none of it changes a result but ``device`` and ``only``.

    Attributes:
        out: The run's folder; None for ``reports/<suite>`` under the current directory.
        jobs: Trials at once.
        device: Overrides the suite's: cpu, cuda or auto.
        only: Selects trials, ``model=deq-linear,seed=0``.
        fresh: Use no stored record.
        retry_failed: Run again whatever did not end ok.
        command: What a person typed, kept so that the report can say how to reproduce it.
        isolation: ``trial``: a process for each; ``worker``: one that is reused while it stays clean.
    """

    out: Path | None = None
    jobs: int = 1
    device: str | None = None
    only: str | None = None
    fresh: bool = False
    retry_failed: bool = False
    command: Sequence[str] = ()
    isolation: Isolation = "trial"

"""How a run is followed: lines for a log, JSON for a program, or nothing; ``live`` draws on a terminal.

All of it goes to standard error but the JSON, so that the answer on standard output can be piped.
"""

from __future__ import annotations

import json
import os
from typing import IO, TYPE_CHECKING, Any, Protocol

from deqbench.keeping.store import finite
from deqbench.running.sentences import ending_sentence, plan_sentence, result_sentence

if TYPE_CHECKING:
    from pathlib import Path

    from deqbench.keeping.runs import RunResult
    from deqbench.records import Record
    from deqbench.running.planning import Plan
    from deqbench.trials import Trial


def choose_listener(stream: IO[str], *, quiet: bool = False) -> Listener:
    """Return the listener that suits a stream: drawn on a terminal, plain lines in a log.

    NO_COLOR (any value but an empty one, https://no-color.org) and dumb terminals get plain lines too.

    Args:
        stream: Where progress goes, usually standard error.
        quiet: Whether to tell nothing.
    """
    if quiet:
        return Quiet()
    if stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb":
        from rich.console import Console  # noqa: PLC0415  only where something is drawn

        from deqbench.running.live import LiveView  # noqa: PLC0415  as above

        return LiveView(Console(file=stream))
    return Lines(stream)


class Listener(Protocol):
    """What a run tells while it lasts."""

    def planned(self, plan: Plan, folder: Path) -> None:
        """The plan is stored; nothing has started."""
        ...

    def started(self, trial: Trial) -> None:
        """A worker has been given the trial."""
        ...

    def finished(self, record: Record) -> None:
        """The trial's record is stored."""
        ...

    def tick(self) -> None:
        """Time has passed; called several times a second while trials run."""
        ...

    def close(self) -> None:
        """Give the terminal back; called once, also when the run fails."""
        ...

    def ended(self, result: RunResult) -> None:
        """The run is over, or interrupted."""
        ...


class Quiet:
    """Tells nothing."""

    def planned(self, plan: Plan, folder: Path) -> None:
        """Tell nothing."""

    def started(self, trial: Trial) -> None:
        """Tell nothing."""

    def finished(self, record: Record) -> None:
        """Tell nothing."""

    def tick(self) -> None:
        """Tell nothing."""

    def close(self) -> None:
        """Tell nothing."""

    def ended(self, result: RunResult) -> None:
        """Tell nothing."""


class Lines:
    """One plain line an event: no colour codes, no cursor movement.

    Args:
        stream: Where to.
    """

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream
        self._done = 0
        self._total = 0

    def planned(self, plan: Plan, folder: Path) -> None:
        """Say how much there is to do, and what was reused."""
        self._total = len(plan.to_run) + len(plan.unloadable)
        self._line(plan_sentence(plan, folder))

    def started(self, trial: Trial) -> None:
        """Tell nothing: the line of its end says more."""

    def finished(self, record: Record) -> None:
        """Say how the trial ended."""
        self._done += 1
        self._line(f"[{self._done:>{len(str(self._total))}}/{self._total}] {ending_sentence(record)}")

    def tick(self) -> None:
        """Tell nothing."""

    def close(self) -> None:
        """Tell nothing."""

    def ended(self, result: RunResult) -> None:
        """Say how the run went."""
        self._line(result_sentence(result))

    def _line(self, text: str) -> None:
        print(text, file=self.stream, flush=True)


class JsonLines:
    """One JSON object an event, for a program that follows the run.

    Args:
        stream: Where to.
    """

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream

    def planned(self, plan: Plan, folder: Path) -> None:
        """Tell the plan, with each trial's decision."""
        keys = ("key", "label", "decision", "reasons")
        rows = [{key: row[key] for key in keys} for row in (one.to_json() for one in plan.trials)]
        missing = list(plan.left_out)
        self.emit("planned", folder=str(folder), to_run=len(plan.to_run), left_out=missing, trials=rows)

    def started(self, trial: Trial) -> None:
        """Tell which trial started."""
        self.emit("started", key=trial.key, label=trial.label)

    def finished(self, record: Record) -> None:
        """Tell the trial's status, metrics and costs."""
        row = {key: value for key, value in record.to_json().items() if key not in ("trial", "curves")}
        self.emit("finished", label=record.trial.label, **row)

    def tick(self) -> None:
        """Tell nothing."""

    def close(self) -> None:
        """Tell nothing."""

    def ended(self, result: RunResult) -> None:
        """Tell the counts and the exit code."""
        self.emit(
            "ended",
            folder=str(result.folder),
            counts=dict(result.counts),
            planned=result.planned,
            reused=result.reused,
            exit_code=result.exit_code,
            wall_seconds=result.wall_seconds,
        )

    def emit(self, event: str, **facts: Any) -> None:
        """Write one event."""
        print(json.dumps(finite({"event": event, **facts})), file=self.stream, flush=True)

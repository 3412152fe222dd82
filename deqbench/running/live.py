"""A run followed on a terminal: a bar, what is running, the time left; failures stay above it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from deqbench.experiments import FINDINGS
from deqbench.records import Status
from deqbench.running.sentences import ending_sentence, plan_sentence, result_sentence

if TYPE_CHECKING:
    from pathlib import Path

    from deqbench.keeping.runs import RunResult
    from deqbench.records import Record
    from deqbench.running.planning import Plan
    from deqbench.trials import Trial

MOST_RUNNING_SHOWN = 8
LEAST_SECONDS_BETWEEN = 0.5


class LiveView:
    """Draws the run's state in place.

    Args:
        console: A terminal's console; standard error, so that the answer can be piped.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._running: dict[str, tuple[str, float]] = {}
        self._total = self._done = self._failed = 0
        self._start = time.monotonic()
        self._drawn = 0.0

    def planned(self, plan: Plan, folder: Path) -> None:
        """Start drawing."""
        self._total = len(plan.to_run) + len(plan.unloadable)
        self._start = time.monotonic()
        self.console.print(Text(plan_sentence(plan, folder)))
        if self._total:
            self._live.start()
            self.tick()

    def started(self, trial: Trial) -> None:
        """Show the trial as running."""
        self._running[trial.key] = (trial.label, time.monotonic())

    def finished(self, record: Record) -> None:
        """Count the trial; a failure stays on the screen."""
        self._running.pop(record.trial.key, None)
        self._done += 1
        if record.status not in {Status.OK, *FINDINGS[record.trial.experiment]}:
            self._failed += 1
            self.console.print(Text(ending_sentence(record), style="red"))

    def tick(self) -> None:
        """Draw the present state, a few times a second: drawing costs time that trials are measured in."""
        now = time.monotonic()
        if self._live.is_started and now - self._drawn >= LEAST_SECONDS_BETWEEN:
            self._drawn = now
            self._live.update(Group(self._bar(), *self._lines()), refresh=True)

    def close(self) -> None:
        """Give the terminal back."""
        self._live.stop()

    def ended(self, result: RunResult) -> None:
        """Say how the run went."""
        self.console.print(Text(result_sentence(result)))

    def _bar(self) -> Table:
        row = Table.grid(padding=(0, 1))
        failed = Text(f"{self._failed} failed", style="red" if self._failed else "dim")
        row.add_row(
            ProgressBar(total=max(self._total, 1), completed=self._done, width=30),
            Text(f"{self._done}/{self._total} done"),
            failed,
            Text(f"{len(self._running)} running", style="dim"),
            Text(self._left(), style="dim"),
        )
        return row

    def _left(self) -> str:
        if not self._done:
            return ""
        seconds = (time.monotonic() - self._start) / self._done * (self._total - self._done)
        return f"about {_clock(seconds)} left"

    def _lines(self) -> list[Text]:
        now = time.monotonic()
        shown = list(self._running.values())[:MOST_RUNNING_SHOWN]
        return [
            Text(f"  {_clock(now - start):>6}  {label}", style="cyan", no_wrap=True, overflow="ellipsis")
            for label, start in shown
        ]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

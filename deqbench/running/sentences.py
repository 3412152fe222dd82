"""What a run says of itself while it lasts, alike on a terminal and in a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deqbench.records import Status
from deqbench.statistics.power import power_sentence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from deqbench.keeping.runs import RunResult
    from deqbench.records import Record
    from deqbench.running.planning import Plan
    from deqbench.trials import Trial


def plan_sentence(plan: Plan, folder: Path) -> str:
    """Return how many trials there are and how many of them run; a further line tells what is left out."""
    total, reused = len(plan.trials), len(plan.reused)
    kept = f", {reused} done already" if reused else ""
    missing = "".join(f"\nleft out: {sentence}" for sentence in plan.left_out)
    return f"{total} trial{'s' if total != 1 else ''}{kept}; records go to {folder}{missing}"


def power_told(trials: Sequence[Trial]) -> str | None:
    """Return what comparisons of these trials can show at best; None where no two entries meet.

    Counted are the fewest seeds and the most entries that any data set or map has.
    """
    seeds: dict[str, set[int]] = {}
    entries: dict[str, set[str]] = {}
    for trial in trials:
        ground = trial.components.get("dataset", trial.components.get("map"))
        if ground is not None:
            seeds.setdefault(str(ground), set()).add(trial.seed)
            entries.setdefault(str(ground), set()).add(trial.entry)
    most = max(map(len, entries.values()), default=0)
    if most < 2:
        return None
    return power_sentence(min(map(len, seeds.values())), entries=most, datasets=len(seeds))


def ending_sentence(record: Record) -> str:
    """Return one line on how a trial ended: status, label, time, and why it failed."""
    wall = record.costs.get("wall_seconds")
    seconds = "" if wall is None else f"  {wall:.1f} s"
    reason = "" if record.status is Status.OK or not record.reason else f"  ({one_line(record.reason)})"
    return f"{record.status.value:<13} {record.trial.label}{seconds}{reason}"


def result_sentence(result: RunResult) -> str:
    """Return the counts of a run in one line."""
    counts = ", ".join(f"{count} {status}" for status, count in sorted(result.counts.items()))
    kept = f" ({result.reused} from an earlier run)" if result.reused else ""
    head = "Interrupted; the same command resumes." if result.interrupted else "Done:"
    return f"{head} {counts or 'nothing'} of {result.planned}{kept}, in {result.wall_seconds:.1f} s"


def one_line(text: str) -> str:
    """Return text with its line breaks taken out, cut to fit beside a label."""
    flat = " ".join(text.split())
    return flat if len(flat) <= 160 else f"{flat[:157]}..."

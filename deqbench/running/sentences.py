"""What a run says of itself while it lasts, alike on a terminal and in a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deqbench.records import Status

if TYPE_CHECKING:
    from pathlib import Path

    from deqbench.keeping.runs import RunResult
    from deqbench.records import Record
    from deqbench.running.planning import Plan


def plan_sentence(plan: Plan, folder: Path) -> str:
    """Return how many trials there are and how many of them run; a further line tells what is left out."""
    total, reused = len(plan.trials), len(plan.reused)
    kept = f", {reused} done already" if reused else ""
    missing = "".join(f"\nleft out: {sentence}" for sentence in plan.left_out)
    return f"{total} trial{'s' if total != 1 else ''}{kept}; records go to {folder}{missing}"


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

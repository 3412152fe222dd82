"""What a run allows one to say, and everything that weakens it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from deqbench.statistics.failures import higher_is_better
from deqbench.telling.report.failures import failed_trials
from deqbench.telling.report.numbers import duration, metric_title, score
from deqbench.telling.subjects import Subject
from deqbench.telling.tables import PENDING, Frames

ENOUGH_SEEDS = 6
"""Fewest seeds for which [min, max] covers the median with 95%: 1 - 2 / 2**6 = 96.9%."""


def sentence(table: pd.DataFrame, metric: str, dataset: str, subject: Subject) -> str:
    """Return what the medians of one data set say, and whether the seeds tell the first from the next.

    Args:
        table: The data set's rows of the summary, the best median first.
        metric: Its primary metric.
        dataset: Its name.
        subject: What its experiment is about.
    """
    if "score" not in table or table["score"].isna().all():
        return f"{dataset}: nobody measured {metric}, so nothing ranks the entries."
    if not np.isfinite(table["score"].iloc[0]):
        return f"{dataset}: no entry has a median, for at least half of each one's trials failed."
    best = table.iloc[0]
    title = metric_title(metric).removesuffix(" (%)")
    unit = "%" if "(%)" in metric_title(metric) else ""
    which = "Highest" if higher_is_better(metric) else "Lowest"
    head = f"{which} median {title} on {dataset}: {score(metric, best['score'])}{unit} by {best['label']}"
    rivals = _rivals(table, metric)
    return f"{head} ({best['ok']} of {best['n']} ok). {_about(rivals, best, len(table) - 1, subject)}"


def _rivals(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the entries, but the first, whose intervals overlap the first one's."""
    others, best = table.iloc[1:], table.iloc[0]
    if higher_is_better(metric):
        return others.loc[others["score_high"] >= float(best["score_low"])]
    return others.loc[others["score_low"] <= float(best["score_high"])]


def _about(rivals: pd.DataFrame, best: pd.Series, others: int, subject: Subject) -> str:
    if others == 0:
        return ""
    if best["coverage"] == 0:
        return "One seed an entry has no interval: whether this is more than luck is not known."
    if rivals.empty:
        return "No other entry's interval reaches its own."
    count = f"{len(rivals)} other {'entry' if len(rivals) == 1 else 'entries'}"
    told = f"These seeds do not tell it from {count} whose intervals overlap its own"
    tied = pd.concat([best.to_frame().T, rivals])
    clock = subject.seconds
    seconds = tied[clock].astype("float64") if clock in tied else pd.Series(dtype="float64")
    if not np.isfinite(seconds).any():
        return f"{told}."
    cheapest = tied.iloc[int(np.nanargmin(seconds))]
    cost = duration(float(cheapest[clock]), subject.unit)
    if cheapest["label"] == best["label"]:
        return f"{told}; it is also {subject.fastest} of these ({cost})."
    return f"{told}; of these, {cheapest['label']} {subject.is_fastest} ({cost})."


def cautions(frames: Frames) -> Iterator[str]:
    """Yield everything about the run that weakens what it shows."""
    trials = frames.trials
    pending = int((trials["status"] == PENDING).sum())
    if pending:
        yield f"{pending} planned trials have not run yet; the command below resumes the run."
    failed = failed_trials(frames)
    if failed:
        yield f"{failed} of {len(trials)} trials failed; they rank behind all others in every median."
    seeds = int(trials.groupby(["dataset", "entry"])["seed"].nunique().min())
    if seeds < ENOUGH_SEEDS:
        yield (
            f"{seeds} seed{'s' if seeds > 1 else ''} an entry: no interval reaches 95% coverage with fewer "
            f"than {ENOUGH_SEEDS}. Read differences as hints."
        )
    devices = set(trials["device_name"].dropna()) if "device_name" in trials else set()
    if len(devices) > 1:
        yield f"Trials ran on different devices ({', '.join(sorted(devices))}): their times do not compare."
    elif devices and not devices & _devices_here(frames.environment):
        # A key says nothing of the host, so a folder that came from elsewhere is resumed, not measured again.
        yield (
            f"Trials were reused from a run on another machine ({devices.pop()}): their times are not this "
            "machine's. Run with --fresh to measure here."
        )
    checkout = frames.environment.get("checkout")
    if isinstance(checkout, dict) and checkout.get("dirty"):
        yield "deqbench's source had uncommitted changes when this ran."


def _devices_here(environment: Mapping[str, Any]) -> set[Any]:
    """Return the names under which trials of the machine that told this run would call their device."""
    cpu = environment.get("cpu") or {}
    return {cpu.get("model"), *(gpu.get("name") for gpu in environment.get("gpus") or ())}

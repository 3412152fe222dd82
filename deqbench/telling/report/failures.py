"""Trials that did not end well, each in full; where a miss is a finding, one line for all its seeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from deqbench.records import Status
from deqbench.telling.tables import MEASURED, PENDING, Frames


@dataclass(frozen=True)
class Failure:
    """A trial that did not end well."""

    key: str
    name: str
    seed: int
    status: str
    meaning: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Miss:
    """Seeds of one entry on one map that were measured to their end and missed the tolerance.

    Attributes:
        dataset: The map as the suite wrote it.
        label: The entry in short.
        seeds: ``0, 1, 2``.
        status: How they ended.
        reason: What the first of them said.
    """

    dataset: str
    label: str
    seeds: str
    status: str
    reason: str


def failures(frames: Frames) -> Iterator[Failure]:
    """Yield every trial that failed; a miss is none where the experiment takes it as a finding."""
    trials = frames.trials
    several = trials["dataset"].nunique() > 1
    for row in trials[_failed(frames)].to_dict("records"):
        yield Failure(
            key=row["key"],
            name=f"{row['dataset']}: {row['label']}" if several else row["label"],
            seed=row["seed"],
            status=row["status"].replace("_", " "),
            meaning=Status(row["status"]).sentence,
            reason=_text(row["reason"]),
            detail=_text(row["detail"]),
        )


def misses(frames: Frames) -> Iterator[Miss]:
    """Yield every map that an entry missed, in the order of the suite; nothing where a miss is a failure."""
    trials = frames.trials
    missed = trials[~trials["status"].isin([Status.OK, PENDING]) & ~_failed(frames)]
    for (dataset, label, status), group in missed.groupby(["dataset", "label", "status"], sort=False):
        yield Miss(
            dataset=str(dataset),
            label=str(label),
            seeds=", ".join(str(seed) for seed in group["seed"]),
            status=str(status).replace("_", " "),
            reason=_text(group["reason"].iloc[0]) or Status(str(status)).sentence,
        )


def failed_trials(frames: Frames) -> int:
    """Return how many trials failed, misses that are findings not counted."""
    return int(_failed(frames).sum())


def _failed(frames: Frames) -> pd.Series[bool]:
    well = [Status.OK, PENDING, *(MEASURED if frames.subject.findings else ())]
    return ~frames.trials["status"].isin(well)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""

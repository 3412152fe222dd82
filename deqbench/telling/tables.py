"""A run's folder as pandas tables: a row a trial, a row an observation, and a row an entry.

Every planned trial has its row, in the order of the suite: one that failed carries its status, one that
has not run yet is ``pending``. The summary ranks failures behind every number
(:mod:`deqbench.statistics.failures`), so that no median is taken over the survivors alone.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import pandas as pd

from deqbench.errors import ConfigurationError
from deqbench.records import Status
from deqbench.statistics.failures import failures_last, higher_is_better
from deqbench.statistics.medians import median_interval
from deqbench.telling.subjects import Subject, subject_of
from deqbench.trials import PROTOCOL

PENDING = "pending"
"""Status of a planned trial that has no record yet."""

CURVE_COLUMNS = ("key", "dataset", "entry", "label", "seed", "step", "epoch", "seconds", "name", "value")
SCORE_COLUMNS = ("score", "score_low", "score_high")
"""In every summary, nan where nobody measured the metric."""
MEASURED = (Status.OK, Status.NOT_CONVERGED, Status.DIVERGED)
"""Statuses of trials that were measured to their end, whatever they found."""


@dataclass(frozen=True)
class Frames:
    """What a run's folder holds.

    Attributes:
        trials: A row a planned trial, in the order of the suite: ``key``, ``entry``, ``label`` (the entry
            in short), the axes, ``seed``, ``status``, ``reason``, every parameter (``trainer.lr``), settings,
            metrics, costs, and ``detail``, the last lines of a failure (not written to ``trials.csv``).
            ``dataset`` holds the map where the experiment runs on maps.
        curves: A row an observation: ``CURVE_COLUMNS``; ``seconds`` is the clock of the training or of the
            solve, ``value`` is nan where it was not finite. ``step`` and ``epoch`` are parameter updates and
            passes over the data; in a solve, calls of the map and map-equivalents.
        suite: The resolved suite.
        environment: Machine facts of the run.
        run: Facts of the run itself: command, start, state.
        judgements: Key of a trial that judged a claim to the verdict and what it rests on.
        protocol: Version of what a trial means.
        provenance: What the results rest on, ``experiment``, ``data:digits``, ``model:mlp``, ..., to the
            digests of its code or bytes: of data one a seed, of code more than one if versions differ.
    """

    trials: pd.DataFrame
    curves: pd.DataFrame
    suite: Mapping[str, Any]
    environment: Mapping[str, Any]
    run: Mapping[str, Any]
    judgements: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    protocol: int = PROTOCOL
    provenance: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def subject(self) -> Subject:
        """What the run's experiment is about."""
        return subject_of(self.suite.get("experiment"))

    @cached_property
    def summed_up(self) -> pd.DataFrame:
        """What :func:`summary` returns, made once: half of a report's sections ask for it."""
        return _summary(self)


def write(frames: Frames, folder: Path, *, curves: bool = True) -> None:
    """Write ``trials.csv``, ``summary.csv`` and, if wanted, ``curves.csv``, which pandas reads back."""
    for name, table in _written(frames).items():
        if curves or name != "curves":
            table.to_csv(folder / f"{name}.csv", index=False)


def write_parquet(frames: Frames, folder: Path) -> None:
    """Write the same tables as ``trials.parquet``, ``curves.parquet`` and ``summary.parquet``.

    Raises:
        ConfigurationError: pyarrow, which the extra ``parquet`` brings, is not installed.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise ConfigurationError("Parquet needs pyarrow. Install it with: pip install 'deqbench[parquet]'.")
    for name, table in _written(frames).items():
        # A column of Parquet has one type; a parameter may be a number for one entry and a name for another.
        mixed = [column for column in table if table[column].dtype == object]
        typed = table.astype(dict.fromkeys(mixed, "string"))
        typed.to_parquet(folder / f"{name}.parquet", index=False)


def _written(frames: Frames) -> dict[str, pd.DataFrame]:
    return {
        "trials": frames.trials.drop(columns=["detail", "label"]),
        "curves": frames.curves.drop(columns="label").rename(columns=dict(frames.subject.points)),
        "summary": summary(frames),
    }


def primary_metric(frames: Frames, dataset: str) -> str:
    """Return the metric that compares a data set's entries: the suite's, or the first score seen."""
    rows = frames.trials[frames.trials["dataset"] == dataset]
    wanted = [frames.suite["primary"]] if frames.suite.get("primary") else []
    candidates = [*wanted, *frames.subject.scores]
    for name in candidates:
        if name in rows and rows[name].notna().any():
            return str(name)
    return str(candidates[0])


def summary(frames: Frames) -> pd.DataFrame:
    """Return a row per data set and entry, in the order of the suite.

    Columns: ``dataset``, ``entry``, ``label``, ``n`` (planned trials), ``ok``, ``failures`` (``timeout 1,
    error 2``), ``metric`` (its name), ``coverage`` (of the intervals), ``parameters``, ``score``,
    ``score_low``, ``score_high``, and ``<cost>``, ``<cost>_low``, ``<cost>_high`` for each of the
    experiment's numbers (:mod:`deqbench.telling.subjects`) that was recorded; ``map_calls`` and ``vjps`` add
    up forward and backward solves. Failures rank last in each median: an infinite value means that the
    median, or that end of its interval, falls on a failed trial. What a solve that missed was found to have
    reached, its residual or its error, is a number all the same.
    """
    return frames.summed_up.copy()


def _summary(frames: Frames) -> pd.DataFrame:
    trials = frames.trials
    metrics = {dataset: primary_metric(frames, dataset) for dataset in dict.fromkeys(trials["dataset"])}
    wanted = dict.fromkeys([*metrics.values(), *frames.subject.numbers, "parameters"])
    numbers = pd.DataFrame({name: summed(trials, name) for name in wanted})
    groups = trials.groupby(["dataset", "entry"], sort=False, dropna=False)
    rows = [
        _summary_row(frames.subject, group, numbers.loc[group.index], metrics[dataset])
        for (dataset, _), group in cast("Iterator[tuple[tuple[str, str], pd.DataFrame]]", groups)
    ]
    table = pd.DataFrame(rows)
    measured = [name for name in table if name in SCORE_COLUMNS or not table[name].isna().all()]
    return table[measured].reindex(columns=list(dict.fromkeys([*measured, *SCORE_COLUMNS])))


def failure_counts(statuses: Sequence[str]) -> dict[str, int]:
    """Return how often each status but ``ok`` occurs, in the order of :class:`~deqbench.records.Status`."""
    order = [*(status.value for status in Status if status is not Status.OK), PENDING]
    return {status: list(statuses).count(status) for status in order if status in set(statuses)}


def _summary_row(subject: Subject, group: pd.DataFrame, numbers: pd.DataFrame, metric: str) -> dict[str, Any]:
    ok = group["status"] == Status.OK
    failures = failure_counts(list(group["status"]))
    row: dict[str, Any] = {
        "dataset": str(group["dataset"].iloc[0]),
        "entry": str(group["entry"].iloc[0]),
        "label": group["label"].iloc[0],
        "n": len(group),
        "ok": int(ok.sum()),
        "failures": ", ".join(f"{status} {count}" for status, count in failures.items()),
        "metric": metric,
        "coverage": median_interval([0.0] * len(group)).coverage,
        "parameters": numbers["parameters"].max(),
    }
    for name, column in {"score": metric, **{number: number for number in subject.numbers}}.items():
        values = numbers[column]
        counted = group["status"].isin(MEASURED) if column in subject.findings else ok
        if counted.any() and values[counted].isna().all():
            continue  # nobody measured it: unknown, not infinite
        more = higher_is_better(column)
        interval = median_interval(failures_last(values, counted, higher_is_better=more))
        row |= {name: interval.median, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return row


def summed(trials: pd.DataFrame, name: str) -> pd.Series[float]:
    """Return a column of numbers; ``map_calls`` and ``vjps`` are the sum over forward and backward."""
    parts = [column for column in trials if column == name or str(column).endswith(f"ward_{name}")]
    if not parts:
        return pd.Series(float("nan"), index=trials.index)
    return trials[parts].astype("float64").sum(axis="columns", min_count=1)

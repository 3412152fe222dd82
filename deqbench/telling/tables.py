"""A run's folder as pandas tables: a row a trial, a row an observation, and a row an entry.

Every planned trial has its row, in the order of the suite: one that failed carries its status, one that
has not run yet is ``pending``. The summary ranks failures behind every number
(:mod:`deqbench.statistics.failures`), so that no median is taken over the survivors alone.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from deqbench.errors import ConfigurationError
from deqbench.records import Status
from deqbench.statistics.failures import failures_last, higher_is_better
from deqbench.statistics.medians import median_interval
from deqbench.telling.subjects import Subject, subject_of
from deqbench.trials import PROTOCOL

if TYPE_CHECKING:
    from deqbench.telling.report.claims import Judged

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
        verdicts: On the claims that the suite names and that read records: whoever tells the run puts them
            here, for claims are plugins' and a folder holds none.
    """

    trials: pd.DataFrame
    curves: pd.DataFrame
    suite: Mapping[str, Any]
    environment: Mapping[str, Any]
    run: Mapping[str, Any]
    judgements: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    protocol: int = PROTOCOL
    provenance: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    verdicts: tuple[Judged, ...] = ()

    @property
    def subject(self) -> Subject:
        """What the run's experiment is about."""
        return subject_of(self.suite.get("experiment"))

    @property
    def about_claims(self) -> bool:
        """Whether every trial judged a claim, so that there are no entries to compare."""
        return self.suite.get("experiment") == "claim"

    def observed(self, dataset: str, name: str) -> pd.DataFrame:
        """Return the curve rows of one observation on one data set, in their order."""
        return rows_at(self.curves, self.places(dataset, name))

    def places(self, dataset: str, name: str) -> npt.NDArray[np.intp]:
        """Return the places of the curve rows of one observation on one data set, in their order."""
        return self._places.get((str(dataset), name), np.empty(0, dtype=np.intp))

    def on(self, dataset: str) -> pd.DataFrame:
        """Return the trials on one data set, in their order."""
        return self._grounds[dataset] if dataset in self._grounds else self.trials.iloc[:0]

    @cached_property
    def primaries(self) -> Mapping[str, str]:
        """Data set to the metric that compares its entries: the suite's, or the first score seen."""
        wanted = [self.suite["primary"]] if self.suite.get("primary") else []
        candidates = [str(name) for name in (*wanted, *self.subject.scores)]
        return {
            dataset: next(
                (name for name in candidates if name in rows and rows[name].notna().any()), candidates[0]
            )
            for dataset, rows in self._grounds.items()
        }

    # Found once, as each figure and half of the tables ask.

    @cached_property
    def _places(self) -> dict[tuple[str, str], npt.NDArray[np.intp]]:
        groups = self.curves.groupby(["dataset", "name"], sort=False, observed=True)
        found = cast("Mapping[tuple[str, str], npt.NDArray[np.intp]]", groups.indices)  # the stubs: Hashable
        return {(str(dataset), str(name)): rows for (dataset, name), rows in found.items()}

    @cached_property
    def _grounds(self) -> dict[str, pd.DataFrame]:
        return {
            str(rows["dataset"].iloc[0]): rows
            for rows in map(self.trials.take, grouped(self.trials, ["dataset"]))
        }

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
    return frames.primaries[dataset]


def rows_at(curves: pd.DataFrame, places: npt.NDArray[np.intp]) -> pd.DataFrame:
    """Return some curve rows; keys of a large run that none of them has are no longer categories.

    Whoever groups them by key would go through the hundred thousand of the run each time.
    """
    rows = curves.take(places)
    keys = rows["key"].dtype
    if isinstance(keys, pd.CategoricalDtype) and len(keys.categories) > _MANY:
        return rows.assign(key=rows["key"].cat.remove_unused_categories())
    return rows


_MANY = 5000
"""Keys from which on leaving some out is worth its time."""


def grouped(table: pd.DataFrame, names: Sequence[str]) -> list[npt.NDArray[np.intp]]:
    """Return the places of the rows that share these columns, groups in order of first appearance."""
    if table.empty:
        return []
    codes = table.groupby(list(names), sort=False, dropna=False, observed=True).ngroup().to_numpy()
    return np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])


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
    wanted = dict.fromkeys([*frames.primaries.values(), *frames.subject.numbers, "parameters"])
    numbers = {name: np.asarray(summed(trials, name), dtype=np.float64) for name in wanted}
    texts = {name: trials[name].to_numpy(dtype=object) for name in ("dataset", "entry", "label", "status")}
    rows = [
        _summary_row(
            frames,
            {name: column[group] for name, column in texts.items()},
            {name: column[group] for name, column in numbers.items()},
        )
        for group in grouped(trials, ["dataset", "entry"])
    ]
    table = pd.DataFrame(rows)
    measured = [name for name in table if name in SCORE_COLUMNS or not table[name].isna().all()]
    return table[measured].reindex(columns=list(dict.fromkeys([*measured, *SCORE_COLUMNS])))


def failure_counts(statuses: Sequence[str]) -> dict[str, int]:
    """Return how often each status but ``ok`` occurs, in the order of :class:`~deqbench.records.Status`."""
    order = [*(status.value for status in Status if status is not Status.OK), PENDING]
    return {status: list(statuses).count(status) for status in order if status in set(statuses)}


def _summary_row(
    frames: Frames,
    texts: Mapping[str, npt.NDArray[np.object_]],
    numbers: Mapping[str, npt.NDArray[np.float64]],
) -> dict[str, Any]:
    """Return an entry's row, given the columns of its trials on one data set."""
    subject, status = frames.subject, texts["status"]
    dataset, n = str(texts["dataset"][0]), len(status)
    ok, measured = status == Status.OK, np.isin(status, [str(each) for each in MEASURED])
    failures = failure_counts(list(status))
    metric = primary_metric(frames, dataset)
    sizes = numbers["parameters"][~np.isnan(numbers["parameters"])]
    row: dict[str, Any] = {
        "dataset": dataset,
        "entry": str(texts["entry"][0]),
        "label": texts["label"][0],
        "n": n,
        "ok": int(ok.sum()),
        "failures": ", ".join(f"{status} {count}" for status, count in failures.items()),
        "metric": metric,
        "coverage": median_interval([0.0] * n).coverage,
        "parameters": sizes.max() if len(sizes) else np.nan,
    }
    for name, column in {"score": metric, **{number: number for number in subject.numbers}}.items():
        values = numbers[column]
        counted = measured if column in subject.findings else ok
        if counted.any() and np.isnan(values[counted]).all():
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

"""The trial of each entry that came out worst, and the selection that runs it alone again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from deqbench.records import Status
from deqbench.statistics.failures import higher_is_better
from deqbench.telling.contests import counted_of
from deqbench.telling.tables import PENDING, Frames, primary_metric, summed

_AXES = ("model", "solver", "gradient", "trainer")


@dataclass(frozen=True)
class Worst:
    """One entry's worst trial.

    Attributes:
        dataset: What it ran on.
        seed: Its seed.
        status: How it ended.
        metric: What ranks its data set.
        value: Of the trial; nan where it has none.
        median: Of the entry's trials there that have one; nan if none has.
        only: What ``deqbench run SUITE --only`` takes to run it alone.
        key: Of the trial.
    """

    dataset: str
    seed: int
    status: str
    metric: str
    value: float
    median: float
    only: str
    key: str


def worst_seeds(frames: Frames) -> dict[str, Worst]:
    """Return the worst trial of each label: a failed one, else the one farthest behind its own median."""
    trials = frames.trials
    values, lag, medians = (pd.Series(np.nan, index=trials.index) for _ in range(3))
    metrics = {}
    for dataset, rows in trials.groupby("dataset", sort=False):
        name = metrics[str(dataset)] = primary_metric(frames, str(dataset))
        found = summed(rows, name).where(rows["status"].isin(counted_of(frames, name)))
        middle = found.groupby(rows["label"], sort=False).transform("median")
        behind = (middle - found) if higher_is_better(name) else (found - middle)
        values[rows.index], medians[rows.index] = found, middle
        lag[rows.index] = behind / middle.abs().where(middle != 0, 1.0)
    failed = (trials["status"] != Status.OK) & values.isna()
    ranked = lag.mask(failed, np.inf)[trials["status"] != PENDING].dropna()
    places = ranked.groupby(trials.loc[ranked.index, "label"], sort=False).idxmax()
    given = _told_apart(trials)
    chosen = {}
    for label, place in places.items():
        row = trials.loc[place].to_dict()
        dataset = str(row["dataset"])
        chosen[str(label)] = Worst(
            dataset,
            int(row["seed"]),
            str(row["status"]),
            metrics[dataset],
            float(values[place]),
            float(medians[place]),
            ",".join(_clauses(row, frames, given)),
            str(row["key"]),
        )
    return chosen


def _told_apart(trials: pd.DataFrame) -> dict[tuple[str, str], list[str]]:
    """Return, by axis and name of a component, the parameters in which its uses in the run differ."""
    found = {}
    for axis in _AXES:
        columns = [
            str(name) for name in trials if str(name).startswith(f"{axis}.") and str(name).count(".") == 1
        ]
        if axis in trials and columns:
            for name, rows in trials.groupby(axis, sort=False):
                varied = [column for column in columns if rows[column].nunique(dropna=False) > 1]
                found[axis, str(name)] = varied
    return found


def _clauses(row: dict[Any, Any], frames: Frames, given: dict[tuple[str, str], list[str]]) -> Iterator[str]:
    yield f"{'dataset' if frames.subject.ground == 'data set' else 'map'}={row['dataset']}"
    for axis in _AXES:
        name = row.get(axis)
        if isinstance(name, str):
            yield f"{axis}={name}"
            for column in given.get((axis, name), ()):
                value = row[column]
                if isinstance(value, str) or not pd.isna(value):
                    yield f"{column}={_written(value)}"
    yield f"seed={row['seed']}"


def _written(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    return str(value)

"""When each trial reached each of a grid of targets, by any clock: what attainment rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from deqbench.records import Status
from deqbench.statistics.failures import higher_is_better
from deqbench.statistics.survival import common_budget
from deqbench.statistics.targets import target_grid, times_to_targets
from deqbench.telling.equal_budgets import with_operations
from deqbench.telling.tables import Frames, primary_metric, rows_at, summed

MOST_GROUNDS = 3
"""Data sets of which attainment is told."""
COUNT = 20
"""Targets of a data set."""
CLOCKS: Mapping[str, tuple[str, str]] = {
    "seconds": ("seconds", "training seconds"),
    "updates": ("step", "parameter updates"),
    "operations": ("operations", "operations of the training"),
}
"""Axis to the column of the curves that is read, and its words."""


@dataclass(frozen=True)
class Attained:
    """The times of one data set's trials by one clock.

    Attributes:
        dataset: The data set.
        metric: What the targets are values of.
        targets: The grid, the easiest first.
        times: As :func:`~deqbench.statistics.targets.times_to_targets` returns them, ``entry`` a label.
        common: The smallest budget of a run that did not fail; beyond it some were no longer watched.
        left_out: Entries for which nobody read the clock.
    """

    dataset: str
    metric: str
    targets: tuple[float, ...]
    times: pd.DataFrame
    common: float
    left_out: tuple[str, ...]


def attained_by(frames: Frames, axis: str, datasets: int = MOST_GROUNDS) -> list[Attained]:
    """Return the times of the first data sets by one clock; none of those whose metric has no curve.

    Args:
        frames: The run, of trainings.
        axis: A key of ``CLOCKS``.
        datasets: How many data sets are read at most.
    """
    column = CLOCKS[axis][0]
    if column == "operations" and summed(frames.trials, column).isna().all():
        return []
    curves = with_operations(frames) if column == "operations" else frames.curves
    names = [str(dataset) for dataset in dict.fromkeys(frames.trials["dataset"])]
    found = (_of(frames, curves, dataset, column) for dataset in names[:datasets])
    return [one for one in found if one is not None]


def _of(frames: Frames, curves: pd.DataFrame, dataset: str, column: str) -> Attained | None:
    metric = primary_metric(frames, dataset)
    better = higher_is_better(metric)
    observed = rows_at(curves, frames.places(dataset, metric))
    targets = target_grid(observed, metric, higher_is_better=better, count=COUNT)
    if not len(targets):
        return None
    rows = frames.on(dataset)
    read = observed.groupby("key", sort=False, observed=True)[column].max().reindex(rows["key"])
    ok = (rows["status"] == Status.OK).to_numpy()
    unread = set(rows.loc[ok & ~np.isfinite(read.to_numpy(dtype="float64")), "label"])
    rows = rows[~rows["label"].isin(unread)]
    if rows.empty:
        return None
    trials = rows[["key", "dataset", "seed", "status"]].assign(entry=rows["label"].astype(str))
    # The clock's name is a choice of three; whatever it reads stands under ``seconds``.
    clocked = observed[["key", "name", "value"]].assign(seconds=observed[column].astype("float64"))
    clocked = clocked[np.isfinite(clocked["seconds"])]
    times = times_to_targets(clocked, trials, metric, targets, higher_is_better=better)
    if times.empty or not times["reached"].any():
        return None
    left = tuple(str(label) for label in unread)
    return Attained(dataset, metric, tuple(map(float, targets)), times, common_budget(times), left)

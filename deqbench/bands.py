"""Curves of several seeds as one: the median and its interval at every evaluation."""

from __future__ import annotations

from math import inf
from typing import Any

import pandas as pd

from deqbench.records import Status
from deqbench.statistics import higher_is_better, median_interval
from deqbench.tables import Frames

COLUMNS = ("entry", "label", "model", "step", "seconds", "median", "low", "high")
FINISHED = (Status.OK, Status.NOT_CONVERGED)
"""Statuses of trials that spent their whole budget; their last value is carried forward."""


def bands(frames: Frames, dataset: str, name: str) -> pd.DataFrame:
    """Return the band of one observation over the seeds, a row per entry and evaluated step: ``COLUMNS``.

    Seeds are evaluated at the same steps unless a trainer stops by itself; a trial that finished keeps its
    last value from then on. One that failed ranks behind all others from its last observation on, so the
    median never rests on the survivors alone; it is infinite where it falls on a failure. ``seconds`` is the
    median training time at which that evaluation was made.

    Args:
        frames: The run.
        dataset: Its data set, as the suite wrote it.
        name: What was observed, e.g. ``test_loss``.
    """
    observed = frames.curves[(frames.curves["dataset"] == dataset) & (frames.curves["name"] == name)]
    trials = frames.trials[frames.trials["dataset"] == dataset]
    rows: list[dict[str, Any]] = []
    for (entry, label, model), group in trials.groupby(["entry", "label", "model"], sort=False, dropna=False):
        curve = observed[observed["key"].isin(group["key"])]
        named = {"entry": entry, "label": label, "model": model}
        rows += [
            named | row for row in _entry_rows(curve, group, worst=-inf if higher_is_better(name) else inf)
        ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def failed_ends(frames: Frames, dataset: str, name: str) -> pd.DataFrame:
    """Return each failed trial's last finite observation: ``label``, ``step``, ``seconds``, ``value``."""
    failed = frames.trials.loc[~frames.trials["status"].isin(FINISHED), "key"]
    curves = frames.curves
    chosen = curves["key"].isin(failed) & (curves["dataset"] == dataset) & (curves["name"] == name)
    last = curves[chosen & curves["value"].notna()].groupby("key", sort=False).tail(1)
    return last[["label", "step", "seconds", "value"]]


def _entry_rows(curve: pd.DataFrame, trials: pd.DataFrame, worst: float) -> list[dict[str, Any]]:
    keys = list(trials["key"])
    values = _per_seed(curve, "value").reindex(columns=keys)
    seconds = _per_seed(curve, "seconds").reindex(columns=keys)
    for key, status in zip(keys, trials["status"], strict=True):
        if status in FINISHED:
            values[key], seconds[key] = values[key].ffill(), seconds[key].ffill()
    rows = []
    for step in values.index:
        interval = median_interval(values.loc[step].fillna(worst).tolist())
        row = {"step": step, "seconds": seconds.loc[step].median()}
        rows.append(row | {"median": interval.median, "low": interval.low, "high": interval.high})
    return rows


def _per_seed(curve: pd.DataFrame, column: str) -> pd.DataFrame:
    # A trainer that ends on an evaluated step may be observed there twice; the later reading stands.
    return curve.pivot_table(index="step", columns="key", values=column, aggfunc="last", dropna=False)

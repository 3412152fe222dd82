"""Curves of several seeds as one: the median and its interval at every evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

import pandas as pd

from deqbench.records import Status
from deqbench.telling.statistics import higher_is_better, median_interval
from deqbench.telling.tables import Frames

COLUMNS = ("entry", "label", "model", "step", "seconds", "median", "low", "high")
FINISHED = (Status.OK, Status.NOT_CONVERGED)
"""Statuses of trials that spent their whole budget; their last value is carried forward."""


def bands(frames: Frames, dataset: str, name: str) -> pd.DataFrame:
    """Return the band of one observation over the seeds, a row per entry and evaluation: ``COLUMNS``.

    The k-th evaluations of the seeds stand together: a trainer that stops by itself is evaluated at steps of
    its own in every seed, and a value invented between two evaluations would be no observation. ``step`` and
    ``seconds`` are the medians at which they were made. A trial that finished keeps its last value from then
    on. One that failed ranks behind all others from its last observation on, so the median never rests on
    the survivors alone; it is infinite where it falls on a failure.

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
    # A trainer that ends on an evaluated step may be observed there twice; the later reading stands.
    once = curve.drop_duplicates(["key", "step"], keep="last")
    evaluation = once.groupby("key").cumcount()
    keys = list(trials["key"])
    finished = dict(zip(keys, trials["status"].isin(FINISHED), strict=True))
    columns = {name: _per_seed(once, evaluation, name, finished) for name in ("step", "seconds", "value")}
    rows = []
    for place in columns["value"].index:
        interval = median_interval(columns["value"].loc[place].fillna(worst).tolist())
        row = {name: columns[name].loc[place].median() for name in ("step", "seconds")}
        rows.append(row | {"median": interval.median, "low": interval.low, "high": interval.high})
    return rows


def _per_seed(
    curve: pd.DataFrame, evaluation: pd.Series[int], name: str, finished: Mapping[str, bool]
) -> pd.DataFrame:
    """Return one column of a curve, (evaluations, trials); those of finished trials are carried forward."""
    indexed = curve.assign(evaluation=evaluation).set_index(["evaluation", "key"])[name]
    table = indexed.unstack("key").reindex(columns=list(finished)).sort_index()
    for key, done in finished.items():
        if done:
            table[key] = table[key].ffill()
    return table

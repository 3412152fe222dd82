"""Curves of several seeds as one: the median and its interval at every evaluation."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from deqbench.records import Status
from deqbench.statistics.failures import higher_is_better
from deqbench.statistics.medians import interval_rank
from deqbench.telling.tables import Frames

COLUMNS = ("entry", "label", "model", "step", "seconds", "median", "low", "high")
MOST_DRAWN = 60
"""Evaluations of an entry that a figure draws."""
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
    trials = frames.trials[frames.trials["dataset"] == dataset].reset_index(drop=True)
    # A trainer that ends on an evaluated step may be observed there twice; the later reading stands.
    once = observed.drop_duplicates(["key", "step"], keep="last")
    keys = once["key"].astype("category").cat
    once = once.assign(trial=pd.Index(trials["key"]).get_indexer(keys.categories)[keys.codes])
    curves: dict[Any, pd.DataFrame] = dict(iter(once.groupby("entry", sort=False, observed=True)))
    worst = -inf if higher_is_better(name) else inf
    parts = []
    for (entry, label, model), group in trials.groupby(["entry", "label", "model"], sort=False, dropna=False):
        if entry in curves:
            named = {"entry": entry, "label": label, "model": model}
            parts.append(pd.DataFrame(named | _band(curves[entry], group, worst)))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def failed_ends(frames: Frames, dataset: str, name: str) -> pd.DataFrame:
    """Return each failed trial's last finite observation: ``label``, ``step``, ``seconds``, ``value``."""
    failed = frames.trials.loc[~frames.trials["status"].isin(FINISHED), "key"]
    curves = frames.curves
    chosen = curves["key"].isin(failed) & (curves["dataset"] == dataset) & (curves["name"] == name)
    last = curves[chosen & curves["value"].notna()].groupby("key", sort=False, observed=True).tail(1)
    return last[["label", "step", "seconds", "value"]]


def drawn(band: pd.DataFrame, most: int = MOST_DRAWN) -> pd.DataFrame:
    """Return a band with at most about ``most`` evaluations an entry, its extremes among them.

    The evaluations are cut into equal stretches; of each the two stay at which the median is least and
    greatest, so that no spike is lost, and of all the first and the last.
    """
    kept = [_kept(group, most) for _, group in band.groupby("entry", sort=False, observed=True)]
    return band.loc[np.concatenate(kept)] if kept else band


def _kept(group: pd.DataFrame, most: int) -> npt.NDArray[np.int64]:
    index = group.index.to_numpy(dtype=np.int64)
    if len(group) <= most:
        return index
    median = group["median"].to_numpy(dtype=np.float64)
    stretches = np.array_split(np.arange(len(group)), most // 2)
    extremes = {
        int(stretch[choose(median[stretch])]) for stretch in stretches for choose in (np.argmin, np.argmax)
    }
    return index[sorted({0, len(group) - 1, *extremes})]


def _band(curve: pd.DataFrame, trials: pd.DataFrame, worst: float) -> dict[str, Any]:
    """Return the columns of one entry's band; each an array, (evaluations,)."""
    trial = np.searchsorted(trials.index, curve["trial"])
    evaluation = _counted(trial, len(trials))
    shape = (int(evaluation.max()) + 1 if len(curve) else 0, len(trials))
    finished = trials["status"].isin(FINISHED).to_numpy()
    filled = {}
    for name in ("step", "seconds", "value"):
        table = np.full(shape, np.nan)
        table[evaluation, trial] = curve[name].to_numpy(dtype=np.float64)
        table[:, finished] = _carried_forward(table[:, finished])
        filled[name] = table
    ordered = np.sort(np.where(np.isnan(filled["value"]), worst, filled["value"]), axis=1)
    n = shape[1]
    rank = interval_rank(n)
    return {
        "step": np.nanmedian(filled["step"], axis=1),
        "seconds": np.nanmedian(filled["seconds"], axis=1),
        # Not np.median: it subtracts, and inf - inf is nan.
        "median": (ordered[:, (n - 1) // 2] + ordered[:, n // 2]) / 2,
        "low": ordered[:, rank - 1],
        "high": ordered[:, n - rank],
    }


def _counted(trial: npt.NDArray[np.int64], trials: int) -> npt.NDArray[np.int64]:
    """Return of each row how many rows of its trial stand before it."""
    order = np.argsort(trial, kind="stable")
    begins = np.searchsorted(trial[order], np.arange(trials))
    counted = np.empty(len(trial), dtype=np.int64)
    counted[order] = np.arange(len(trial)) - begins[trial[order]]
    return counted


def _carried_forward(table: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return a table, (evaluations, trials), in which each gap holds the last number above it."""
    seen = np.where(np.isnan(table), 0, np.arange(len(table))[:, None])
    return np.take_along_axis(table, np.maximum.accumulate(seen, axis=0), axis=0)

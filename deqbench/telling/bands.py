"""Curves of several seeds as one: the median and its interval at every evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt
import pandas as pd

from deqbench.records import Status
from deqbench.statistics.failures import higher_is_better
from deqbench.statistics.medians import interval_rank
from deqbench.telling.tables import Frames, grouped

Values = npt.NDArray[np.float64]

_NAMES = ("entry", "label", "model")
COLUMNS = (*_NAMES, "step", "seconds", "median", "low", "high")
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
    observed = frames.observed(dataset, name)
    trials = frames.on(dataset)
    # A trainer that ends on an evaluated step may be observed there twice; the later reading stands.
    once = observed.drop_duplicates(["key", "step"], keep="last")
    keys = once["key"].astype("category").cat
    columns = _Columns.of(once, pd.Index(trials["key"]).get_indexer(keys.categories)[keys.codes], len(trials))
    finished = trials["status"].isin(FINISHED).to_numpy()
    worst = -inf if higher_is_better(name) else inf
    firsts: list[npt.NDArray[np.int64]] = []
    parts: list[dict[str, Values]] = []
    for group in grouped(trials, _NAMES):
        if part := columns.band(group, finished[group], worst):
            firsts.append(np.repeat(group[:1], len(part["step"])))
            parts.append(part)
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    texts = trials[list(_NAMES)].iloc[np.concatenate(firsts)].reset_index(drop=True)
    return texts.assign(**{each: np.concatenate([part[each] for part in parts]) for each in parts[0]})


def failed_ends(frames: Frames, dataset: str, name: str) -> pd.DataFrame:
    """Return each failed trial's last finite observation: ``label``, ``step``, ``seconds``, ``value``."""
    failed = frames.trials.loc[~frames.trials["status"].isin(FINISHED), "key"]
    curves = frames.observed(dataset, name)
    chosen = curves[curves["key"].isin(failed) & curves["value"].notna()]
    last = chosen.drop_duplicates("key", keep="last")
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


@dataclass(frozen=True)
class _Columns:
    """Observations of one data set, grouped by trial: each trial's stand together, in their order.

    Attributes:
        begins: Where each trial's observations begin, (trials + 1,).
        numbers: ``step``, ``seconds`` and ``value``, (observations,).
    """

    begins: npt.NDArray[np.int64]
    numbers: Mapping[str, Values]

    @classmethod
    def of(cls, once: pd.DataFrame, trial: npt.NDArray[np.int64], trials: int) -> _Columns:
        order = np.argsort(trial, kind="stable")
        begins = np.searchsorted(trial[order], np.arange(trials + 1))
        numbers = {
            name: once[name].to_numpy(dtype=np.float64)[order] for name in ("step", "seconds", "value")
        }
        return cls(begins, numbers)

    def band(
        self, group: npt.NDArray[np.int64], finished: npt.NDArray[np.bool_], worst: float
    ) -> dict[str, Values] | None:
        """Return the columns of one entry's band, each (evaluations,); None if nothing was observed."""
        sizes = np.diff(self.begins)[group]
        if not sizes.any():
            return None
        evaluation = np.arange(sizes.max())[:, None]
        seen = evaluation < sizes  # (evaluations, trials)
        place = np.where(seen, self.begins[group] + evaluation, 0)
        tables = {name: np.where(seen, column[place], np.nan) for name, column in self.numbers.items()}
        for table in tables.values():
            table[:, finished] = _carried_forward(table[:, finished])
        n = len(group)
        ordered = np.sort(np.where(np.isnan(tables["value"]), worst, tables["value"]), axis=1)
        rank = interval_rank(n)
        return {
            "step": _middle(tables["step"]),
            "seconds": _middle(tables["seconds"]),
            # Not np.median: it subtracts, and inf - inf is nan.
            "median": (ordered[:, (n - 1) // 2] + ordered[:, n // 2]) / 2,
            "low": ordered[:, rank - 1],
            "high": ordered[:, n - rank],
        }


def _middle(table: Values) -> Values:
    """Return the median of each row's numbers, nan aside; np.nanmedian takes ten times as long."""
    ordered = np.sort(table, axis=1)  # nan last
    count = np.maximum((~np.isnan(table)).sum(axis=1, keepdims=True), 1)
    lower, upper = (np.take_along_axis(ordered, place, axis=1) for place in ((count - 1) // 2, count // 2))
    middle: Values = ((lower + upper) / 2)[:, 0]
    return middle


def _carried_forward(table: Values) -> Values:
    """Return a table, (evaluations, trials), in which each gap holds the last number above it."""
    seen = np.where(np.isnan(table), 0, np.arange(len(table))[:, None])
    return np.take_along_axis(table, np.maximum.accumulate(seen, axis=0), axis=0)

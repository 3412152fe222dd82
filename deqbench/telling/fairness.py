"""What each entry was given and what it spent, axis by axis: medians over seeds, and ratios to one entry.

A comparison is fair along an axis when both sides spent alike on it. No two entries are alike on every axis;
so all of them are told, and which ones are matched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, isinf, isnan

import numpy as np
import numpy.typing as npt
import pandas as pd

from deqbench.records import Status
from deqbench.statistics.failures import failures_last
from deqbench.telling.tables import PENDING, Frames, summed
from deqbench.trials import Ref, split_outside

MATCHED = 0.02
"""Two entries within so much of each other, as a share, are alike on an axis."""
TUNED = "tried"
"""The axis of tuning: how many settings were tried of the component that is tuned."""
WORK = "work"
"""The axis of calls of the map and products with its Jacobian together."""

_AXES: Mapping[str, tuple[str, ...]] = {
    "training": (
        "parameters",
        "operations",
        "train_seconds",
        "peak_bytes",
        "steps",
        "epochs",
        TUNED,
        "effective_depth",
        WORK,
    ),
    "equilibrium": ("operations", "solve_seconds", "peak_bytes", "map_equivalents", WORK, TUNED),
    "gradient": (
        "operations",
        "forward_seconds",
        "backward_seconds",
        "peak_bytes",
        "saved_bytes",
        WORK,
        TUNED,
    ),
}
_WORK = ("map_calls", "vjps", "jvps")


@dataclass(frozen=True)
class Spent:
    """What the entries of a run spent.

    Attributes:
        medians: A row a data set and label, its index; a column an axis that was measured for anybody.
            Failed trials rank behind all others: infinite where a median falls on one. nan: not counted.
    """

    medians: pd.DataFrame

    @property
    def axes(self) -> list[str]:
        """The axes on which anybody spent anything."""
        return [str(name) for name in self.medians]

    def ratios(self, dataset: str, reference: str) -> pd.DataFrame:
        """Return each label's medians on a data set over those of the reference.

        1 where both are nothing, infinite where the reference alone is nothing, nan where either is not
        known or fell on a failure.
        """
        table = self.medians.loc[dataset]
        assert isinstance(table, pd.DataFrame)
        if reference not in table.index:
            return pd.DataFrame(np.nan, index=table.index, columns=table.columns)
        own = table.where(np.isfinite(table))
        base = own.loc[reference]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = own / base
        return ratios.where(~((own == 0) & (base == 0)), 1.0)


def spent(frames: Frames) -> Spent:
    """Return what the entries of a run spent; no rows and no axes for a run of claims."""
    trials = frames.trials
    known = _AXES.get(str(frames.suite.get("experiment", "training")), ())
    ok = (trials["status"] == Status.OK).to_numpy()
    names = [trials["dataset"].to_numpy(dtype=object), trials["label"].to_numpy(dtype=object)]
    ran = pd.Series(trials["status"].to_numpy() != PENDING).groupby(names, sort=False).any()
    columns = {}
    for name in known:
        values = _values(frames, name)
        if name in ("parameters", TUNED):  # known of a trial that failed, too
            columns[name] = pd.Series(values).groupby(names, sort=False).max()
            continue
        counted = pd.Series(failures_last(values, ok, higher_is_better=False))
        median = counted.groupby(names, sort=False).median()
        unknown = ~pd.Series(np.isfinite(values) & ok).groupby(names, sort=False).any()
        unknown &= pd.Series(ok).groupby(names, sort=False).any()
        columns[name] = median.mask(unknown | ~ran)
    table = pd.DataFrame(columns, index=ran.index)
    table.index.names = ["dataset", "label"]
    measured = [name for name in table if (np.isfinite(table[name]) & (table[name] != 0)).any()]
    return Spent(table[measured])


def mark(ratio: float) -> str:
    """Return ``equal`` (within ``MATCHED``), ``more`` or ``less``; nothing where there is no ratio."""
    if isnan(ratio):
        return ""
    if isinf(ratio):
        return "more"
    if abs(ratio - 1) <= MATCHED:
        return "equal"
    return "more" if ratio > 1 else "less"


def matched(ratios: pd.DataFrame) -> tuple[list[str], list[str], list[str]]:
    """Return the axes that are matched for every entry, those for some others than the reference, the rest.

    An axis that is not known for every entry is never matched for all.

    Args:
        ratios: As :meth:`Spent.ratios` returns them, without the row of the reference.
    """
    every: list[str] = []
    some: list[str] = []
    none: list[str] = []
    for name in map(str, ratios):
        alike = [mark(float(ratio)) == "equal" for ratio in ratios[name]]
        (every if all(alike) else some if any(alike) else none).append(name)
    return every, some, none


def widest(ratios: pd.DataFrame) -> tuple[str, float, float] | None:
    """Return the axis on which entries differ most, its least and greatest ratio; None if none differs."""
    best: tuple[str, float, float] | None = None
    for name in map(str, ratios):
        found = [float(ratio) for ratio in ratios[name] if isfinite(ratio) and ratio > 0]
        low, high = min([1.0, *found]), max([1.0, *found])
        if high / low > 1 + MATCHED and (best is None or high / low > best[2] / best[1]):
            best = (name, low, high)
    return best


def _values(frames: Frames, name: str) -> npt.NDArray[np.float64]:
    if name == TUNED:
        return _tried(frames.trials, list(frames.subject.axes[1:]))
    if name == WORK:
        parts = [summed(frames.trials, part) for part in _WORK]
        return np.asarray(pd.concat(parts, axis="columns").sum(axis="columns", min_count=1), dtype=np.float64)
    return np.asarray(summed(frames.trials, name), dtype=np.float64)


def _tried(trials: pd.DataFrame, axes: list[str]) -> npt.NDArray[np.float64]:
    """Return of each trial how many entries of its data set differ from its own in one component alone.

    That component is the last one of an entry: the trainer, the solver, the gradient. The trial's own entry
    is counted in.
    """
    present = [axis for axis in axes if axis in trials]
    entries = trials["entry"].reset_index(drop=True)
    counts = trials[present].notna().sum(axis="columns").to_numpy()
    pairs = list(zip(entries, counts, strict=True))
    blocks = {pair: _untuned(str(pair[0]), int(pair[1])) for pair in dict.fromkeys(pairs)}
    grouped = entries.groupby([trials["dataset"].to_numpy(dtype=object), [blocks[pair] for pair in pairs]])
    return np.asarray(grouped.transform("nunique"), dtype=np.float64)


def _untuned(entry: str, count: int) -> str:
    parts = split_outside(entry, "|")
    place = max(0, min(count, len(parts)) - 1)
    return " | ".join([*parts[:place], Ref.parse(parts[place]).name, *parts[place + 1 :]])

"""The axes by which entries are ranked and drawn, and each entry's place on every one that was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, log10
from typing import Any

import numpy as np
import pandas as pd

from deqbench.statistics.failures import higher_is_better
from deqbench.telling.report.numbers import interval, number
from deqbench.telling.report.rankings import COST_COLUMNS, DECADES, Ranking, Standing

SCORE = "score"
"""The key of the primary metric, where it is no cost."""

AXES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "calls": ("map calls", ("map_calls",)),
    "work": ("map-equivalents", ("map_equivalents",)),
    "operations": ("operations", ("operations", "flops")),
    "updates": ("updates", ("steps",)),
    "epochs": ("epochs", ("epochs",)),
    "seconds": ("seconds", ("train_seconds", "solve_seconds", "backward_seconds")),
    "memory": ("peak memory", ("peak_bytes",)),
    "parameters": ("parameters", ("parameters",)),
}
"""Key to what a person calls the axis and the columns of a summary that may hold it, the first present."""


@dataclass(frozen=True)
class Scale:
    """One axis of one data set.

    Attributes:
        key: Of the axis: ``score`` or a key of ``AXES``.
        title: What heads it: ``train s``.
        logarithmic: Whether its ends are so far apart that only a logarithmic scale shows both.
        more: Whether more is better.
        ends: Its least and greatest finite end, written.
    """

    key: str
    title: str
    logarithmic: bool
    more: bool
    ends: tuple[str, str]


@dataclass(frozen=True)
class Place:
    """Where an entry stands on an axis: plain numbers, infinite on a failure, and as they are written."""

    low: float
    median: float
    high: float
    written: str
    interval: str

    def to_json(self) -> list[Any]:
        """Return it as the page's script reads it; None for what is not finite."""
        ends = [float(f"{end:.5g}") if isfinite(end) else None for end in (self.low, self.median, self.high)]
        return [*ends, self.written, self.interval]


@dataclass(frozen=True)
class Board:
    """The standings of one data set on every axis.

    Attributes:
        name: The identifier of its table.
        scales: Its axes, the one that ranks it first.
        places: A row a standing, in their order: its place on each axis.
    """

    name: str
    scales: tuple[Scale, ...]
    places: tuple[tuple[Place, ...], ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as the page's script reads it."""
        scales = [[one.key, one.title, int(one.logarithmic), int(one.more), *one.ends] for one in self.scales]
        return {"scales": scales, "rows": [[place.to_json() for place in row] for row in self.places]}


@dataclass(frozen=True)
class Track:
    """Where a standing lies on its scale, in percent of the track's width.

    Attributes:
        low: Left end of the interval.
        high: Right end.
        median: The median; None where it falls on a failure.
        open_end: Whether an end of the interval falls on a failure, outside the scale.
    """

    low: float
    high: float
    median: float | None
    open_end: bool


def board(name: str, ranking: Ranking, table: pd.DataFrame) -> Board:
    """Return the standings of one data set on every axis that was measured.

    Args:
        name: The identifier of its table.
        ranking: Its entries in order.
        table: Its rows of the summary.
    """
    metric = str(table["metric"].iloc[0])
    rows = table.set_index("label").to_dict("index")
    own = next((key for key, (_, columns) in AXES.items() if metric in columns), SCORE)
    scales = [Scale(own, ranking.metric, ranking.logarithmic, higher_is_better(metric), ranking.scale)]
    places = [[_scored(one)] for one in ranking.standings]
    for key, (_, columns) in AXES.items():
        column = next((name for name in columns if _measured(table, name)), None)
        if column is None or key == own:
            continue
        found = [_on_axis(rows[one.label], column) for one in ranking.standings]
        scales.append(_scale(key, column, found))
        for row, place in zip(places, found, strict=True):
            row.append(place)
    return Board(name, tuple(scales), tuple(tuple(row) for row in places))


def tracks(ranking: Ranking) -> list[Track]:
    """Return each standing's place on the scale from the least to the greatest finite end."""
    finite = [end for one in ranking.standings for end in (one.low, one.high) if isfinite(end)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    scale = log10 if ranking.logarithmic else float
    return [_track(one, low, high, scale) for one in ranking.standings]


def _track(one: Standing, low: float, high: float, scale: Callable[[float], float]) -> Track:
    span = (scale(high) - scale(low)) or 1.0

    def place(value: float) -> float:
        return round(100 * (scale(min(max(value, low), high)) - scale(low)) / span, 2)

    if not isfinite(one.median):
        return Track(0, 0, None, open_end=True)
    return Track(
        place(one.low), place(one.high), place(one.median), not (isfinite(one.low) and isfinite(one.high))
    )


def _measured(table: pd.DataFrame, name: str) -> bool:
    """Return whether a column tells anything: a number somewhere, and not nothing everywhere."""
    return name in table and bool((np.isfinite(table[name].astype("float64")) & (table[name] != 0)).any())


def _scored(one: Standing) -> Place:
    return Place(one.low, one.median, one.high, one.score, one.score_interval)


def _on_axis(row: Mapping[Any, Any], column: str) -> Place:
    median = float(row[column])
    low, high = (float(row.get(f"{column}_{end}", median)) for end in ("low", "high"))
    write = _writer(column)[1]
    return Place(low, median, high, write(median), interval(write(low), write(high)))


def _scale(key: str, column: str, places: Sequence[Place]) -> Scale:
    ends = [end for place in places for end in (place.low, place.high) if isfinite(end)]
    title, write = _writer(column)
    written = (write(min(ends)), write(max(ends))) if ends else ("", "")
    logarithmic = bool(ends) and min(ends) > 0 and max(ends) > DECADES * min(ends)
    return Scale(key, title, logarithmic, more=False, ends=written)  # every other axis is a cost


def _writer(column: str) -> tuple[str, Callable[[float], str]]:
    """Return what heads a column in the tables of costs and how it is written there."""
    found = ((title, write) for title, (name, write) in COST_COLUMNS.items() if name == column)
    return next(found, (column.replace("_", " "), number))

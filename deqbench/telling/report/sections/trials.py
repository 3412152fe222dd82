"""Every trial in one table that the page sorts and filters: by seed, status and, with all else, component."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from deqbench.records import Status
from deqbench.telling.report.axes import AXES
from deqbench.telling.report.components import components
from deqbench.telling.report.numbers import metric_title, number, score
from deqbench.telling.report.rankings import COST_COLUMNS
from deqbench.telling.report.sections.section import Section, Story
from deqbench.telling.tables import Frames, primary_metric, summed

ROOM = 240_000
"""Bytes that the embedded trials may take of the page."""
SHOWN = 20
"""Rows that stand in the page itself, for a reader without scripts; the rest is embedded as data."""


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        key: Its name in the address.
        title: What heads it.
        cells: What stands in it, a cell a trial.
        choice: Whether the page offers its values as a filter.
        numeric: Whether it is set as numbers.
    """

    key: str
    title: str
    cells: tuple[str, ...]
    choice: bool = False
    numeric: bool = False


@dataclass(frozen=True)
class Trials:
    """The trials of a run.

    Attributes:
        columns: The table.
        total: Planned trials.
        notice: What was left out to keep the page small; nothing if nothing was.
    """

    columns: tuple[Column, ...]
    total: int
    notice: str

    @property
    def head(self) -> list[str]:
        """Titles of the columns."""
        return [column.title for column in self.columns]

    @property
    def numbers(self) -> list[int]:
        """Places of the columns that are set as numbers."""
        return [place for place, column in enumerate(self.columns) if column.numeric]

    @property
    def shown(self) -> list[tuple[str, ...]]:
        """The first rows."""
        return list(zip(*(column.cells[:SHOWN] for column in self.columns), strict=True))

    @property
    def data(self) -> dict[str, Any]:
        """All rows as the page's script reads them: names once each, and their places in the rows."""
        columns: list[dict[str, Any]] = []
        cells: list[list[Any]] = []
        for column in self.columns:
            told: dict[str, Any] = {"key": column.key, "title": column.title, "numeric": int(column.numeric)}
            if column.choice:
                places = {name: place for place, name in enumerate(dict.fromkeys(column.cells))}
                columns.append(told | {"names": list(places)})
                cells.append([places[cell] for cell in column.cells])
            else:
                columns.append(told)
                cells.append(list(column.cells))
        return {"columns": columns, "rows": [list(row) for row in zip(*cells, strict=True)]}


def build(story: Story) -> Trials:
    """Return the trials, those that did not end well first where not all of them have room."""
    frames = story.frames
    columns = tuple(_columns(frames))
    total = len(frames.trials)
    room = max(SHOWN, int(ROOM / max(1.0, _bytes_a_row(columns))))
    if total <= room:
        return Trials(columns, total, "")
    kept = _kept(frames.trials["status"] == Status.OK, room)
    thin = tuple(_only(column, kept) for column in columns)
    notice = (
        f"{room:,} of {total:,} trials: those that did not end well before others, and of the rest an even "
        "choice. All of them are in trials.csv."
    )
    return Trials(thin, total, notice)


def markdown(it: Trials) -> Iterator[str]:
    """Yield where the trials are; a table of all of them would bury everything else."""
    yield f"All {it.total:,} trials, with seed, status, parameters and every measurement: `trials.csv`."


def _columns(frames: Frames) -> Iterator[Column]:
    trials, subject = frames.trials, frames.subject
    yield Column("on", subject.ground, tuple(map(str, trials["dataset"])), choice=True)
    for axis, texts in components(trials, subject).items():
        yield Column(axis, axis, texts, choice=True)
    yield Column("seed", "seed", tuple(map(str, trials["seed"])), choice=True, numeric=True)
    yield Column(
        "status", "status", tuple(str(one).replace("_", " ") for one in trials["status"]), choice=True
    )
    metrics = {dataset: primary_metric(frames, str(dataset)) for dataset in dict.fromkeys(trials["dataset"])}
    title = metric_title(next(iter(metrics.values()))) if len(set(metrics.values())) == 1 else "score"
    yield Column("score", title, tuple(_scores(trials, metrics)), numeric=True)
    for key, column in _measured(trials, set(metrics.values())):
        heading, write = next(
            ((title, write) for title, (name, write) in COST_COLUMNS.items() if name == column),
            (column.replace("_", " "), number),
        )
        yield Column(key, heading, tuple(write(value) for value in summed(trials, column)), numeric=True)
    yield Column("key", "key", tuple(map(str, trials["key"])))


def _scores(trials: pd.DataFrame, metrics: dict[Any, str]) -> Iterator[str]:
    values = {metric: summed(trials, metric).to_numpy() for metric in set(metrics.values())}
    for place, dataset in enumerate(trials["dataset"]):
        metric = metrics[dataset]
        yield score(metric, float(values[metric][place]))


def _measured(trials: pd.DataFrame, told: set[str]) -> Iterator[tuple[str, str]]:
    for key, (_, columns) in AXES.items():
        for column in columns:
            values = summed(trials, column)
            if column not in told and bool((values.notna() & (values != 0)).any()):
                yield key, column
                break


def _bytes_a_row(columns: tuple[Column, ...]) -> float:
    return sum(
        3.0 if column.choice else 3.0 + float(np.mean([len(cell) for cell in column.cells] or [0]))
        for column in columns
    )


def _kept(well: pd.Series, room: int) -> list[int]:
    """Return the places of the rows that stay, in order."""
    bad, good = np.flatnonzero(~well.to_numpy()), np.flatnonzero(well.to_numpy())
    chosen = bad[:room]
    left = room - len(chosen)
    spread = (
        good[np.unique(np.linspace(0, len(good) - 1, left).astype(int))] if left and len(good) else good[:0]
    )
    return sorted(int(place) for place in (*chosen, *spread))


def _only(column: Column, kept: list[int]) -> Column:
    cells = tuple(column.cells[place] for place in kept)
    return Column(column.key, column.title, cells, column.choice, column.numeric)


SECTION = Section("trials", "Trials", build, markdown)

"""How much of a grid of targets was attained by when, and the times to some of them with censored shares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

import pandas as pd

from deqbench.statistics.survival import restricted_means
from deqbench.telling.attaining import CLOCKS, MOST_GROUNDS, Attained, attained_by
from deqbench.telling.attainment_figures import attainment_pictures
from deqbench.telling.pictures import Picture
from deqbench.telling.report.markdown import code, table
from deqbench.telling.report.numbers import NOTHING, interval, metric_title, number, percent, score
from deqbench.telling.report.sections.section import Section, Story

HEAD = ("entry", "target", "reached", "censored %", "failed", "median s", "restricted mean s", "interval")
_PLACES, _PLACE = (0.5, 0.9), (0.75,)
"""Where in the grid the targets of the tables lie, the easiest first: of one data set, and of more."""


@dataclass(frozen=True)
class Table:
    """One data set: its caption, and a row an entry and target."""

    caption: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Attainment:
    """What was attained by when.

    Attributes:
        pictures: One an axis; the page switches between them.
        head: Titles of the tables.
        tables: One a data set.
        note: How they are to be read.
        notice: What was left out; nothing if nothing was.
    """

    pictures: tuple[Picture, ...]
    head: tuple[str, ...]
    tables: tuple[Table, ...]
    note: str
    notice: str


_NOTE = (
    "Seconds of training until a target of the grid is reached, one half way to the hardest or beyond. A run "
    "that ended without reaching it is censored; one that failed never reaches it. The median is Kaplan and "
    "Meier's, a dash where it was not seen. The restricted mean is the mean of min(time, horizon), with its "
    "95% interval, a dash where no run had reached the target by the horizon; the horizon is the smallest "
    "budget of a run that did not fail, beyond which nothing can be compared. One target is a cliff: read "
    "the curves first."
)


def build(story: Story) -> Attainment | None:
    """Return what was attained; None where no primary metric was observed along the way."""
    frames = story.frames
    if frames.subject.ground != "data set":
        return None
    found = {axis: attained_by(frames, axis) for axis in CLOCKS}
    drawn = attainment_pictures(frames, found)
    if not drawn:
        return None
    count = frames.trials["dataset"].nunique()
    notice = f"The first {MOST_GROUNDS} of {count} data sets are told." if count > MOST_GROUNDS else ""
    return Attainment(tuple(drawn), HEAD, tuple(_tables(found["seconds"])), _NOTE, notice)


def _tables(found: Sequence[Attained]) -> Iterator[Table]:
    for one in found:
        yield _table(one, _PLACES if len(found) == 1 else _PLACE)


def _table(one: Attained, places: Sequence[float]) -> Table:
    chosen = {one.targets[int(place * (len(one.targets) - 1))] for place in places}
    means = restricted_means(one.times[one.times["target"].isin(chosen)])
    title = metric_title(one.metric)
    caption = f"{one.dataset}: time to a target of {title}, horizon {number(one.common)} s"
    return Table(caption, tuple(_row(one.metric, row) for _, row in means.iterrows()))


def _row(metric: str, row: pd.Series) -> tuple[str, ...]:
    low, high = (number(float(row[end])) for end in ("low", "high"))
    return (
        str(row["entry"]),
        score(metric, float(row["target"])),
        f"{row['reached']}/{row['n']}",
        percent(float(row["censored_share"])),
        str(row["failed"]),
        number(float(row["median"])) if isfinite(row["median"]) else NOTHING,
        number(float(row["mean"])) if row["mean"] < row["horizon"] else NOTHING,
        interval(low, high),
    )


def pictures(it: Attainment) -> Sequence[Picture]:
    """Return the figures."""
    return it.pictures


def markdown(it: Attainment) -> Iterator[str]:
    """Yield the same as Markdown."""
    if it.notice:
        yield from (it.notice, "")
    for picture in it.pictures:
        yield from (f"![{picture.title}](figures/{picture.name}.svg)", "")
        yield from (f"*{picture.title}.* {picture.caption}", "")
    for one in it.tables:
        yield from (f"**{one.caption}**", "")
        yield from table(it.head, [(code(row[0]), *row[1:]) for row in one.rows])
        yield ""
    yield it.note


SECTION = Section("attainment", "Targets attained", build, markdown, pictures)

"""Each entry by itself: what it is, what it cost, its equilibria, its measured rate, its worst seed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from typing import Any

import pandas as pd

from deqbench.telling.calls_figures import calls
from deqbench.telling.pictures import Picture
from deqbench.telling.rates_of_runs import Measured, halving, rates
from deqbench.telling.report.markdown import code, table
from deqbench.telling.report.numbers import NOTHING, metric_title, number, percent, score
from deqbench.telling.report.rankings import Ranking, Standing
from deqbench.telling.report.sections.section import Section, Story
from deqbench.telling.tables import Frames
from deqbench.telling.worst_seeds import Worst, worst_seeds

MOST_ENTRIES = 12
"""Entries that are told, the best of each data set first."""
MOST_GROUNDS = 6
"""Data sets or maps of which an entry's costs and rates are told."""
_SETTINGS = ("dtype", "budget.", "stop.", "loss.", "repeats")


@dataclass(frozen=True)
class Table:
    """A small table of one entry."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Entry:
    """One entry.

    Attributes:
        label: Its name in short.
        told: What stands beside the name before it is opened.
        parts: Its components with all their parameters, and its settings.
        facts: What it cost, where it ran on one data set.
        tables: What it cost and how fast it converged, where it ran on several.
        remarks: Its equilibria and its worst seed.
        rerun: The command that makes its worst trial again; nothing where no trial has run.
    """

    label: str
    told: str
    parts: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]
    remarks: tuple[str, ...]
    rerun: str


@dataclass(frozen=True)
class Details:
    """The entries, one by one.

    Attributes:
        entries: Those that are told.
        picture: Calls and spectral radius along the training; None where they were not observed.
        notice: Which are not told; nothing if all are.
    """

    entries: tuple[Entry, ...]
    picture: Picture | None
    notice: str


def build(story: Story) -> Details | None:
    """Return the entries; None for claims."""
    frames, rankings = story.frames, story.content.rankings
    if story.frames.about_claims or not rankings:
        return None
    order = _best_first(rankings)
    worst, measured = worst_seeds(frames), rates(frames)
    first = {str(row["label"]): row for row in frames.trials.drop_duplicates("label").to_dict("records")}
    groups = {str(label): rows for label, rows in frames.trials.groupby("label", sort=False)}
    command = frames.run.get("command")
    entries = tuple(
        Entry(
            label,
            _told(rankings, label),
            tuple(_parts(first[label], frames)),
            tuple(_facts(rankings[0], label)) if len(rankings) == 1 else (),
            tuple(_tables(rankings, [one for one in measured if one.label == label], label, frames)),
            tuple(_remarks(groups[label], worst.get(label))),
            _rerun(worst.get(label), command, frames),
        )
        for label in order[:MOST_ENTRIES]
    )
    left = len(order) - len(entries)
    notice = (
        f"The {len(entries)} with the best medians; {left} more stand in the tables above." if left else ""
    )
    return Details(entries, calls(frames), notice)


def _best_first(rankings: Sequence[Ranking]) -> list[str]:
    """Return the labels, those first that stand high on any data set."""
    places: dict[str, int] = {}
    for ranking in rankings:
        for place, one in enumerate(ranking.standings):
            places[one.label] = min(place, places.get(one.label, place))
    return sorted(places, key=places.__getitem__)


def _standing(ranking: Ranking, label: str) -> Standing | None:
    return next((one for one in ranking.standings if one.label == label), None)


def _told(rankings: Sequence[Ranking], label: str) -> str:
    found = [(ranking, _standing(ranking, label)) for ranking in rankings]
    if len(found) == 1:
        ranking, one = found[0]
        return f"{ranking.metric} {one.score} {one.score_interval}".rstrip() if one else ""
    first = sum(ranking.standings[0].label == label for ranking, _ in found)
    return f"best median on {first} of {len(rankings)}" if first else ""


def _parts(row: Mapping[Any, Any], frames: Frames) -> Iterator[tuple[str, str]]:
    for axis in frames.subject.axes[1:]:
        name = row.get(axis)
        if isinstance(name, str) and axis != "map":
            given = {key.partition(".")[2]: row[key] for key in row if str(key).startswith(f"{axis}.")}
            inside = ", ".join(f"{key} = {_plain(value)}" for key, value in given.items() if _known(value))
            yield axis, f"{name} ({inside})" if inside else name
    implicit = isinstance(row.get("solver"), str)
    settings = [key for key in row if str(key).startswith(_SETTINGS) and _known(row[key])]
    settings = [key for key in settings if implicit or not str(key).startswith("stop.")]
    yield "settings", ", ".join(f"{key} = {_plain(row[key])}" for key in settings)


def _known(value: Any) -> bool:
    return isinstance(value, str) or not pd.isna(value)


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _facts(ranking: Ranking, label: str) -> Iterator[tuple[str, str]]:
    one = _standing(ranking, label)
    if one is not None:
        yield ranking.metric, f"{one.score} {one.score_interval}".rstrip()
        yield from one.costs.items()
        yield "ok", one.ok
        if one.failures:
            yield "failures", one.failures


def _tables(
    rankings: Sequence[Ranking], measured: Sequence[Measured], label: str, frames: Frames
) -> Iterator[Table]:
    found = [(ranking, _standing(ranking, label)) for ranking in rankings]
    told = [(ranking, one) for ranking, one in found if one is not None]
    if len(rankings) > 1:
        shown = [one for _, one in told[:MOST_GROUNDS]]
        titles = tuple(
            dict.fromkeys(
                title for one in shown for title, cell in one.costs.items() if cell not in ("", NOTHING)
            )
        )
        rows = tuple(
            (ranking.dataset, one.score, *(one.costs.get(title, NOTHING) for title in titles), one.ok)
            for ranking, one in told[:MOST_GROUNDS]
        )
        metrics = {ranking.metric for ranking, _ in told}
        head = (frames.subject.ground, metrics.pop() if len(metrics) == 1 else "score", *titles, "ok")
        yield Table(f"{label}: medians{_first(len(told), frames)}", head, rows)
    if measured:
        bounds = any(not isnan(one.bound) for one in measured)
        per = "update" if frames.subject.ground == "data set" else "call"
        what = "gap" if per == "update" else "residual"
        head = (frames.subject.ground, f"factor a {per}", "least", "most", f"{per}s per decade", "seeds")
        head += (f"bound a {per}", "measured/bound") if bounds else ()
        caption = f"{label}: rate at which its {what} falls{_first(len(measured), frames)}"
        yield Table(caption, head, tuple(_rate(one, bounds=bounds) for one in measured[:MOST_GROUNDS]))


def _first(count: int, frames: Frames) -> str:
    return f", the first {MOST_GROUNDS} of {count} {frames.subject.ground}s" if count > MOST_GROUNDS else ""


def _rate(one: Measured, *, bounds: bool) -> tuple[str, ...]:
    decade = halving(one.factor)
    cells = (
        one.dataset,
        *(number(value, 4) for value in (one.factor, one.least, one.most)),
        number(decade) if isfinite(decade) else "does not fall",
        str(one.seeds),
    )
    return (*cells, number(one.bound, 4), number(one.against)) if bounds else cells


def _remarks(rows: pd.DataFrame, worst: Worst | None) -> Iterator[str]:
    said = [
        f"{words} {write(float(getattr(rows[name].astype('float64'), over)()))}"
        for name, words, over, write in _EQUILIBRIA
        if name in rows and rows[name].notna().any()
    ]
    if said:
        yield f"Its equilibria at the last evaluation, over all its trials: {', '.join(said)}."
    if worst is not None:
        yield _of_worst(worst)


_EQUILIBRIA = (
    ("residual_worst", "worst residual", "max", number),
    ("residual", "worst residual", "max", number),
    ("residual_median", "median residual", "median", number),
    ("true_residual", "worst residual recomputed in float64", "max", number),
    ("unconverged_share", "largest share of samples that missed the tolerance in %", "max", percent),
    ("solver_calls", "median calls a sample", "median", number),
    ("spectral_radius", "largest spectral radius", "max", number),
)


def _of_worst(worst: Worst) -> str:
    where = f"Its worst trial: seed {worst.seed} on {worst.dataset}"
    title = metric_title(worst.metric)
    if isnan(worst.value):
        return f"{where}, which ended {worst.status.replace('_', ' ')}."
    middle = score(worst.metric, worst.median)
    return f"{where}, {title} {score(worst.metric, worst.value)} beside a median of {middle}."


def _rerun(worst: Worst | None, command: Any, frames: Frames) -> str:
    if worst is None:
        return ""
    words = command if isinstance(command, list) else []
    suite = str(words[2]) if len(words) > 2 else str(frames.suite.get("name", "SUITE"))
    return shlex.join(["deqbench", "run", suite, "--only", worst.only, "--fresh", "--out", "again"])


def pictures(it: Details) -> Sequence[Picture]:
    """Return the figure of calls, where there is one."""
    return [] if it.picture is None else [it.picture]


def markdown(it: Details) -> Iterator[str]:
    """Yield the same as Markdown."""
    for picture in pictures(it):
        yield from (f"![{picture.title}](figures/{picture.name}.svg)", "", picture.caption, "")
    for one in it.entries:
        yield from (f"### `{one.label}`", "")
        yield from (f"- {name}: {code(value)}" for name, value in one.parts)
        yield from (f"- {name}: {value}" for name, value in one.facts)
        yield from (f"- {remark}" for remark in one.remarks)
        for each in one.tables:
            yield from ("", f"{each.caption}:", "")
            yield from table(each.head, each.rows)
        yield from ("", f"`{one.rerun}`", "") if one.rerun else ("",)
    yield it.notice


SECTION = Section("details", "Entry by entry", build, markdown, pictures)

"""Fairness: what each entry was given and spent, axis by axis, beside the one it is measured against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isinf

import numpy as np
import pandas as pd

from deqbench.records import Status
from deqbench.telling.fairness import MATCHED, TUNED, WORK, Spent, mark, matched, spent, widest
from deqbench.telling.report.markdown import code, table
from deqbench.telling.report.numbers import NOTHING, count, mebibytes, number, percent, work
from deqbench.telling.report.rankings import COST_COLUMNS
from deqbench.telling.report.sections.section import Section, Story
from deqbench.telling.tables import Frames, summed

MOST_TABLES = 4
"""Data sets that are told one by one; more are told in one table, by the range of their ratios."""
COVERED = 0.95
"""Share of the operations that must have had a formula."""
_NAMED = 3


@dataclass(frozen=True)
class Cell:
    """What one entry spent on one axis.

    Attributes:
        value: As written; a range over data sets where several are told together.
        ratio: To the reference: ``0.13x``; nothing for the reference itself or where there is none.
        mark: ``equal``, ``more``, ``less``, ``mixed`` or nothing.
    """

    value: str
    ratio: str = ""
    mark: str = ""

    @property
    def text(self) -> str:
        """The cell in one line."""
        said = " ".join(filter(None, (self.ratio, self.mark)))
        return f"{self.value} ({said})" if said and self.value else said or self.value


@dataclass(frozen=True)
class Table:
    """The entries of one data set, or of all of them.

    Attributes:
        caption: What it shows.
        sentence: Which axes are matched.
        head: The entry, then the axes.
        rows: A row an entry: its label, whether it is the reference, and a cell an axis.
    """

    caption: str
    sentence: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, bool, tuple[Cell, ...]], ...]


@dataclass(frozen=True)
class Fairness:
    """Who was given and spent how much.

    Attributes:
        tables: One a data set, or one over all.
        remarks: What was not counted, and why; operations that lacked a formula.
        note: How the tables are to be read.
    """

    tables: tuple[Table, ...]
    remarks: tuple[str, ...]
    note: str


def build(story: Story) -> Fairness | None:
    """Return the panel; None for claims, and where there are no two entries or nothing was counted."""
    frames = story.frames
    if frames.about_claims or frames.trials["label"].nunique() < 2:
        return None
    found = spent(frames)
    leads = {one.dataset: one.standings[0].label for one in story.content.rankings if one.standings}
    if not found.axes or not leads:
        return None
    several = len(leads) > MOST_TABLES
    tables = (_over(found, leads, frames),) if several else tuple(_each(found, leads))
    shown = {title for one in tables for title in one.head}
    return Fairness(tables, tuple(_remarks(frames, found, shown)), _note(several=several))


def _each(found: Spent, leads: Mapping[str, str]) -> Iterator[Table]:
    for dataset, lead in leads.items():
        rows, ratios = found.medians.loc[dataset], found.ratios(dataset, lead)
        assert isinstance(rows, pd.DataFrame)
        known = [str(name) for name in rows if rows[name].notna().any()]
        plain = rows.astype("float64").to_dict("index"), ratios.to_dict("index")
        told = []
        for label in _lead_first([*map(str, rows.index)], lead):
            pairs = [(name, plain[0][label][name], plain[1][label][name]) for name in known]
            told.append((label, label == lead, tuple(_cell(*one, reference=label == lead) for one in pairs)))
        said = _sentence(ratios[known].drop(index=lead, errors="ignore"), dataset, lead)
        yield Table(f"{dataset}: what each entry spent, beside {lead}", said, _head(known), tuple(told))


def _over(found: Spent, leads: Mapping[str, str], frames: Frames) -> Table:
    lead = Counter(leads.values()).most_common(1)[0][0]
    stacked = pd.concat({dataset: found.ratios(dataset, lead) for dataset in leads})
    labels = _lead_first([str(label) for label in dict.fromkeys(frames.trials["label"])], lead)
    axes = [name for name in found.axes if stacked[name].notna().any()]
    by_label = {str(label): group for label, group in stacked[axes].groupby(level=1, sort=False)}
    medians = {str(label): group for label, group in found.medians.groupby(level=1, sort=False)}
    told = []
    for label in labels:
        ratios, own = by_label[label], medians[label]
        cells = tuple(
            _range(
                ratios[name].to_numpy(dtype="float64"),
                int(np.isinf(own[name]).sum()),
                reference=label == lead,
            )
            for name in axes
        )
        told.append((label, label == lead, cells))
    grounds = f"{len(leads)} {frames.subject.ground}s"
    said = _sentence(stacked[axes].drop(index=lead, level=1), f"the {grounds}", lead)
    lacking = [WRITTEN[name][0] for name in found.axes if name not in axes]
    if lacking:
        said += f" There are no ratios in {_joined(lacking)}, which nobody counted for {lead}."
    caption = f"All {grounds}: what each entry spent, as a multiple of {lead}: median [least, most]"
    return Table(caption, said, _head(axes), tuple(told))


def _lead_first(labels: Sequence[str], lead: str) -> list[str]:
    return [*(label for label in labels if label == lead), *(label for label in labels if label != lead)]


def _cell(name: str, value: float, ratio: float, *, reference: bool) -> Cell:
    written = NOTHING if np.isnan(value) else WRITTEN[name][1](float(value))
    return Cell(written) if reference else Cell(written, _times(float(ratio)), mark(float(ratio)))


def _range(ratios: np.ndarray[tuple[int], np.dtype[np.float64]], failed: int, *, reference: bool) -> Cell:
    """Return the ratios of one entry on several data sets: the lower middle, and the ends if they differ."""
    known = np.sort(ratios[~np.isnan(ratios)])
    on = f"failed on {failed}" if failed else ""
    if reference or not len(known):
        return Cell(on or ("1x" if len(known) else NOTHING))
    marks = {mark(float(ratio)) for ratio in known}
    low, middle, high = (
        _times(float(known[place])) or "1x" for place in (0, (len(known) - 1) // 2, len(known) - 1)
    )
    if marks == {"equal"}:
        return Cell(on, _times(float(known[(len(known) - 1) // 2])), "equal")
    ends = "" if low == high else f" [{low}, {high}]"
    return Cell(on, middle + ends, marks.pop() if len(marks) == 1 else "mixed")


def _times(ratio: float) -> str:
    """Return a ratio as it is written; nothing where it is 1, for the word says it, or unknown."""
    if isinf(ratio):
        return "from 0"
    digits = 3 if abs(ratio - 1) < 0.1 else 2
    return f"{number(ratio, digits)}x" if isfinite(ratio) and ratio != 1 else ""


def _head(names: Sequence[str]) -> tuple[str, ...]:
    return ("entry", *(WRITTEN[name][0] for name in names))


def _sentence(ratios: pd.DataFrame, where: str, lead: str) -> str:
    """Return which axes are matched within the tolerance."""
    within = f"{100 * MATCHED:g}%"
    if ratios.empty:
        return ""
    every, some, none = ([WRITTEN[name][0] for name in group] for group in matched(ratios))
    said = f"On {where}, all entries are within {within} of {lead} in {_joined(every)}" if every else ""
    said = said or f"On {where}, there is no axis on which all entries are within {within} of {lead}"
    said += f"; some are in {_joined(some)}" if some else ""
    said += f"; none is known to be in {_joined(none)}" if none else ""
    far = widest(ratios)
    if far is None:
        return f"{said}."
    name, low, high = far
    span = f"from {number(low)} to {number(high)} times those of {lead}"
    return f"{said}. They differ most in {WRITTEN[name][0]}: {span}."


def _remarks(frames: Frames, found: Spent, shown: Container[str]) -> Iterator[str]:
    """Yield what a reader must know of the numbers themselves."""
    trials = frames.trials
    ok = trials["status"] == Status.OK
    share = summed(trials, "operations_coverage")
    low = ok & (share < COVERED)
    if low.any():
        labels = list(dict.fromkeys(trials.loc[low, "label"]))
        yield (
            f"Operations are too low for {_listed(labels)}: of what they did, as little as "
            f"{percent(float(share[low].min()))}% belonged to operations with a formula."
        )
    for name in (name for name in found.axes if WRITTEN[name][0] in shown):
        missing = found.medians[name].isna()
        labels = list(dict.fromkeys(str(label) for _, label in found.medians.index[missing]))
        if labels:
            yield f"A dash in {WRITTEN[name][0]}, for {_listed(labels)}: {_REASONS.get(name, _UNKNOWN)}"


def _note(*, several: bool) -> str:
    which = "the entry with the best median, which stands first"
    dash = ""
    if several:
        which = "the entry that has the best median on most of them, which stands first"
        dash = " A dash: no ratio, for one of the two was not measured there."
    return (
        f"Medians over seeds and their ratio to {which}: equal within {100 * MATCHED:g}%, else more or less."
        f"{dash} A failed trial ranks behind all others. An axis that is not equal is an advantage to one "
        "side, whatever the verdict; the answers at equal cost correct for it. tried: settings of the "
        "last component that were run in this suite; tuning outside of it is not known here."
    )


def _listed(names: Sequence[str]) -> str:
    shown = list(names) if len(names) <= _NAMED + 1 else [*names[:_NAMED], f"{len(names) - _NAMED} more"]
    return _joined(shown)


def _joined(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


_REASONS: Mapping[str, str] = {
    "operations": (
        "not counted, for its work is done outside torch, it ran out of time or memory, or the suite counts "
        "nothing."
    ),
    "effective_depth": "its prediction could not be traced to an input.",
    "peak_bytes": "the system did not tell the memory of a process.",
    WORK: "it solves no equilibrium.",
}
_UNKNOWN = "not recorded by these trials."

WRITTEN: Mapping[str, tuple[str, Callable[[float], str]]] = {
    **{column: (title, how) for title, (column, how) in COST_COLUMNS.items()},
    "epochs": ("epochs", work),
    "peak_bytes": ("peak MiB", mebibytes),
    TUNED: ("tried", count),
    WORK: ("calls + products", count),
}
"""Axis to what heads it and how it is written."""


def markdown(it: Fairness) -> Iterator[str]:
    """Yield the same as Markdown."""
    for one in it.tables:
        yield from (one.sentence, "")
        yield from table(
            one.head, [(code(label), *(cell.text for cell in cells)) for label, _, cells in one.rows]
        )
        yield ""
    for remark in it.remarks:
        yield f"- {remark}"
    yield from ("", it.note)


SECTION = Section("fairness", "Fairness", build, markdown)

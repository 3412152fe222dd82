"""The components of entries as the suite wrote them, and those by which the page lets a reader choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from deqbench.telling.looks import numbered
from deqbench.telling.naming import SEPARATOR
from deqbench.telling.subjects import Subject
from deqbench.telling.tables import Frames
from deqbench.trials import split_outside

SETTINGS = "settings"
"""The name of what tells entries apart besides their components."""
ABSENT = "-"
"""The component of an entry that has none on an axis."""


@dataclass(frozen=True)
class Choices:
    """What tells the entries of a run apart, an axis at a time.

    Attributes:
        axes: Axis to its components as the suite wrote them, at least two, in its order.
        numbers: Label of an entry to its number, as figures sign with it.
        places: A row an entry, by its number: the place of its component on each axis.
    """

    axes: Mapping[str, tuple[str, ...]]
    numbers: Mapping[str, int]
    places: tuple[tuple[int, ...], ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as the page's script reads it."""
        return {"axes": list(self.axes.items()), "entries": self.places}


def choices(frames: Frames) -> Choices | None:
    """Return what tells a run's entries apart; None for a run of claims, or where nothing does."""
    if frames.about_claims:
        return None
    firsts = frames.trials.drop_duplicates("label")
    told = {axis: texts for axis, texts in components(firsts, frames.subject).items() if len(set(texts)) > 1}
    if not told:
        return None
    axes = {axis: tuple(dict.fromkeys(texts)) for axis, texts in told.items()}
    rows = zip(*([axes[axis].index(text) for text in texts] for axis, texts in told.items()), strict=True)
    return Choices(axes, numbered(frames.trials), tuple(rows))


def components(trials: pd.DataFrame, subject: Subject) -> dict[str, tuple[str, ...]]:
    """Return each axis's component of every row, as the suite wrote it; an axis that nobody has is left out.

    Args:
        trials: Some of a run's trials.
        subject: What the run is about.
    """
    axes = [axis for axis in subject.axes if axis not in ("dataset", "map", "claim")]
    present = [axis for axis in axes if axis in trials and trials[axis].notna().any()]
    told: dict[str, list[str]] = {axis: [] for axis in present}
    more: list[str] = []
    for row in trials[["entry", *present]].to_dict("records"):
        texts = [text.strip() for text in split_outside(str(row["entry"]), "|")]
        for axis in present:
            told[axis].append(texts.pop(0) if texts and isinstance(row[axis], str) else ABSENT)
        more.append(SEPARATOR.join(texts) or ABSENT)
    if set(more) - {ABSENT}:
        told[SETTINGS] = more
    return {axis: tuple(texts) for axis, texts in told.items()}

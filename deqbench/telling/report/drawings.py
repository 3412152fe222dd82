"""The pictures of a page as markup, each with the table of its numbers, as many as the page has room for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup

from deqbench.telling.pictures import Picture
from deqbench.telling.report.inline import as_classes, inline_svg
from deqbench.telling.report.numbers import NOTHING, number


@dataclass(frozen=True)
class Drawing:
    """A picture in a page.

    Attributes:
        picture: The picture.
        svg: Its markup; None where the page had no room, and links to the file instead.
        head: Titles of the table behind it; none if it has no table.
        rows: Written cells of that table.
        numbers: Places of the columns that are set as numbers.
        notice: What was left out of the table; nothing if nothing was.
    """

    picture: Picture
    svg: Markup | None
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]
    notice: str


def markup_of(pictures: Sequence[Picture], folder: Path, prefix: str) -> dict[str, str]:
    """Return the markup of each picture by its name.

    Args:
        pictures: Pictures that were saved.
        folder: Where they were saved.
        prefix: Of identifiers, which no other pictures of the page have.
    """
    return {each.name: inline_svg(each, folder, f"{prefix}{place}-") for place, each in enumerate(pictures)}


def marked(
    pictures: Sequence[Picture], folder: Path, ready: Mapping[str, str] | None = None
) -> tuple[list[str], str]:
    """Return the markup of every picture, and the style rules that all of them need.

    Args:
        pictures: Pictures that were saved, in the order of the page.
        folder: Where they were saved.
        ready: The markup of some, by their names, under a prefix other than ``g``.
    """
    known = dict(ready or {})
    known |= markup_of([each for each in pictures if each.name not in known], folder, "g")
    return as_classes([known[each.name] for each in pictures])


def drawings(
    pictures: Sequence[Picture], texts: Sequence[str], room: int, most: int
) -> Mapping[str, Drawing]:
    """Return the drawing of every picture by its name.

    Where they do not all fit, further variants of a family give way before anything else does, and late ones
    before early ones.

    Args:
        pictures: In the order of the page.
        texts: The markup of each.
        room: Bytes that all of them may take.
        most: Rows of the table behind each; the files beside the page hold every number.
    """
    seen: set[str] = set()
    order: list[tuple[bool, int]] = []
    for place, picture in enumerate(pictures):
        order.append((picture.family in seen and picture.family != "", place))
        seen.add(picture.family)
    inlined = set()
    for _, place in sorted(order):
        if len(texts[place]) <= room:
            room -= len(texts[place])
            inlined.add(place)
    made = {}
    for place, picture in enumerate(pictures):
        # Trusted: matplotlib escaped every text it drew, and inline_svg escapes what it adds.
        svg = Markup(texts[place]) if place in inlined else None  # noqa: S704 - see the line above
        made[picture.name] = Drawing(picture, svg, *_behind(picture.data, most))
    return made


def _behind(
    data: pd.DataFrame | None, most: int
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], tuple[int, ...], str]:
    if data is None or data.empty:
        return (), (), (), ""
    shown, notice = data, ""
    if len(data) > most:
        shown = data.iloc[np.unique(np.linspace(0, len(data) - 1, most).astype(int))]
        notice = f"An even choice of {len(shown)} of {len(data):,} rows; the files beside this page hold all."
    numeric = tuple(
        place for place, name in enumerate(data) if pd.api.types.is_numeric_dtype(data[name].dtype)
    )
    columns = [[_cell(value) for value in shown[name]] for name in shown]
    return tuple(map(str, data.columns)), tuple(zip(*columns, strict=True)), numeric, notice


def _cell(value: object) -> str:
    if isinstance(value, float | np.floating):
        return number(float(value))
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value) or NOTHING

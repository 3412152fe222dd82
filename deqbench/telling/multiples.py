"""Small multiples: a panel a map, families in rows and difficulties in columns, all on the same axes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from deqbench.telling.families import Family
from deqbench.telling.layouts import Room, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROOM = Room(2.7, 2.15, across=0.2, down=0.5, least=4.2, left=0.65, bottom=0.55)
"""Of a panel whose numbers stand at the outer ones."""
_ROOM_OF_ITS_OWN = replace(_ROOM, height=2.4, down=0.75)
"""Of a panel with an x axis of its own, named below it."""
_ABREAST = 3
"""Panels in a row where nothing says which belong together."""


def map_panels(families: Sequence[Family], labels: Sequence[str]) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure with a panel for every map, by the map's text, and room for a legend beside them.

    Args:
        families: The maps; a row a family, or a few abreast where each family has one map.
        labels: Lines of the legend.
    """
    rows = [list(family.maps) for family in families]
    if max(map(len, rows)) == 1:
        texts = [text for row in rows for text in row]
        rows = [texts[place : place + _ABREAST] for place in range(0, len(texts), _ABREAST)]
    figure, places = _grid(rows, labels)
    titles = {
        member.text: ": ".join(filter(None, (family.name, _told(family, member.difficulty))))
        for family in families
        for member in family.members
    }
    for text, axes in places.items():
        axes.set_title(titles[text])
    return figure, places


def named_panels(
    names: Sequence[str], labels: Sequence[str], *, share_x: bool = True
) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure with a panel for every name, a few abreast, each titled."""
    rows = [list(names[place : place + _ABREAST]) for place in range(0, len(names), _ABREAST)]
    figure, places = _grid(rows, labels, share_x=share_x)
    for name, axes in places.items():
        axes.set_title(name)
    return figure, places


def outer(places: dict[str, Axes]) -> Iterator[tuple[Axes, bool, bool]]:
    """Yield every panel, and whether it stands leftmost in its row and lowest in its column."""
    spots = {name: axes.get_subplotspec() for name, axes in places.items()}
    taken = {(spot.rowspan.start, spot.colspan.start) for spot in spots.values() if spot is not None}
    for name, axes in places.items():
        spot = spots[name]
        assert spot is not None
        row, column = spot.rowspan.start, spot.colspan.start
        yield axes, column == 0, all(other <= row for other, beside in taken if beside == column)


def _told(family: Family, difficulty: str) -> str:
    return f"{family.varied} = {difficulty}" if difficulty and "," not in family.varied else difficulty


def _grid(
    rows: Sequence[Sequence[str]], labels: Sequence[str], *, share_x: bool = True
) -> tuple[Figure, dict[str, Axes]]:
    columns = max(map(len, rows))
    figure, grid = panels(
        len(rows), columns, labels, _ROOM if share_x else _ROOM_OF_ITS_OWN, sharex=share_x, sharey=True
    )
    places: dict[str, Axes] = {}
    for row, line in enumerate(grid):
        for column, axes in enumerate(line):
            if column < len(rows[row]):
                places[rows[row][column]] = axes
            else:
                axes.set_visible(False)
    for axes, left, low in outer(places):
        # A panel below which a row is shorter still needs its numbers.
        axes.tick_params(labelbottom=low or not share_x, labelleft=left)
    return figure, places

"""How figures look: the page's colours, and a look for each entry.

Colour names the component that leads (a model, a solver, a gradient); marker and dash name the entry within
it, so that twenty entries stay legible, in print and for eyes that see few colours. A look also signs what
is drawn for its entry, so that the page can hide what does not belong to the entries that a reader chose.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pandas as pd

PAPER, INK, GRID = "#ffffff", "#1b2027", "#d9dee5"
"""Background, text and grid; the page replaces them by its own, light or dark."""

INK_ON_CELLS = "#111418"
"""Text on pale cells: dark in a dark page too, so not ``INK``, which the page replaces."""

PALETTE = ("#0b5fa5", "#c88400", "#02926b", "#b8420a", "#bd62ab", "#6f5238", "#3f9bdc", "#7f858c")
"""After seaborn's ``colorblind``, darker: each 3:1 on white, farther apart for eyes without red or green."""

MARKERS = ("o", "s", "^", "D", "v", "P", "<", ">", "p", "h")
DASHES: tuple[Any, ...] = ("", (4, 1.5), (1, 1), (3, 1, 1, 1), (6, 2), (5, 1, 1, 1, 1, 1))
STYLE: dict[Any, Any] = {
    # As seaborn's style "whitegrid", which a test compares: to import seaborn takes half a second.
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.bottom": True,
    "axes.spines.left": True,
    "axes.spines.right": True,
    "axes.spines.top": True,
    "font.sans-serif": ["Arial", "DejaVu Sans", "Liberation Sans", "Bitstream Vera Sans", "sans-serif"],
    "grid.linestyle": "-",
    "lines.solid_capstyle": "round",
    "patch.edgecolor": "w",
    "patch.force_edgecolor": True,
    "xtick.bottom": False,
    "xtick.direction": "out",
    "xtick.top": False,
    "ytick.direction": "out",
    "ytick.left": False,
    "ytick.right": False,
    # Our own.
    "axes.edgecolor": GRID,
    "axes.facecolor": PAPER,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "figure.facecolor": PAPER,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


@dataclass(frozen=True)
class Look:
    """How an entry is drawn, in every figure alike, and whose that is.

    Attributes:
        colour: Of its lines and markers.
        marker: As matplotlib names it.
        dash: Of its lines.
        entries: The numbers of the entries that it stands for, as :func:`numbered` gives them: one, or
            several where a figure draws entries of different settings under one name.
        signed: Counts what was drawn for it, in one figure: identifiers in a file are unique, and the same
            figure drawn again has the same.
    """

    colour: str
    marker: str
    dash: Any
    entries: tuple[int, ...] = field(default=(), compare=False)
    signed: Iterator[int] = field(default_factory=count, compare=False, repr=False)

    def sign(self) -> str | None:
        """Return the identifier (matplotlib's ``gid``) of one more artist that is drawn for its entries."""
        return f"{_WHOLE}{'-'.join(map(str, self.entries))}.{next(self.signed)}" if self.entries else None


def signed_each(worn: Sequence[Look]) -> str | None:
    """Return the identifier of a collection that draws one thing for each of these looks, in their order."""
    if not worn or not all(look.entries for look in worn):
        return None
    # Two collections of the same entries begin with the same look, so with numbers of one count.
    return f"{_EACH}{'-'.join(str(look.entries[0]) for look in worn)}.{next(worn[0].signed)}"


def owners(identifier: str, drawn: int) -> list[str]:
    """Return whose the things are that were drawn under an identifier: numbers of entries, by spaces apart.

    Args:
        identifier: Any of a figure; what no look signed is nobody's.
        drawn: How many things were drawn under it.

    Returns:
        One text a thing; none for what is nobody's.
    """
    kind, numbers = identifier[: len(_EACH)], identifier[len(_EACH) :].partition(".")[0]
    if kind == _WHOLE:
        return [numbers.replace("-", " ")] * drawn
    each = numbers.split("-") if kind == _EACH else []
    return each if len(each) == drawn else []


SIGNATURES = _WHOLE, _EACH = ("all-", "one-")
"""How an identifier begins: all that is drawn under it belongs to the same entries, or each thing to one."""


def numbered(trials: pd.DataFrame) -> dict[str, int]:
    """Return the number of each entry, by its label, in the order of the suite."""
    return {str(label): number for number, label in enumerate(dict.fromkeys(trials["label"].tolist()))}


def looks(trials: pd.DataFrame, leading: str) -> dict[str, Look]:
    """Return a look for each label: the leading component's colour, and a marker and dash within the colour.

    Args:
        trials: A run's trials.
        leading: The column whose values share a colour; beyond eight of them, colours come again, with other
            dashes.
    """
    numbers = numbered(trials)
    chosen: dict[str, Look] = {}
    worn = dict.fromkeys(PALETTE, 0)
    for number, (_, group) in enumerate(trials.groupby(leading, sort=False, dropna=False)):
        for label in dict.fromkeys(group["label"]):
            colour = PALETTE[number % len(PALETTE)]
            place = worn[colour]
            worn[colour] += 1
            marker = MARKERS[
                (number + place) % len(MARKERS)
            ]  # without colours, markers tell components apart
            chosen[label] = Look(colour, marker, DASHES[place % len(DASHES)], (numbers[str(label)],))
    return chosen

"""Where the panels of a figure stand, and the legend beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path
from matplotlib.ticker import ScalarFormatter

from deqbench.telling.looks import STYLE, Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_FITTED = 4
"""Panels that are fitted to their labels; more get fixed margins: fitting takes as long as drawing."""
_LINE = 0.19
"""Inches of a line of the legend."""
_HANDLE = 0.75
"""Inches beside a label of the legend: its line, and the space around both."""
_NAME = 0.18
"""Inches that the name of an axis takes, beside the figure's edge."""
_POINTS = 72.0


@dataclass(frozen=True)
class Room:
    """Inches of a panel and of what stands around it.

    Attributes:
        width: Of a panel with the gap to the next.
        height: Likewise.
        across: The gap to the next panel beside it.
        down: The gap to the next panel below it.
        least: What all panels take across at least.
        left: From the figure's edge to the first panel, for its label and numbers.
        bottom: Likewise below the last.
        top: Above the first, for its title.
    """

    width: float = 3.9
    height: float = 3.3
    across: float = 0.75
    down: float = 0.85
    least: float = 0.0
    left: float = 0.75
    bottom: float = 0.5
    top: float = 0.3


def panels(  # noqa: PLR0913  two say what is shared, by name alone
    rows: int,
    columns: int,
    labels: Sequence[str],
    room: Room | None = None,
    *,
    sharex: bool = False,
    sharey: bool = False,
) -> tuple[Figure, Any]:
    """Return a figure with panels, (rows, columns), and room for a legend of the labels beside them.

    Args:
        rows: Panels in a column.
        columns: Panels in a row.
        labels: The lines of the legend; one that comes again counts once.
        room: What each panel takes.
        sharex: Whether all have the same x axis.
        sharey: Likewise.
    """
    room, lines = room or Room(), list(dict.fromkeys(labels))
    legend_width = _HANDLE + max(map(_width, lines), default=0.0)
    width = room.left + max(room.width * columns - room.across, room.least) + legend_width
    height = max(room.bottom + room.height * rows - room.down + room.top, _LINE * len(lines) + 0.5)
    fitted = rows * columns <= MOST_FITTED
    figure = Figure(figsize=(width, height), layout="constrained" if fitted else None)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey)
    if fitted:
        return figure, axes
    across = (width - room.left - legend_width + room.across) / columns - room.across
    down = (height - room.bottom - room.top + room.down) / rows - room.down
    sides = {"left": room.left / width, "right": 1 - legend_width / width}
    sides |= {"bottom": room.bottom / height, "top": 1 - room.top / height}
    figure.subplots_adjust(**sides, wspace=room.across / across, hspace=room.down / down)
    for each in axes.flat:
        # Named at fixed places too: to stand clear of its numbers, an axis would measure them all again.
        each.yaxis.set_label_coords(-(room.left - _NAME) / across, 0.5)
        each.xaxis.set_label_coords(0.5, -(room.bottom - _NAME) / down)
    return figure, axes


def titled(axes: Axes, text: str, *, left: float = 0.0) -> None:
    """Write a title over a panel whose y axis is set.

    At a fixed place, unless the axis may write a factor there: to look for a free one, matplotlib measures
    every label again.

    Args:
        axes: The panel.
        text: The title.
        left: How far it begins to the left of the panel, in widths of it.
    """
    free = not isinstance(axes.yaxis.get_major_formatter(), ScalarFormatter)
    axes.set_title(text, y=1.0 if free else None, x=-left)


def legend(figure: Figure, styles: Mapping[str, Look], labels: Sequence[str], *, lines: bool = True) -> None:
    """Put a legend of the labels beside the panels, with their dashes or with markers alone."""
    handles = []
    for label in dict.fromkeys(labels):
        look = styles[label]
        dash = ((0, look.dash) if look.dash else "-") if lines else "none"
        drawn: dict[str, Any] = {
            "color": look.colour,
            "marker": look.marker,
            "linestyle": dash,
            "markersize": 5,
        }
        handles.append(Line2D([], [], linewidth=1.3, label=label, **drawn))
    fitted = figure.get_layout_engine() is not None
    place: dict[str, Any] = {"loc": "outside right center" if fitted else "center right"}
    made = figure.legend(handles=handles, handlelength=3 if lines else 1, **place)
    for label, *parts in zip(dict.fromkeys(labels), made.legend_handles, made.get_texts(), strict=True):
        for part in parts:
            if part is not None:  # matplotlib knows no handle for some artists; for a line it does
                part.set_gid(styles[label].sign())


def _width(label: str) -> float:
    """Return the inches of a label in the legend."""
    letters = FontProperties(family=STYLE["font.family"], size=STYLE["legend.fontsize"])
    width: float = text_to_path.get_text_width_height_descent(label, letters, ismath=False)[0]
    return width / _POINTS

"""Pictures of gradients: error against difficulty and against cost, and what each keeps in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from deqbench.telling.families import Family, families
from deqbench.telling.heat import cells, heat_table
from deqbench.telling.layouts import legend
from deqbench.telling.looks import Look, looks
from deqbench.telling.multiples import named_panels, outer
from deqbench.telling.pictures import Picture
from deqbench.telling.tables import Frames, summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ERRORS = {"error_inputs": "error of dL/dx", "error_parameters": "error of dL/dθ"}
_EXACT = 1e-17
"""Where an error of zero is drawn: below every rounding error."""
_USELESS = 10.0
"""Where errors end in figures: what is farther off, by whatever power of ten, is no gradient."""
_DODGE = 0.3
"""Width over which the entries of one map stand beside one another."""


def draw(frames: Frames) -> list[Picture | None]:
    """Return the pictures of a run of gradients; None for one of which nothing was observed."""
    across = families(list(frames.trials["dataset"]))
    table = summary(frames)
    return [
        _difficulty(frames, table, across, "error_inputs"),
        _difficulty(frames, table, across, "error_parameters"),
        _cost(frames, table, across),
        _cells(frames, table, across, "error_inputs", _ERROR_CELLS),
        _cells(frames, table, across, "saved_bytes", _SAVED_CELLS),
    ]


_ERROR_CELLS = (
    "errors",
    "Relative error of dL/dx",
    "Medians over seeds; the shade deepens with the decades above the most accurate of the column.",
)
_SAVED_CELLS = (
    "saved",
    "KiB kept for the backward pass",
    (
        "Tensors that autograd keeps from the forward pass, each storage once; medians over seeds. The shade "
        "deepens with the factor over the least of the column."
    ),
)


def _difficulty(frames: Frames, table: pd.DataFrame, across: list[Family], name: str) -> Picture | None:
    if name not in table or not np.isfinite(table[name]).any():
        return None
    styles = looks(frames.trials, frames.subject.leading)
    figure, places = named_panels([family.name for family in across], list(table["label"]), share_x=False)
    for family in across:
        axes = places[family.name]
        _draw_difficulty(axes, table, family, name, styles)
        axes.set_xlabel(family.varied)
        axes.grid(visible=False, axis="x")
    for axes, left, _ in outer(places):
        axes.set_ylabel(_ERRORS[name] if left else "")
    found = table.loc[np.isfinite(table[name]), name]
    _log(next(iter(places.values())).yaxis, found.clip(_EXACT, _USELESS).to_numpy(dtype="float64"))
    legend(figure, styles, list(table["label"]))
    title = f"{_ERRORS[name][0].upper()}{_ERRORS[name][1:]} against difficulty"
    data = _behind(table, [name, f"{name}_low", f"{name}_high"], [_ERRORS[name], "low", "high"])
    return Picture(name.replace("_", "-"), title, _DIFFICULTY_CAPTION, figure, data)


def _behind(table: pd.DataFrame, columns: list[str], titles: list[str]) -> pd.DataFrame:
    """Return some columns of a summary under titles for a person."""
    present = {name: title for name, title in zip(columns, titles, strict=True) if name in table}
    named = {"dataset": "map", "label": "entry", **present}
    return table[list(named)].rename(columns=named)


_DIFFICULTY_CAPTION = (
    "Relative 2-norm errors against the exact float64 gradient; medians over seeds with their "
    "order-statistic intervals (fewer than six seeds: all seeds). A gradient that failed on a map has no "
    "point there; an error above 10 stands at the upper edge."
)


def _draw_difficulty(
    axes: Axes, table: pd.DataFrame, family: Family, name: str, styles: dict[str, Look]
) -> None:
    places = {text: place for place, text in enumerate(family.maps)}
    chosen = table[table["dataset"].isin(places) & np.isfinite(table[name])]
    beside = dict(zip(styles, np.linspace(-_DODGE / 2, _DODGE / 2, len(styles)), strict=True))
    for label, group in chosen.groupby("label", sort=False):
        look = styles[str(label)]
        at = group["dataset"].map(places).astype("float64") + beside[str(label)]
        low, middle, high = (group[f"{name}{end}"].clip(_EXACT, _USELESS) for end in ("_low", "", "_high"))
        dash: Any = (0, look.dash) if look.dash else "-"
        line: dict[str, Any] = {
            "color": look.colour,
            "marker": look.marker,
            "markersize": 4.5,
            "linewidth": 1.2,
        }
        axes.plot(at, middle, linestyle=dash, gid=look.sign(), **line)
        axes.vlines(at, low, high, color=look.colour, alpha=0.45, linewidth=1, gid=look.sign())
    axes.set_xticks(range(len(places)), [member.difficulty for member in family.members])
    axes.set_xlim(-0.4, len(places) - 0.6)


def _cost(frames: Frames, table: pd.DataFrame, across: list[Family]) -> Picture | None:
    if "backward_seconds" not in table or "error_inputs" not in table:
        return None
    drawn = table[np.isfinite(table["backward_seconds"]) & np.isfinite(table["error_inputs"])]
    if drawn.empty:
        return None
    styles = looks(frames.trials, frames.subject.leading)
    figure, places = named_panels([family.name for family in across], list(table["label"]))
    for family in across:
        _draw_cost(places[family.name], drawn, family, styles)
    first = next(iter(places.values()))
    _log(first.yaxis, drawn["error_inputs"].clip(_EXACT, _USELESS).to_numpy(dtype="float64"))
    _log(first.xaxis, 1e3 * drawn["backward_seconds"].to_numpy(dtype="float64"))
    first.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for axes, left, low in outer(places):
        axes.set_xlabel("milliseconds of the backward pass" if low else "")
        axes.set_ylabel(_ERRORS["error_inputs"] if left else "")
    legend(figure, styles, list(table["label"]))
    milliseconds = drawn.assign(backward_seconds=1e3 * drawn["backward_seconds"])
    data = _behind(
        milliseconds, ["backward_seconds", "error_inputs"], ["backward ms", _ERRORS["error_inputs"]]
    )
    title = "Error of the gradient against the cost of its backward pass"
    return Picture("error-cost", title, _COST_CAPTION, figure, data)


_COST_CAPTION = (
    "Medians over seeds; a gradient's points are joined from its easiest map to its hardest, where the "
    "largest marker stands. Below and to the left is better: as exact for less. An error above 10 stands at "
    "the upper edge."
)


def _draw_cost(axes: Axes, table: pd.DataFrame, family: Family, styles: dict[str, Look]) -> None:
    for label, group in table[table["dataset"].isin(family.maps)].groupby("label", sort=False):
        look = styles[str(label)]
        inside = group.set_index("dataset").reindex(
            [text for text in family.maps if text in set(group["dataset"])]
        )
        seconds, error = 1e3 * inside["backward_seconds"], inside["error_inputs"].clip(_EXACT, _USELESS)
        axes.plot(seconds, error, color=look.colour, linewidth=0.8, alpha=0.3, gid=look.sign())
        sizes = np.linspace(12, 34, len(inside)) if len(inside) > 1 else [34]
        worn: dict[str, Any] = {"color": look.colour, "marker": look.marker, "gid": look.sign()}
        axes.scatter(seconds, error, s=sizes, linewidths=0, zorder=3, **worn)


def _cells(
    frames: Frames, table: pd.DataFrame, across: list[Family], name: str, words: tuple[str, str, str]
) -> Picture | None:
    if name not in table or not np.isfinite(table[name]).any():
        return None
    scale = 2.0**-10 if name.endswith("bytes") else 1.0
    values, told = cells(frames.trials, table.assign(**{name: table[name] * scale}), across, name)
    file, title, caption = words
    decades = 2 if name.endswith("bytes") else 8
    drawn = heat_table(across, values, told, decades)
    data = told.rename_axis(index="entry").reset_index()
    return Picture(file, title, f"{caption} {_CELL_CAPTION}", drawn, data)


_CELL_CAPTION = "A word instead of a number says how most seeds failed; an empty cell was not tried."


def _log(axis: Any, values: Any) -> None:
    """Make an axis that panels share logarithmic over the positive values."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    limits = {f"{axis.axis_name}lim": (values.min() / 2, values.max() * 2)}
    axis.axes.set(**limits)
    axis.set_major_locator(LogLocator(numticks=7))
    axis.set_minor_locator(NullLocator())

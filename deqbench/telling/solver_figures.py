"""Pictures of solvers: residual against calls, work and seconds, profiles, and what each map cost each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from deqbench.telling.families import Family, families
from deqbench.telling.figure_data import at_marks, decades
from deqbench.telling.heat import cells, heat_table
from deqbench.telling.layouts import legend
from deqbench.telling.looks import INK, Look, looks
from deqbench.telling.multiples import map_panels, outer
from deqbench.telling.pictures import Picture
from deqbench.telling.profile_figures import profile_pictures
from deqbench.telling.tables import Frames, summary
from deqbench.telling.trajectories import ends, trajectories

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ALONG = {"step": "calls of the map", "epoch": "map-equivalents", "seconds": "seconds"}
_AXES = {"step": "calls", "epoch": "work", "seconds": "seconds"}
_NAMES = {"step": "residual-calls", "epoch": "residual-work", "seconds": "residual-seconds"}


def draw(frames: Frames) -> list[Picture | None]:
    """Return the pictures of a run of solves; None for one of which nothing was observed."""
    across, table = families(list(frames.trials["dataset"])), summary(frames)
    return [
        *(_residuals(frames, across, along) for along in _ALONG),
        *profile_pictures(frames, across),
        *(_costs(frames, table, across, name) for name in _HEATS),
    ]


def _residuals(frames: Frames, across: list[Family], along: str) -> Picture | None:
    curves = {text: trajectories(frames, text, "residual", along) for one in across for text in one.maps}
    if not any(len(curve) for curve in curves.values()):
        return None
    styles = looks(frames.trials, frames.subject.leading)
    labels = list(dict.fromkeys(frames.trials["label"]))
    figure, places = map_panels(across, labels)
    for text, axes in places.items():
        _draw_residuals(axes, curves[text], ends(frames, text, curves[text]), styles)
        _draw_tolerance(axes, frames, text)
    _scale_residuals(next(iter(places.values())), pd.concat(list(curves.values())))
    for axes, left, low in outer(places):
        axes.set(xlabel=_ALONG[along] if low else "", ylabel="residual" if left else "")
    legend(figure, styles, labels)
    title = f"Residual against {_ALONG[along]}"
    marks = decades(pd.concat(list(curves.values()))["at"])
    data = at_marks(curves, ("at", "median"), marks, ("map", "entry"))
    words = _RESIDUAL_CAPTION + _ALONG_CAPTION[along]
    return Picture(_NAMES[along], title, words, figure, data, "residual", _AXES[along])


_RESIDUAL_CAPTION = (
    "The worst sample's best residual so far, median over seeds, as the harness measured it. A curve ends "
    "with its solve: in its marker where most seeds solved every sample, in a cross where they did not. The "
    "dotted line is the tolerance. "
)
_ALONG_CAPTION = {
    "step": "A call is one evaluation of the map on the batch; products with its Jacobian are not in it.",
    "epoch": (
        "A map-equivalent is one evaluation, or one product with the Jacobian, of every sample; samples that "
        "are done cost nothing more."
    ),
    "seconds": "Wall time since the solve began, its judging included; what the tables time has no trace.",
}


def _draw_residuals(axes: Axes, curves: pd.DataFrame, last: pd.DataFrame, styles: Mapping[str, Look]) -> None:
    for label, group in curves.groupby("label", sort=False):
        look = styles[str(label)]
        dash: Any = (0, look.dash) if look.dash else "-"
        worn: dict[str, Any] = {"color": look.colour, "linestyle": dash, "linewidth": 1.1, "alpha": 0.9}
        axes.plot(group["at"], group["median"], gid=look.sign(), **worn)
    for row in last.to_dict("records"):
        look = styles[row["label"]]
        marker = look.marker if row["solved"] else "x"
        end: dict[str, Any] = {"color": look.colour, "markersize": 4.5, "markeredgewidth": 1.2, "zorder": 3}
        axes.plot(row["at"], row["median"], marker, gid=look.sign(), **end)


def _draw_tolerance(axes: Axes, frames: Frames, text: str) -> None:
    if "stop.tolerance" not in frames.trials:
        return
    for tolerance in frames.trials.loc[frames.trials["dataset"] == text, "stop.tolerance"].dropna().unique():
        axes.axhline(float(tolerance), color=INK, linewidth=0.8, linestyle=":", zorder=1)


def _scale_residuals(axes: Axes, curves: pd.DataFrame) -> None:
    """Make the axes that all panels share logarithmic, as far as anything was observed."""
    at, values = curves.loc[curves["at"] > 0, "at"], curves.loc[curves["median"] > 0, "median"]
    if len(at):
        axes.set_xscale("log")
        axes.set_xlim(at.min() / 1.25, at.max() * 1.25)
    if len(values):
        axes.set_yscale("log")
        # What overshoots by many decades leaves the panel: it would flatten everything else.
        axes.set_ylim(values.min() / 3, min(float(values.max()), 1e3) * 3)
    if len(at) and at.min() >= 1:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(numticks=6))
        axis.set_minor_locator(NullLocator())


def _costs(frames: Frames, table: pd.DataFrame, across: list[Family], name: str) -> Picture | None:
    if name not in table or not np.isfinite(table[name]).any():
        return None
    values, words = cells(frames.trials, table, across, name)
    file, title = _HEATS[name]
    drawn = heat_table(across, values, words, decades=2)
    data = words.rename_axis(index="entry").reset_index()
    return Picture(file, title, _COST_CAPTION, drawn, data, "until-solved", _HEAT_AXES[name])


_HEATS = {
    "map_equivalents": ("work", "Map-equivalents until solved"),
    "map_calls": ("calls", "Calls of the map until solved"),
}
_HEAT_AXES = {"map_equivalents": "work", "map_calls": "calls"}
_COST_CAPTION = (
    "Medians over seeds; the shade deepens with the factor over the least of the column. A word instead of a "
    "number says how most seeds ended that did not solve every sample: 'missed' the tolerance within the "
    "calls allowed, or stalled; an empty cell was not tried. Work inside a solver, a factorisation say, "
    "shows in its seconds alone."
)

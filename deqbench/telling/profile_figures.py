"""Data profiles and performance profiles drawn: over all problems, and over those of each family of maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter

from deqbench.statistics.profiles import profile, ratios
from deqbench.telling.costs import costs
from deqbench.telling.families import Family
from deqbench.telling.figure_data import at_marks
from deqbench.telling.layouts import legend
from deqbench.telling.looks import Look, looks
from deqbench.telling.multiples import named_panels, outer
from deqbench.telling.pictures import Picture
from deqbench.telling.tables import Frames

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FARTHEST = 100.0
"""Largest factor over the best solver that is drawn; who needs more is nowhere near."""


def profile_pictures(frames: Frames, across: Sequence[Family]) -> list[Picture | None]:
    """Return a data profile in map-equivalents, and performance profiles in map-equivalents and seconds."""
    problems = _problems(across)
    if not problems:
        return []
    return [
        _picture(frames, problems, "map_equivalents", _DATA),
        _picture(frames, problems, "map_equivalents", _WORK),
        _picture(frames, problems, "solve_seconds", _TIME),
    ]


_DATA = ("data-profile", "Problems solved within a number of map-equivalents", "map-equivalents")
_WORK = (
    "performance-work",
    "Problems solved within a factor of the least work",
    "map-equivalents over the least",
)
_TIME = ("performance-seconds", "Problems solved within a factor of the least time", "seconds over the least")

_CAPTIONS = {
    _DATA: (
        "Data profiles (Moré and Wild, 2009). A problem is a map drawn from a seed; the first panel takes "
        "all of the run, so a solver that applies to one family alone stays low there. A solve that missed "
        "its tolerance counts at no budget. Unlike a performance profile, no curve depends on who else takes "
        "part."
    ),
    _WORK: (
        "Performance profiles (Dolan and Moré, 2002): the share of problems on which a solver needs at most "
        "so many times the map-equivalents of the best solver of that problem. Its height at 1 is how often "
        "it is the best, ties included. Who else takes part matters: without the best, others become it."
    ),
    _TIME: (
        "Performance profiles (Dolan and Moré, 2002) in seconds: medians of the timed solves, the solvers' "
        "own arithmetic included, on this machine. Who else takes part matters here too."
    ),
}


def _problems(across: Sequence[Family]) -> dict[str, Sequence[str]]:
    """Return the maps of every panel: all of them first, where there are several families."""
    panels: dict[str, Sequence[str]] = {family.name: family.maps for family in across}
    if len(panels) > 1:
        panels = {"all maps": [text for maps in panels.values() for text in maps]} | panels
    return panels


def _picture(
    frames: Frames, problems: Mapping[str, Sequence[str]], cost: str, words: tuple[str, str, str]
) -> Picture | None:
    name, title, across = words
    tables = {panel: costs(frames, cost, maps) for panel, maps in problems.items()}
    if words != _DATA:
        tables = {panel: ratios(table) for panel, table in tables.items()}
    profiles = {panel: profile(table) for panel, table in tables.items()}
    reached = pd.concat(list(profiles.values()))["within"]
    if reached.empty:
        return None
    bounds = (max(reached.min() / 1.2, 1e-2), reached.max() * 1.3)
    if words != _DATA:
        bounds = (0.95, min(bounds[1], _FARTHEST))
    styles = looks(frames.trials, frames.subject.leading)
    labels = list(dict.fromkeys(frames.trials["label"]))
    figure, places = named_panels(list(problems), labels)
    for panel, axes in places.items():
        axes.set_title(f"{panel} ({len(tables[panel])} problems)")
        for label, steps in profiles[panel].groupby("label", sort=False):
            _draw(axes, steps, styles[str(label)], bounds)
    _scale(next(iter(places.values())), bounds)
    for axes, left, low in outer(places):
        axes.set(xlabel=across if low else "", ylabel="problems solved" if left else "")
    legend(figure, styles, labels)
    marks = _marks(words, bounds)
    data = at_marks(profiles, ("within", "share"), marks, ("maps", "entry"), holds=True)
    family, axis = "" if words == _DATA else "performance", "seconds" if words == _TIME else "work"
    return Picture(name, title, _CAPTIONS[words], figure, data, family, axis)


def _marks(words: tuple[str, str, str], bounds: tuple[float, float]) -> list[float]:
    """Return where the table behind a profile reads it: decades of a cost, small factors over the best."""
    marks = [1.0, 10.0, 100.0, 1000.0, 1e4] if words == _DATA else [1.0, 1.5, 2.0, 5.0, 10.0, 100.0]
    return [mark for mark in marks if mark <= bounds[1]]


def _draw(axes: Axes, steps: pd.DataFrame, look: Look, bounds: tuple[float, float]) -> None:
    dash: Any = (0, look.dash) if look.dash else "-"
    within = np.concatenate([[bounds[0]], steps["within"].to_numpy(dtype="float64"), [bounds[1]]])
    share = np.concatenate([[0.0], steps["share"].to_numpy(dtype="float64"), steps["share"].tail(1)])
    drawn = within <= bounds[1]
    # A marker where it starts to solve, and one where it has solved all it will, tell twins apart.
    marked = [place for place in (1, int(drawn.sum()) - 2) if 0 < place < drawn.sum()]
    line = {"color": look.colour, "linestyle": dash, "linewidth": 1.3, "marker": look.marker, "markersize": 4}
    line["gid"] = look.sign()
    axes.plot(within[drawn], share[drawn], drawstyle="steps-post", markevery=marked, alpha=0.9, **line)


def _scale(axes: Axes, bounds: tuple[float, float]) -> None:
    axes.set_xscale("log")
    axes.set_xlim(*bounds)
    axes.set_ylim(0, 1.03)
    wide = bounds[1] > 300 * bounds[0]
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))

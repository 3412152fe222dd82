"""How much of a grid of targets each entry has attained by when, failures in the denominator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter

from deqbench.statistics.attainment import attained
from deqbench.telling.attaining import CLOCKS, COUNT, Attained
from deqbench.telling.figure_data import at_marks, decades
from deqbench.telling.layouts import legend
from deqbench.telling.looks import INK, STYLE, Look, looks
from deqbench.telling.multiples import named_panels, outer
from deqbench.telling.pictures import Picture
from deqbench.telling.tables import Frames

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STEPS = 80
"""Budgets at which a curve is read."""
_NAMES = {
    "seconds": "attained-seconds",
    "updates": "attained-updates",
    "operations": "attained-operations",
}
_CAPTION = (
    f"A pair is a trial and one of about {COUNT} targets of its data set, from the worst first value of a "
    "run to the best that any reached, evenly spaced in the logarithm of what was left to gain. A curve is "
    "the share of an entry's pairs attained by then; a trial that failed attains nothing more and stays in "
    "the denominator. Right of the dotted line some run was no longer watched: what its entry would have "
    "attained there is not known. The targets depend on who takes part. "
)


def attainment_pictures(frames: Frames, found: Mapping[str, Sequence[Attained]]) -> list[Picture]:
    """Return the shares attained against each clock; none where no metric was observed along the way.

    Args:
        frames: The run.
        found: Axis to what :func:`~deqbench.telling.attaining.attained_by` returns.
    """
    with mpl.rc_context(STYLE):
        made = (_picture(frames, each, axis) for axis, each in found.items())
        return [picture for picture in made if picture is not None]


def _picture(frames: Frames, found: Sequence[Attained], axis: str) -> Picture | None:
    if not found:
        return None
    words = CLOCKS[axis][1]
    curves = {one.dataset: _steps(one) for one in found}
    styles, labels = looks(frames.trials, frames.subject.leading), list(dict.fromkeys(frames.trials["label"]))
    figure, places = named_panels(list(curves), labels, share_x=False)
    if len(found) == 1:
        figure.set_size_inches(8.6, max(3.6, figure.get_figheight()))
    for one in found:
        axes, curve = places[one.dataset], curves[one.dataset]
        _scale(axes, curve["at"])
        axes.axvline(one.common, color=INK, linewidth=0.8, linestyle=":", zorder=1)
        for label, steps in curve.groupby("label", sort=False):
            _draw(axes, steps, styles[str(label)])
    for axes, left, low in outer(places):
        axes.set(xlabel=words if low else "", ylabel="targets attained" if left else "")
    legend(figure, styles, labels)
    marks = decades(pd.concat(list(curves.values()))["at"])
    data = at_marks(curves, ("at", "share"), marks, ("data set", "entry"))
    uncounted = sorted({label for one in found for label in one.left_out})
    more = f"Not counted, so not shown: {', '.join(uncounted)}." if uncounted else ""
    title = f"Targets attained against {words}"
    return Picture(_NAMES[axis], title, _CAPTION + more, figure, data, "attained", axis)


def _steps(one: Attained) -> pd.DataFrame:
    """Return the share of each label at the same budgets: ``label``, ``at``, ``share``."""
    steps = attained(one.times, _budgets(one.times))
    return steps.rename(columns={"entry": "label", "budget": "at"})


def _budgets(times: pd.DataFrame) -> npt.NDArray[np.float64]:
    reached = times.loc[times["reached"] & (times["time"] > 0), "time"].to_numpy(dtype="float64")
    last = float(times["watched"].max())
    first = float(reached.min()) if len(reached) else last
    if not 0 < first < last:
        return np.array([max(first, last, 1e-9)])
    return np.geomspace(first, last, _STEPS)


def _draw(axes: Axes, steps: pd.DataFrame, look: Look) -> None:
    dash: Any = (0, look.dash) if look.dash else "-"
    worn: dict[str, Any] = {"color": look.colour, "linestyle": dash, "marker": look.marker, "markersize": 4}
    worn["gid"] = look.sign()
    at, share = steps["at"].to_numpy(dtype="float64"), steps["share"].to_numpy(dtype="float64")
    # Few points draw the same steps: where the share rises, and the two ends.
    rises = np.flatnonzero(np.diff(share, prepend=-1.0))
    kept = np.unique([*rises, len(at) - 1])
    marked = [len(kept) - 1]
    axes.plot(
        at[kept], share[kept], drawstyle="steps-post", linewidth=1.3, alpha=0.9, markevery=marked, **worn
    )


def _scale(axes: Axes, at: pd.Series[Any]) -> None:
    low, high = float(at.min()), float(at.max())
    axes.set_xscale("log")
    axes.set_xlim(low / 1.3, high * 1.3)
    axes.xaxis.set_major_locator(LogLocator(numticks=6))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(_short))
    axes.set_ylim(0, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def _short(value: float, _: int | None = None) -> str:
    for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6)):
        if value >= size:
            return f"{value / size:.4g}{prefix}"
    return f"{value:,.0f}" if value >= 1 else f"{value:.4g}"

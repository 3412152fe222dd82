"""The primary metric against what it cost, with the entries that nobody beats in both: the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.colors import to_rgba
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from deqbench.statistics.failures import higher_is_better
from deqbench.telling.layouts import legend, panels, titled
from deqbench.telling.looks import INK, STYLE, Look, looks, signed_each
from deqbench.telling.pictures import Picture
from deqbench.telling.scales import scale_score
from deqbench.telling.tables import Frames, summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COSTS: Mapping[str, tuple[str, str, str, float]] = {
    "operations": ("cost-operations", "operations", "operations of the training", 1.0),
    "seconds": ("cost", "train_seconds", "training seconds", 1.0),
    "memory": ("cost-memory", "peak_bytes", "peak memory (MiB)", 2.0**20),
    "parameters": ("cost-parameters", "parameters", "parameters", 1.0),
}
"""Axis to its picture's name, the summary's column, its words, and the unit of its numbers."""
MOST_PANELS = 6
_ABREAST = 2
_FADED = 0.35


def tradeoffs(frames: Frames) -> list[Picture]:
    """Return score against each cost that was measured; none where entries are ranked by a cost itself."""
    if frames.subject.ground != "data set":
        return []
    table = summary(frames)
    datasets = list(dict.fromkeys(table["dataset"]))[:MOST_PANELS]
    table = table[table["dataset"].isin(datasets)]
    made = (_picture(frames, table, axis) for axis in COSTS)
    with mpl.rc_context(STYLE):
        return [picture for picture in made if picture is not None]


def front(cost: npt.ArrayLike, score: npt.ArrayLike, *, higher_is_better: bool) -> npt.NDArray[np.bool_]:
    """Return which points nobody dominates: no other is at least as good in both and better in one.

    Args:
        cost: (n,), less is better; a nan or infinite one is never on the front and dominates nobody.
        score: (n,), likewise.
        higher_is_better: The direction of the score.
    """
    costs = np.asarray(cost, dtype=np.float64)
    scores = np.asarray(score, dtype=np.float64) * (-1.0 if higher_is_better else 1.0)
    finite = np.isfinite(costs) & np.isfinite(scores)
    at_least = (costs[:, None] <= costs) & (scores[:, None] <= scores)  # [i, j]: i is as good as j in both
    better = (costs[:, None] < costs) | (scores[:, None] < scores)
    dominated = np.any(at_least & better & finite[:, None], axis=0)
    return np.asarray(finite & ~dominated, dtype=np.bool_)


def _picture(frames: Frames, table: pd.DataFrame, axis: str) -> Picture | None:
    name, column, words, unit = COSTS[axis]
    if column not in table or not bool((np.isfinite(table[column]) & (table[column] > 0)).any()):
        return None
    if table.groupby("dataset", observed=True)[column].nunique().max() < _ABREAST:
        return None  # all cost the same: nothing is traded
    datasets = list(dict.fromkeys(table["dataset"]))
    styles = looks(frames.trials, frames.subject.leading)
    rows = -(-len(datasets) // _ABREAST)
    figure, grid = panels(rows, min(_ABREAST, len(datasets)), [*table["label"]])
    if len(datasets) == 1:
        figure.set_size_inches(8.6, max(3.9, figure.get_figheight()))
    places = [axes for row in grid for axes in row]
    behind = []
    for dataset, axes in zip(datasets, places, strict=False):
        points = _points(table[table["dataset"] == dataset], column, unit)
        _panel(axes, points, styles)
        axes.set_xlabel(words)
        titled(axes, dataset)
        behind.append(points)
    for axes in places[len(datasets) :]:
        axes.set_visible(False)
    legend(figure, styles, [*table["label"]], lines=False)
    data = pd.concat(behind).rename(columns=_BEHIND | {"cost": words})
    title = f"Score against {words}"
    more = _MORE.get(axis, "") + _uncounted(table, column)
    return Picture(name, title, _CAPTION + more, figure, data, "cost", axis)


_BEHIND = {
    "dataset": "data set",
    "label": "entry",
    "cost_low": "least",
    "cost_high": "most",
    "metric": "score is",
    "score_low": "low",
    "score_high": "high",
    "front": "on the front",
}
_CAPTION = (
    "Medians over seeds with their order-statistic intervals in both directions. The stepped line joins the "
    "entries that nobody beats in both; the others are faded. An entry whose median falls on a failure has "
    "no point. Medians decide who is on the front; their intervals may overlap. "
)
_MORE = {
    "seconds": "Seconds are the training clock: updates only, without evaluation, warm-up and start. ",
    "operations": "Operations are those of the whole training, backward solves and rejected steps included. ",
    "memory": "Memory is the peak of the training above what the process held before it. ",
}


def _uncounted(table: pd.DataFrame, column: str) -> str:
    # Missing and failed differ: nobody counted the one, and the other has an infinite median.
    missing = list(dict.fromkeys(table.loc[table[column].isna(), "label"]))
    return f"Not counted, so not shown: {', '.join(missing)}." if missing else ""


def _points(table: pd.DataFrame, column: str, unit: float) -> pd.DataFrame:
    """Return a row an entry that has both numbers: with their intervals, and whether it is on the front."""
    metric = str(table["metric"].iloc[0])
    ends = {"cost": column, "cost_low": f"{column}_low", "cost_high": f"{column}_high"}
    points = table[["dataset", "label", "metric", "score", "score_low", "score_high"]].copy()
    for name, source in ends.items():
        points[name] = table[source if source in table else column].astype("float64") / unit
    points = points[np.isfinite(points["score"].astype("float64")) & np.isfinite(points["cost"])]
    on = front(points["cost"], points["score"], higher_is_better=higher_is_better(metric))
    columns = [
        "dataset",
        "label",
        "cost",
        "cost_low",
        "cost_high",
        "metric",
        "score",
        "score_low",
        "score_high",
    ]
    chosen: pd.DataFrame = points[columns]
    return chosen.assign(front=np.where(on, "yes", "no"))


def _panel(axes: Axes, points: pd.DataFrame, styles: Mapping[str, Look]) -> None:
    if points.empty:
        axes.text(0.5, 0.5, "nobody has both numbers", ha="center", transform=axes.transAxes)
        return
    metric = str(points["metric"].iloc[0])
    band = points.rename(columns={"score": "median", "score_low": "low", "score_high": "high"})
    scale_score(axes, metric, band[["median", "low", "high"]].astype("float64"))
    _scale_cost(axes, points["cost"])
    axes.set_ylabel(metric.replace("_", " ").replace("r2", "R²"))
    leading = points[points["front"] == "yes"].sort_values("cost")
    _step(axes, leading, better_up=higher_is_better(metric))
    _intervals(axes, points, styles)
    for row in points.to_dict("records"):
        _point(axes, row, styles[str(row["label"])])


def _scale_cost(axes: Axes, cost: pd.Series[float]) -> None:
    low, high = float(cost.min()), float(cost.max())
    if low > 0 and high > 3 * low:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.5, high * 1.5)
        axes.xaxis.set_major_locator(
            LogLocator(subs=(1.0,) if high > 300 * low else (1.0, 2.0, 5.0), numticks=7)
        )
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        margin = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
        axes.set_xlim(low - margin, high + margin)
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(_short))


def _short(value: float, _: int | None = None) -> str:
    for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6)):
        if abs(value) >= size:
            return f"{value / size:.4g}{prefix}"
    return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def _step(axes: Axes, leading: pd.DataFrame, *, better_up: bool) -> None:
    """Draw the best score that each cost buys, to the edge of the panel."""
    cost, score = (leading[name].to_numpy(dtype="float64") for name in ("cost", "score"))
    bottom = axes.get_ylim()[0 if better_up else 1]
    across, up = [cost[0], *cost, axes.get_xlim()[1]], [bottom, *score, score[-1]]
    axes.plot(across, up, drawstyle="steps-post", color=INK, linewidth=0.9, alpha=0.55, zorder=1)


def _intervals(axes: Axes, points: pd.DataFrame, styles: Mapping[str, Look]) -> None:
    """Draw the intervals of all points, in two calls: one a point is what a large report would wait for."""
    owners = [styles[str(label)] for label in points["label"]]
    worn = [
        to_rgba(look.colour, 0.6 * (1.0 if front == "yes" else _FADED))
        for look, front in zip(owners, points["front"], strict=True)
    ]
    cost, score = (points[name].to_numpy(dtype="float64") for name in ("cost", "score"))
    for name, limit in (("cost", axes.get_xlim()), ("score", axes.get_ylim())):
        ends = points[[f"{name}_low", f"{name}_high"]].to_numpy(dtype="float64")
        low, high = np.clip(ends, min(limit), max(limit)).T
        if name == "cost":
            lines = axes.hlines(score, low, high, colors=worn, linewidth=1.1, zorder=2)
        else:
            lines = axes.vlines(cost, low, high, colors=worn, linewidth=1.1, zorder=2)
        lines.set_gid(signed_each(owners))


def _point(axes: Axes, row: Mapping[Any, Any], look: Look) -> None:
    alpha = 1.0 if row["front"] == "yes" else _FADED
    worn: dict[str, Any] = {"color": look.colour, "alpha": alpha, "markersize": 6.5, "markeredgewidth": 0}
    axes.plot(row["cost"], row["score"], look.marker, zorder=3, gid=look.sign(), **worn)

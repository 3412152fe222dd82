"""The pictures of training: curves with their bands, and failures by status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from deqbench.telling.bands import bands, drawn, failed_ends
from deqbench.telling.best_step_figures import best_steps
from deqbench.telling.failure_figures import failures
from deqbench.telling.figure_data import thinned
from deqbench.telling.layouts import legend, panels, titled
from deqbench.telling.looks import PAPER, Look, looks
from deqbench.telling.pictures import Picture
from deqbench.telling.scales import scale_score, scale_steps
from deqbench.telling.tables import Frames, grouped, primary_metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(frames: Frames) -> list[Picture | None]:
    """Return the pictures of a run of trainings; None for one of which nothing was observed."""
    return [
        best_steps(frames),
        _curves(frames, "loss"),
        _curves(frames, "score"),
        failures(frames),
    ]


def _curves(frames: Frames, what: str) -> Picture | None:
    shown = {dataset: _observed(frames, dataset, what) for dataset in dict.fromkeys(frames.trials["dataset"])}
    shown = {dataset: name for dataset, name in shown.items() if name}
    if not shown:
        return None
    figure, rows = panels(len(shown), 2, [*frames.trials["label"]])
    styles = looks(frames.trials, frames.subject.leading)
    behind = []
    for (dataset, name), (left, right) in zip(shown.items(), rows, strict=True):
        band = drawn(bands(frames, dataset, name))
        behind.append(thinned(band, ["label"], _ROWS).assign(dataset=dataset, name=_words(name)))
        ends = failed_ends(frames, dataset, name)
        for axes, x in ((left, "step"), (right, "seconds")):
            scale_score(axes, name, band)
            scale_steps(axes, band[x], whole=x == "step")
            _draw_band(axes, band, ends, x, styles)
            axes.set_xlabel("parameter updates" if x == "step" else "training seconds")
            titled(axes, f"{dataset}: {_words(name)}" if x == "step" else "")
        left.set_ylabel(_words(name))
        right.set_ylabel("")
    legend(figure, styles, [*frames.trials["label"]])
    title = f"{_words(', '.join(dict.fromkeys(shown.values())))} against updates and training time"
    data = pd.concat(behind)[list(_BEHIND)].rename(columns=_BEHIND)
    return Picture(what, title[0].upper() + title[1:], _BAND_CAPTION, figure, data)


MOST_BANDS = 15
"""Entries whose intervals are shaded: more would drown the lines."""
_ROWS = 5
"""Evaluations of an entry in the table behind its curve."""
_BEHIND = {
    "dataset": "data set",
    "name": "of",
    "label": "entry",
    "step": "updates",
    "seconds": "train s",
    "median": "median",
    "low": "low",
    "high": "high",
}

_BAND_CAPTION = (
    "Lines join the medians over seeds of each evaluation; bands are their order-statistic intervals (fewer "
    "than six seeds: all seeds). "
    "A failed trial ranks behind all others from its last observation on, where a cross marks it; a band "
    "lacks the side that falls on a failure, a line ends where its median does. "
    "Training seconds exclude evaluation and warm-up."
)


def _observed(frames: Frames, dataset: str, what: str) -> str:
    """Return the curve to draw: the data set's primary metric as score, the training loss as loss."""
    primary = primary_metric(frames, dataset)
    candidates = ["train_loss", "test_loss"] if what == "loss" else [primary] if "loss" not in primary else []
    return next((name for name in candidates if len(frames.places(dataset, name))), "")


def _draw_band(
    axes: Axes, band: pd.DataFrame, ends: pd.DataFrame, x: str, styles: Mapping[str, Look]
) -> None:
    shaded = band if band["label"].nunique() <= MOST_BANDS else band.iloc[:0]
    for label, group in shaded.groupby("label", sort=False, observed=True):
        # An end that falls on a failure is infinite: filled, it would drown every other curve.
        low, high = (group[end].where(np.isfinite(group[end]), group["median"]) for end in ("low", "high"))
        look = styles[str(label)]
        axes.fill_between(group[x], low, high, color=look.colour, alpha=0.09, linewidth=0, gid=look.sign())
    finite = band[np.isfinite(band["median"].astype("float64"))]
    if not finite.empty:
        _draw_lines(axes, finite, x, styles)
    for label, group in ends.groupby("label", observed=True):
        look = styles[str(label)]
        cross: dict[str, Any] = {"color": look.colour, "markersize": 7, "markeredgewidth": 1.8}
        axes.plot(group[x], group["value"], "x", gid=look.sign(), **cross)


def _draw_lines(axes: Axes, finite: pd.DataFrame, x: str, styles: Mapping[str, Look]) -> None:
    # Not seaborn's lineplot: it takes a hundred times as long for twenty entries on ten data sets.
    every = max(1, -(-finite["step"].nunique() // (60 if finite["label"].nunique() <= MOST_BANDS else 8)))
    labels, along, medians = (finite[name].to_numpy() for name in ("label", x, "median"))
    for group in grouped(finite, ["label"]):
        look = styles[str(labels[group[0]])]
        worn: dict[str, Any] = {"color": look.colour, "marker": look.marker, "markersize": 4.5}
        worn["gid"] = look.sign()
        dash = (0, look.dash) if look.dash else "-"
        axes.plot(along[group], medians[group], ls=dash, lw=1.3, mec=PAPER, mew=0.4, markevery=every, **worn)


def _words(name: str) -> str:
    return name.replace("_", " ").replace("r2", "R²")

"""The pictures of training: curves with their bands, and failures by status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from deqbench.records import Status
from deqbench.telling.bands import bands, drawn, failed_ends
from deqbench.telling.best_step_figures import best_steps
from deqbench.telling.figure_data import thinned
from deqbench.telling.looks import INK_ON_CELLS, PALETTE, PAPER, Look, legend, looks, panels
from deqbench.telling.pictures import Picture
from deqbench.telling.scales import scale_score, scale_steps
from deqbench.telling.tables import Frames, failure_counts, primary_metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(frames: Frames) -> list[Picture | None]:
    """Return the pictures of a run of trainings; None for one of which nothing was observed."""
    return [
        best_steps(frames),
        _curves(frames, "loss"),
        _curves(frames, "score"),
        _failures(frames),
    ]


def _curves(frames: Frames, what: str) -> Picture | None:
    shown = {dataset: _observed(frames, dataset, what) for dataset in dict.fromkeys(frames.trials["dataset"])}
    shown = {dataset: name for dataset, name in shown.items() if name}
    if not shown:
        return None
    figure, rows = panels(len(shown), 2, len(set(frames.trials["label"])))
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
            axes.set_title(f"{dataset}: {_words(name)}" if x == "step" else "")
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
    names = set(frames.curves.loc[frames.curves["dataset"] == dataset, "name"])
    primary = primary_metric(frames, dataset)
    candidates = ["train_loss", "test_loss"] if what == "loss" else [primary] if "loss" not in primary else []
    return next((name for name in candidates if name in names), "")


def _draw_band(
    axes: Axes, band: pd.DataFrame, ends: pd.DataFrame, x: str, styles: Mapping[str, Look]
) -> None:
    shaded = band if band["label"].nunique() <= MOST_BANDS else band.iloc[:0]
    for label, group in shaded.groupby("label", sort=False, observed=True):
        # An end that falls on a failure is infinite: filled, it would drown every other curve.
        low, high = (group[end].where(np.isfinite(group[end]), group["median"]) for end in ("low", "high"))
        axes.fill_between(group[x], low, high, color=styles[str(label)].colour, alpha=0.09, linewidth=0)
    finite = band[np.isfinite(band["median"].astype("float64"))]
    if not finite.empty:
        _draw_lines(axes, finite, x, styles)
    for label, group in ends.groupby("label", observed=True):
        cross: dict[str, Any] = {"color": styles[str(label)].colour, "markersize": 7, "markeredgewidth": 1.8}
        axes.plot(group[x], group["value"], "x", **cross)


def _draw_lines(axes: Axes, finite: pd.DataFrame, x: str, styles: Mapping[str, Look]) -> None:
    # Not seaborn's lineplot: it takes a hundred times as long for twenty entries on ten data sets.
    every = max(1, -(-finite["step"].nunique() // (60 if finite["label"].nunique() <= MOST_BANDS else 8)))
    for label, group in finite.groupby("label", sort=False, observed=True):
        look = styles[str(label)]
        worn: dict[str, Any] = {"color": look.colour, "marker": look.marker, "markersize": 4.5}
        dash = (0, look.dash) if look.dash else "-"
        axes.plot(group[x], group["median"], ls=dash, lw=1.3, mec=PAPER, mew=0.4, markevery=every, **worn)


def _failures(frames: Frames) -> Picture | None:
    failures = failure_counts(list(frames.trials["status"]))
    if not failures:
        return None
    trials = frames.trials
    names = trials["label"]
    apart = (
        trials["dataset"].nunique() > 1 and len(trials[["dataset", "label"]].drop_duplicates()) <= MOST_ROWS
    )
    if apart:
        names = trials["dataset"] + ": " + names
    counts = pd.crosstab(names, trials["status"]).reindex(index=list(dict.fromkeys(names)), fill_value=0)
    counts = counts.reindex(columns=[Status.OK.value, *failures], fill_value=0)
    figure = Figure(
        figsize=(3.4 + 0.95 * counts.shape[1], max(1.3, 0.6 + 0.25 * len(counts))), layout="constrained"
    )
    axes = figure.subplots()
    failed = np.arange(counts.shape[1]) > 0
    for columns, colour in ((failed, PALETTE[3]), (~failed, PALETTE[7])):
        shades = sns.light_palette(colour, as_cmap=True)
        hidden = (counts == 0) | ~columns
        sns.heatmap(
            counts,
            mask=hidden,
            annot=True,
            cmap=shades,
            vmin=0,
            vmax=2 * counts.max().max(),
            ax=axes,
            **_CELLS,
        )
    axes.set(xlabel="", ylabel="")
    axes.xaxis.tick_top()
    axes.tick_params(length=0, labelrotation=0)  # seaborn stands them upright where rows are few
    axes.grid(visible=False)
    return Picture(
        "failures", "How trials ended", "Trials of each entry by status.", figure, _counted(counts)
    )


def _counted(counts: pd.DataFrame) -> pd.DataFrame:
    """Return the counts under titles for a person, the entry a column."""
    titles = {status: str(status).replace("_", " ") for status in counts}
    return counts.rename(columns=titles).rename_axis(index="entry", columns=None).reset_index()


MOST_ROWS = 40
"""Rows of the failures; with more, an entry's data sets are counted together."""
_CELLS: dict[str, Any] = {
    "linewidths": 1.5,
    "linecolor": PAPER,
    "cbar": False,
    "annot_kws": {"color": INK_ON_CELLS},
}


def _words(name: str) -> str:
    return name.replace("_", " ").replace("r2", "R²")

"""The pictures of training: curves with their bands, score against cost, failures by status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from deqbench.records import Status
from deqbench.telling.bands import bands, failed_ends
from deqbench.telling.looks import INK_ON_CELLS, PALETTE, PAPER, Look, legend, looks, panels
from deqbench.telling.pictures import Picture
from deqbench.telling.scales import scale_cost, scale_score, scale_steps
from deqbench.telling.tables import Frames, failure_counts, primary_metric, summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(frames: Frames) -> list[Picture | None]:
    """Return the pictures of a run of trainings; None for one of which nothing was observed."""
    return [_curves(frames, "loss"), _curves(frames, "score"), _cost(frames), _failures(frames)]


def _curves(frames: Frames, what: str) -> Picture | None:
    shown = {dataset: _observed(frames, dataset, what) for dataset in dict.fromkeys(frames.trials["dataset"])}
    shown = {dataset: name for dataset, name in shown.items() if name}
    if not shown:
        return None
    figure, rows = panels(len(shown), 2, len(set(frames.trials["label"])))
    styles = looks(frames.trials, frames.subject.leading)
    for (dataset, name), (left, right) in zip(shown.items(), rows, strict=True):
        band = bands(frames, dataset, name)
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
    return Picture(what, title[0].upper() + title[1:], _BAND_CAPTION, figure)


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
    for label, group in band.groupby("label", sort=False):
        # An end that falls on a failure is infinite: filled, it would drown every other curve.
        low, high = (group[end].where(np.isfinite(group[end]), group["median"]) for end in ("low", "high"))
        axes.fill_between(group[x], low, high, color=styles[str(label)].colour, alpha=0.09, linewidth=0)
    finite = band[np.isfinite(band["median"].astype("float64"))]
    if not finite.empty:
        _draw_lines(axes, finite, x, styles)
    for label, group in ends.groupby("label"):
        cross: dict[str, Any] = {"color": styles[str(label)].colour, "markersize": 7, "markeredgewidth": 1.8}
        axes.plot(group[x], group["value"], "x", **cross)


def _draw_lines(axes: Axes, finite: pd.DataFrame, x: str, styles: Mapping[str, Look]) -> None:
    sns.lineplot(
        finite,
        x=x,
        y="median",
        hue="label",
        style="label",
        palette={label: look.colour for label, look in styles.items()},
        markers={label: look.marker for label, look in styles.items()},
        dashes={label: look.dash for label, look in styles.items()},
        markersize=4.5,
        markeredgewidth=0.4,
        markevery=max(1, finite["step"].nunique() // 60),
        linewidth=1.3,
        estimator=None,
        legend=False,
        ax=axes,
    )


def _cost(frames: Frames) -> Picture | None:
    table = summary(frames)
    if "train_seconds" not in table or not np.isfinite(table["train_seconds"]).any():
        return None
    datasets = list(dict.fromkeys(table["dataset"]))
    figure, rows = panels(-(-len(datasets) // 2), min(2, len(datasets)), table["label"].nunique())
    styles = looks(frames.trials, frames.subject.leading)
    places = [axes for row in rows for axes in row]
    for dataset, axes in zip(datasets, places, strict=False):
        chosen = table[table["dataset"] == dataset]
        finite = chosen[np.isfinite(chosen["score"]) & np.isfinite(chosen["train_seconds"])]
        metric = primary_metric(frames, dataset)
        scale_cost(axes, metric, finite)
        if not finite.empty:
            _draw_points(axes, finite, styles)
        axes.set(xlabel="training seconds", ylabel=_words(metric), title=dataset)
    for axes in places[len(datasets) :]:
        axes.set_visible(False)
    legend(figure, styles, [*table["label"]], lines=False)
    return Picture("cost", "Score against training time", _COST_CAPTION, figure)


_COST_CAPTION = (
    "Medians over seeds with their order-statistic intervals in both directions. "
    "An entry whose median falls on a failure has no point. "
    "Cost is the training clock: updates only, without evaluation, warm-up and the start of the process."
)


def _draw_points(axes: Axes, table: pd.DataFrame, styles: Mapping[str, Look]) -> None:
    for row in table.to_dict("records"):
        look = styles[row["label"]]
        across: dict[str, Any] = {"lw": 1.1, "alpha": 0.6, "color": look.colour, "zorder": 2}
        seconds = np.clip([row["train_seconds_low"], row["train_seconds_high"]], *axes.get_xlim())
        axes.plot(seconds, [row["score"]] * 2, **across)
        ends = np.clip([row["score_low"], row["score_high"]], *axes.get_ylim())
        axes.plot([row["train_seconds"]] * 2, ends, **across)
    sns.scatterplot(
        table,
        x="train_seconds",
        y="score",
        hue="label",
        style="label",
        palette={label: look.colour for label, look in styles.items()},
        markers={label: look.marker for label, look in styles.items()},
        s=55,
        legend=False,
        ax=axes,
        zorder=3,
    )


def _failures(frames: Frames) -> Picture | None:
    failures = failure_counts(list(frames.trials["status"]))
    if not failures:
        return None
    trials = frames.trials
    names = trials["label"]
    if trials["dataset"].nunique() > 1:
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
    return Picture("failures", "How trials ended", "Trials of each entry by status.", figure)


_CELLS: dict[str, Any] = {
    "linewidths": 1.5,
    "linecolor": PAPER,
    "cbar": False,
    "annot_kws": {"color": INK_ON_CELLS},
}


def _words(name: str) -> str:
    return name.replace("_", " ").replace("r2", "R²")

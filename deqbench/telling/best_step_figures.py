"""The figure of a grid of steps: loss against epoch, each entry at its own best step, the others left out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from deqbench.telling.bands import bands
from deqbench.telling.best_of_grid import PARAMETER, Best, best_of_grid, without_step
from deqbench.telling.figure_data import thinned
from deqbench.telling.layouts import legend, panels
from deqbench.telling.looks import looks, numbered
from deqbench.telling.naming import SEPARATOR
from deqbench.telling.pictures import Picture
from deqbench.telling.scales import scale_score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    from deqbench.telling.looks import Look
    from deqbench.telling.tables import Frames

LOSSES = ("train_loss", "test_loss")
"""Drawn side by side."""
_ROWS = 6
"""Evaluations of an entry in the table behind its curve."""


def best_steps(frames: Frames) -> Picture | None:
    """Return the figure; None for a run without a grid of steps, or in which no loss was observed."""
    found = [one for one in best_of_grid(frames) if one.value is not None and one.tried > 1]
    if not found:
        return None
    trials = pd.concat([_chosen(frames, one) for one in found])
    if trials.groupby("model")["best"].nunique().max() == 1:  # its name alone tells an entry
        trials = trials.assign(best=trials["best"].map(lambda entry: str(entry).partition(SEPARATOR)[0]))
    datasets = [one for one in dict.fromkeys(trials["dataset"]) if _observed(frames, one)]
    if not datasets:
        return None
    entries = list(dict.fromkeys(trials["best"]))
    figure, rows = panels(len(datasets), len(LOSSES), entries)
    styles = _signed(looks(trials.assign(label=trials["best"]), frames.subject.leading), trials, frames)
    behind = []
    for dataset, places in zip(datasets, rows, strict=True):
        here = trials[trials["dataset"] == dataset]
        for axes, name in zip(places, LOSSES, strict=True):
            band = _band(frames, here, dataset, name)
            behind.append(thinned(band, ["label"], _ROWS).assign(dataset=dataset, of=name.replace("_", " ")))
            scale_score(axes, name, band)
            _draw(axes, band, _signed(styles, here, frames))
            axes.set(xlabel="epoch", ylabel=name.replace("_", " "))
        places[0].set_title(f"{dataset}: {_told(found, dataset)}", loc="left", fontsize=8)
    legend(figure, styles, entries)
    data = pd.concat(behind)[list(_BEHIND)].rename(columns=_BEHIND)
    return Picture(
        "best-steps", "Loss against epoch, each entry at its own best step", _CAPTION, figure, data
    )


_CAPTION = (
    "Lines join the medians over seeds; bands are their order-statistic intervals (fewer than six seeds: all "
    "seeds). Each entry is drawn at the step that the table 'Each at its best step' names; its other steps, "
    "unstable ones included, are in the figure of all entries. A line ends where its median falls on a "
    "failure. Who leads after so many epochs depends on the grid: it is shown, nothing is concluded from it."
)
_BEHIND = {
    "dataset": "data set",
    "of": "of",
    "label": "entry",
    "epoch": "epoch",
    "median": "median",
    "low": "low",
    "high": "high",
}


def _chosen(frames: Frames, best: Best) -> pd.DataFrame:
    """Return the trials of an entry at its best step, its name without the step beside."""
    trials = frames.trials
    here = trials[(trials["dataset"] == best.dataset) & (trials[PARAMETER] == best.value)]
    same = here["entry"].map(lambda entry: without_step(str(entry)) == best.entry)
    return here[same].assign(best=best.entry)


def _signed(styles: Mapping[str, Look], trials: pd.DataFrame, frames: Frames) -> dict[str, Look]:
    """Return looks that sign for the run's own entries, of which a best one is one a data set."""
    numbers = numbered(frames.trials)
    own = {
        str(best): tuple(dict.fromkeys(numbers[str(label)] for label in group["label"]))
        for best, group in trials.groupby("best", sort=False)
    }
    return {best: replace(look, entries=own.get(best, ())) for best, look in styles.items()}


def _observed(frames: Frames, dataset: str) -> bool:
    curves = frames.curves
    return bool(((curves["dataset"] == dataset) & (curves["name"] == LOSSES[0])).any())


def _band(frames: Frames, trials: pd.DataFrame, dataset: str, name: str) -> pd.DataFrame:
    """Return the bands of the chosen entries alone, along epochs."""
    names = dict(zip(trials["entry"], trials["best"], strict=True))
    band = bands(frames, dataset, name)
    band = band[band["entry"].isin(list(names))]
    curves = frames.curves[frames.curves["key"].isin(trials["key"]) & (frames.curves["name"] == name)]
    epochs = curves.groupby(["entry", "step"], observed=True)["epoch"].median()
    places = [float(epochs.get(place, np.nan)) for place in zip(band["entry"], band["step"], strict=True)]
    return band.assign(label=band["entry"].map(names), epoch=places)


def _draw(axes: Axes, band: pd.DataFrame, styles: Mapping[str, Look]) -> None:
    for label, group in band.groupby("label", sort=False):
        look = styles[str(label)]
        finite = group[np.isfinite(group["median"].astype("float64"))]
        low, high = (finite[end].where(np.isfinite(finite[end]), finite["median"]) for end in ("low", "high"))
        shade: dict[str, Any] = {"color": look.colour, "alpha": 0.09, "linewidth": 0, "gid": look.sign()}
        axes.fill_between(finite["epoch"], low, high, **shade)
        drawn: dict[str, Any] = {"color": look.colour, "marker": look.marker, "markersize": 4}
        drawn["gid"] = look.sign()
        dash = (0, look.dash) if look.dash else "-"
        axes.plot(finite["epoch"], finite["median"], linestyle=dash, linewidth=1.3, **drawn)


def _told(found: Sequence[Best], dataset: str) -> str:
    """Return the best steps of a data set's entries: ``linear 3, mlp 0.3``."""
    here = [one for one in found if one.dataset == dataset]
    return ", ".join(f"{one.entry.partition('[')[0].split(' ')[0]} {one.value:g}" for one in here)

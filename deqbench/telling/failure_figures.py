"""How the trials of each entry ended: their numbers by status, as cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from deqbench.records import Status
from deqbench.telling.looks import INK_ON_CELLS, PALETTE, PAPER
from deqbench.telling.pictures import Picture
from deqbench.telling.tables import Frames, failure_counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_ROWS = 40
"""Rows of the failures; with more, an entry's data sets are counted together."""
_FAILED, _FINISHED = ("#f3f0f0", PALETTE[3]), ("#f0f1f1", PALETTE[7])
"""Shades from none to many: seaborn's light palettes of these colours."""


def failures(frames: Frames) -> Picture | None:
    """Return the picture of how trials ended; None where all ended well."""
    found = failure_counts(list(frames.trials["status"]))
    if not found:
        return None
    trials = frames.trials
    names = trials["label"]
    apart = (
        trials["dataset"].nunique() > 1 and len(trials[["dataset", "label"]].drop_duplicates()) <= MOST_ROWS
    )
    if apart:
        names = trials["dataset"] + ": " + names
    counts = pd.crosstab(names, trials["status"]).reindex(index=list(dict.fromkeys(names)), fill_value=0)
    counts = counts.reindex(columns=[Status.OK.value, *found], fill_value=0)
    figure = Figure(
        figsize=(3.4 + 0.95 * counts.shape[1], max(1.3, 0.6 + 0.25 * len(counts))), layout="constrained"
    )
    _draw(figure.subplots(), counts)
    return Picture(
        "failures", "How trials ended", "Trials of each entry by status.", figure, _counted(counts)
    )


def _draw(axes: Axes, counts: pd.DataFrame) -> None:
    """Write the counts into shaded cells.

    Not seaborn's heatmap: it writes 1,000 as 1e+03, and its import takes as long as a small report.
    """
    numbers = counts.to_numpy()
    failed = np.arange(counts.shape[1]) > 0
    for columns, shades in ((failed, _FAILED), (~failed, _FINISHED)):
        shown = np.ma.masked_array(numbers, mask=(numbers == 0) | ~columns)
        colours = LinearSegmentedColormap.from_list("", shades)
        axes.pcolormesh(shown, cmap=colours, vmin=0, vmax=2 * numbers.max(), linewidths=1.5, edgecolors=PAPER)
    for row, column in np.argwhere(numbers > 0):
        told = f"{numbers[row, column]:,}"
        axes.text(column + 0.5, row + 0.5, told, ha="center", va="center", color=INK_ON_CELLS)
    axes.set(xlim=(0, counts.shape[1]), ylim=(len(counts), 0), xlabel="", ylabel="")
    axes.set_xticks(np.arange(counts.shape[1]) + 0.5, [str(status) for status in counts])
    axes.set_yticks(np.arange(len(counts)) + 0.5, [str(name) for name in counts.index], va="center")
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _counted(counts: pd.DataFrame) -> pd.DataFrame:
    """Return the counts under titles for a person, the entry a column."""
    titles = {status: str(status).replace("_", " ") for status in counts}
    return counts.rename(columns=titles).rename_axis(index="entry", columns=None).reset_index()

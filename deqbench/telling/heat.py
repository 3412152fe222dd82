"""A table as a picture: entries down, maps across by family, each cell a number or what happened instead."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from deqbench.records import Status
from deqbench.telling.families import Family
from deqbench.telling.looks import GRID, INK_ON_CELLS, PALETTE, PAPER
from deqbench.telling.tables import PENDING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHORT = {
    "not_converged": "missed",
    "out_of_memory": "memory",
    "interrupted": "cut off",
    "skipped": "n/a",
}
"""Statuses that are too long for a cell."""

_CELL, _ROW = 0.62, 0.27
"""Inches of a cell."""
_MISS = "#f0d5cc"
"""A pale red behind what is no number; pale in a dark page too, like every cell."""
_CELLS: dict[str, Any] = {
    "linewidths": 1.5,
    "linecolor": PAPER,
    "cbar": False,
    "annot_kws": {"color": INK_ON_CELLS, "fontsize": 8},
    "fmt": "",
}


def heat_table(
    families: Sequence[Family], values: pd.DataFrame, words: pd.DataFrame, decades: float
) -> Figure:
    """Return the table drawn: cells shaded by how many times the least of their column they are.

    Args:
        families: The maps across.
        values: Numbers, (entries, maps), both in the order to be drawn; infinite or nan where there is none.
        words: What stands in each cell; nothing for a cell that was not planned.
        decades: Decades above the least of a column over which the shade deepens.
    """
    wide = [len(family.maps) for family in families]
    width = 0.085 * max(map(len, values.index)) + _CELL * sum(wide) + 0.25 * len(families)
    figure = Figure(figsize=(width + 0.4, _ROW * len(values) + 1.1), layout="constrained")
    grid = figure.subplots(1, len(families), squeeze=False, sharey=True, width_ratios=wide)
    for family, axes in zip(families, grid[0], strict=True):
        maps = list(family.maps)
        _draw(axes, values[maps], words[maps], decades)
        _label(axes, family)
    return figure


def cells(
    trials: pd.DataFrame, table: pd.DataFrame, across: Sequence[Family], name: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what :func:`heat_table` draws of one column of a summary: numbers and words, (labels, maps).

    Args:
        trials: The run's trials.
        table: Its summary.
        across: The families of its maps.
        name: The column.
    """
    maps = [text for family in across for text in family.maps]
    labels = list(dict.fromkeys(trials["label"]))
    values = table.pivot_table(index="label", columns="dataset", values=name, aggfunc="max", sort=False)
    values = values.reindex(index=labels, columns=maps).astype("float64")
    said = [[_number(value) for value in row] for row in values.to_numpy(dtype="float64")]
    words = pd.DataFrame(said, index=labels, columns=maps)
    missed = trials[~trials["status"].isin([Status.OK, PENDING])]
    for label, text in itertools.product(labels, maps):
        chosen = missed.loc[(missed["label"] == label) & (missed["dataset"] == text), "status"]
        if not words.loc[label, text] and len(chosen):
            status = str(chosen.value_counts().index[0])
            words.loc[label, text] = SHORT.get(status, status)
    return values, words


def _number(value: float) -> str:
    if not np.isfinite(value):
        return ""
    if value != 0 and not 1e-2 <= abs(value) < 1e5:
        return f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.3g}"


def shades(values: pd.DataFrame) -> pd.DataFrame:
    """Return the decades by which each number exceeds the least of its column; nan where there is none."""
    finite = values.where(np.isfinite(values))
    floor = finite[finite > 0].min().min()
    if pd.isna(floor):
        return finite * 0.0
    lifted = finite.clip(lower=floor)
    return lifted.div(lifted.min()).map(np.log10)


def _draw(axes: Axes, values: pd.DataFrame, words: pd.DataFrame, decades: float) -> None:
    import seaborn as sns  # noqa: PLC0415  half a second, for which only a run on maps need wait

    shade = shades(values)
    sns.heatmap(
        shade,
        mask=shade.isna(),
        annot=words,
        cmap=sns.light_palette(PALETTE[0], as_cmap=True),
        vmin=-0.15 * decades,
        vmax=1.6 * decades,
        ax=axes,
        **_CELLS,
    )
    missed = shade.isna() & (words != "")
    if missed.any().any():
        sns.heatmap(
            missed.astype("float64"),
            mask=~missed,
            annot=words,
            cmap=ListedColormap([_MISS]),
            ax=axes,
            **_CELLS,
        )


def _label(axes: Axes, family: Family) -> None:
    axes.set_title(family.name, loc="left")
    upright: Mapping[str, Any] = {"rotation": 0, "ha": "center"}
    slanted: Mapping[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
    ticks = upright if _short(family) else slanted
    axes.set_xticks(
        np.arange(len(family.members)) + 0.5, [member.difficulty for member in family.members], **ticks
    )
    axes.set(xlabel=family.varied, ylabel="")
    axes.tick_params(length=0)
    axes.tick_params(axis="y", labelrotation=0)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set(visible=False, color=GRID)


def _short(family: Family) -> bool:
    return all(len(member.difficulty) <= 9 for member in family.members)

"""What equilibria cost as training goes on: calls a sample, products of the adjoint, and the spectral radius.

The spectral radius of the map's Jacobian at equilibrium is the asymptotic rate of plain iteration: where it
climbs towards 1, calls grow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from deqbench.telling.bands import bands, drawn
from deqbench.telling.figure_data import thinned
from deqbench.telling.layouts import legend, panels
from deqbench.telling.looks import PAPER, STYLE, Look, looks
from deqbench.telling.pictures import Picture
from deqbench.telling.scales import scale_steps
from deqbench.telling.tables import Frames

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_GROUNDS = 3
"""Data sets that are drawn, a row each."""
_SHOWN = {
    "training_calls": "calls a sample",
    "training_adjoint_products": "adjoint products a sample",
    "spectral_radius": "spectral radius",
}
_ROWS = 4
_CAPTION = (
    "Medians over seeds, against parameter updates. Calls of the map, and products of the adjoint equation, "
    "until a sample was solved, mean over the samples since the evaluation before. The spectral radius is "
    "that of the map's Jacobian at equilibrium, the largest over some test samples: the factor by which "
    "plain iteration ends up shrinking its error. A line ends where its median falls on a failed trial."
)


@mpl.rc_context(STYLE)
def calls(frames: Frames) -> Picture | None:
    """Return the figure of a run of trainings; None where no solve was observed in any."""
    observed = frames.curves[frames.curves["name"].isin(list(_SHOWN))]
    if frames.subject.ground != "data set" or observed.empty:
        return None
    present = set(observed["name"].unique())
    names = [name for name in _SHOWN if name in present]
    grounds = [str(one) for one in dict.fromkeys(frames.trials["dataset"]) if one in set(observed["dataset"])]
    told = {
        (ground, name): drawn(bands(frames, ground, name))
        for ground in grounds[:MOST_GROUNDS]
        for name in names
    }
    shown = {str(label) for band in told.values() for label in band["label"]}
    labels = [str(label) for label in dict.fromkeys(frames.trials["label"]) if label in shown]
    figure, rows = panels(len(grounds[:MOST_GROUNDS]), len(names), labels)
    styles = looks(frames.trials, frames.subject.leading)
    for ground, row in zip(grounds[:MOST_GROUNDS], rows, strict=True):
        for name, axes in zip(names, row, strict=True):
            _draw(axes, told[ground, name], styles)
            axes.set(
                xlabel="parameter updates", ylabel=_SHOWN[name], title=ground if name == names[0] else ""
            )
    legend(figure, styles, labels)
    left = f" The first {MOST_GROUNDS} of {len(grounds)} data sets." if len(grounds) > MOST_GROUNDS else ""
    title = "Solves along the training" if "spectral_radius" not in names else "Solves and spectral radius"
    return Picture("calls", title, _CAPTION + left, figure, _behind(told))


def _draw(axes: Axes, band: pd.DataFrame, styles: Mapping[str, Look]) -> None:
    finite = band[np.isfinite(band["median"].astype("float64"))]
    if finite.empty:
        axes.set_visible(False)
        return
    scale_steps(axes, finite["step"], whole=True)
    every = max(1, finite["step"].nunique() // 12)
    for label, group in finite.groupby("label", sort=False, observed=True):
        look = styles[str(label)]
        dash: Any = (0, look.dash) if look.dash else "-"
        worn: dict[str, Any] = {"color": look.colour, "marker": look.marker, "markersize": 4.5}
        worn["gid"] = look.sign()
        axes.plot(
            group["step"], group["median"], ls=dash, lw=1.3, mec=PAPER, mew=0.4, markevery=every, **worn
        )
    low, high = finite["median"].min(), finite["median"].max()
    margin = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    axes.set_ylim(low - margin, high + margin)
    axes.yaxis.set_major_locator(MaxNLocator(5))


def _behind(told: Mapping[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    parts = [
        thinned(band, ["label"], _ROWS).assign(ground=ground, what=_SHOWN[name])
        for (ground, name), band in told.items()
        if len(band)
    ]
    columns = {"ground": "data set", "what": "of", "label": "entry", "step": "updates", "median": "median"}
    columns |= {"low": "low", "high": "high"}
    table = pd.concat(parts)[list(columns)]
    whole = (
        table["step"].round().astype("int64")
    )  # medians of updates, of which there are no halves worth a digit
    return table.assign(step=whole).rename(columns=columns)

"""The figures of a run of claims: for each, quantity and bound of a case, and the control dashed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from deqbench.telling.figure_data import thinned
from deqbench.telling.looks import PALETTE
from deqbench.telling.pictures import Picture
from deqbench.telling.tables import Frames

MOST_CASES = 4
"""Panels of one claim; the cases nearest their bound are drawn."""

_LINES: tuple[tuple[str, str, Any, str], ...] = (
    ("quantity", PALETTE[0], "-", "seen"),
    ("bound", PALETTE[1], "-", "bound"),
    ("control_quantity", PALETTE[3], "--", "control: seen"),
    ("control_bound", PALETTE[7], "--", "control: bound"),
)


def draw(frames: Frames) -> list[Picture | None]:
    """Return a picture a claim, in the order of the suite."""
    names = list(dict.fromkeys(frames.trials["dataset"]))
    return [_of_claim(frames, str(name)) for name in names]


def _of_claim(frames: Frames, name: str) -> Picture | None:
    curves = frames.curves[(frames.curves["dataset"] == name) & frames.curves["name"].isin(_NAMES)]
    trials = frames.trials[(frames.trials["dataset"] == name) & frames.trials["key"].isin(curves["key"])]
    if trials.empty:
        return None
    shown = trials.sort_values("worst", ascending=False, kind="stable").head(MOST_CASES)
    figure = Figure(figsize=(3.6 * len(shown) + 1.9, 3.1), layout="constrained")
    axes = figure.subplots(1, len(shown), squeeze=False)[0]
    for panel, case in zip(axes, shown.itertuples(index=False), strict=True):
        _panel(panel, curves[curves["key"] == case.key])
        panel.set_title(_wrapped(str(case.entry)), fontsize=8)
    axes[0].set_ylabel("quantity and bound")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center")
    more = (
        "" if len(shown) == len(trials) else f" The {len(shown)} of {len(trials)} cases nearest their bound."
    )
    caption = (
        "Seen must stay at or below its bound at every checkpoint; the control, dashed, was made false on "
        f"purpose and must pass its own.{more}"
    )
    entries = shown.set_index("key")["entry"]
    points = curves[curves["key"].isin(entries.index)].sort_values(["key", "name", "epoch"], kind="stable")
    few = thinned(points, ["key", "name"], _ROWS)
    few = few.assign(
        entry=few["key"].map(entries), name=few["name"].map({line[0]: line[3] for line in _LINES})
    )
    data = few[list(_BEHIND)].rename(columns=_BEHIND)
    return Picture(f"claim-{name}", name, caption, figure, data)


_ROWS = 5
"""Checkpoints of a curve in the table behind it."""
_BEHIND = {"entry": "case", "name": "what", "epoch": "t", "value": "value"}


_NAMES = tuple(line[0] for line in _LINES)


def _panel(panel: Any, curves: pd.DataFrame) -> None:
    drawn = []
    for name, colour, dash, label in _LINES:
        points = curves[curves["name"] == name].sort_values("epoch", kind="stable")
        if points.empty:
            continue
        t, y = points["epoch"].to_numpy(), points["value"].to_numpy()
        last = float(np.abs(t).max()) or 1.0  # the control may live on another clock
        marker = "." if len(t) < 30 else None
        panel.plot(t / last, y, color=colour, linestyle=dash, marker=marker, linewidth=1.3, label=label)
        drawn.append(y)
    values = np.concatenate(drawn)
    positive = values[np.isfinite(values) & (values > 0)]
    if positive.size:
        panel.set_yscale("log")
        panel.set_ylim(max(positive.min() / 2, 1e-18), positive.max() * 2)
    panel.set_xlabel("t, share of its last")


def _wrapped(text: str) -> str:
    name, bracket, rest = text.partition("[")
    return f"{name}\n{bracket}{rest}" if bracket else name

"""Axes on which a curve can be read: logarithmic where it spans decades, stretched where scores crowd.

Scales and limits are set from the finite values before anything is drawn: a failure is infinite, and
autoscaling an infinity overflows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes

_STRETCH = 0.01
"""Where the accuracy axis ends beyond 1, so that a perfect score still has a place."""

_DECADES = 1e12
"""Largest over smallest value that an axis shows; what lies higher leaves the picture."""

_ACCURACY_TICKS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 1.0)


def scale_steps(axes: Axes, values: pd.Series[Any], *, whole: bool) -> None:
    """Make the x axis logarithmic from the first positive value on, and linear below it, down to zero."""
    positive = values[values > 0]
    if positive.empty or positive.max() < 20 * positive.min():
        axes.set_xlim(0, 1.03 * positive.max() if len(positive) else 1)
        if whole:
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        return
    threshold = 1.0 if whole else float(positive.min())
    axes.set_xscale("symlog", linthresh=threshold, linscale=0.3)
    axes.set_xlim(0, positive.max() * 1.15)
    first, last = np.ceil(np.log10(threshold)), np.floor(np.log10(positive.max()))
    axes.xaxis.set_major_locator(FixedLocator([0, *(10.0**power for power in np.arange(first, last + 1))]))
    axes.xaxis.set_major_formatter(FuncFormatter(_plain))
    axes.xaxis.set_minor_locator(NullLocator())


def scale_score(axes: Axes, name: str, band: pd.DataFrame) -> None:
    """Choose the y axis of an observation and the limits that its finite values need."""
    _scale_y(axes, name, band[["median", "low", "high"]].to_numpy(dtype="float64"))


def _scale_y(axes: Axes, name: str, values: npt.NDArray[np.float64]) -> None:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return
    low, high = float(finite.min()), float(finite.max())
    if low > 0:
        high = min(high, _DECADES * low)  # an entry that blew up must not flatten all the others
    if "accuracy" in name:
        _stretch(axes, low, high)
    elif "loss" in name and low > 0 and high > 10 * low:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if high > 1e2 * low else (1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(FuncFormatter(_plain))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylim(low / 1.2, high * 1.2)
    else:
        low = max(low, -0.5) if "r2" in name else low
        margin = 0.05 * (high - low) or 0.1 * abs(high) or 1.0
        axes.set_ylim(low - margin, high + margin)


def _stretch(axes: Axes, low: float, high: float) -> None:
    """Spread the accuracies near 1, where competitors crowd: y -> -log(1 + _STRETCH - y)."""
    axes.set_yscale("function", functions=(_forward, _backward))
    margin = 0.04 * (_forward(high) - _forward(low)) or 0.1
    bottom, top = (
        _backward(_forward(low) - margin),
        min(1.0 + _STRETCH / 3, _backward(_forward(high) + margin)),
    )
    axes.set_ylim(bottom, top)
    ticks = [tick for tick in _ACCURACY_TICKS if bottom <= tick <= top]
    axes.yaxis.set_major_locator(FixedLocator(ticks) if len(ticks) > 2 else MaxNLocator(6))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))


def _forward(score: Any) -> Any:
    return -np.log(np.maximum(1 + _STRETCH - np.asarray(score, dtype="float64"), 1e-6))


def _backward(place: Any) -> Any:
    return 1 + _STRETCH - np.exp(-np.asarray(place, dtype="float64"))


def _plain(value: float, _: int | None = None) -> str:
    if 0 < value < 1e-3:
        return f"{value:.0e}"
    return f"{value:,.0f}" if value >= 1 or value == 0 else f"{value:.3f}".rstrip("0")

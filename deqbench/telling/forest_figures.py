"""The forest plot: each entry's paired difference from the best of its data set, with its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from deqbench.statistics.comparison import Comparison
from deqbench.statistics.equivalence import Verdict
from deqbench.statistics.paired import PairState
from deqbench.telling.layouts import titled
from deqbench.telling.looks import INK, PAPER, STYLE, Look, looks, signed_each
from deqbench.telling.pictures import Picture
from deqbench.telling.rivals import Rivals
from deqbench.telling.tables import Frames

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW, _HEAD, _BELOW, _WIDTH = 0.25, 0.9, 0.55, 8.6
"""Inches of a row, of what a panel needs besides, the part of it below the panel, and of the figure."""
_LETTER = 0.075
"""Inches of a letter of a label, about."""
_BAND = "#8a94a0"
_FARTHEST = 1e12
"""Largest ratio, either way, at which the axis ends; what lies beyond is drawn at its edge."""


def forest(frames: Frames, found: Sequence[Rivals], words: Callable[[str], str]) -> Picture:
    """Return the forest plot of every data set's entries against its best.

    Args:
        frames: The run.
        found: As :func:`~deqbench.telling.rivals.rivals` returns them, at least one.
        words: What a person calls a metric.
    """
    labels = [each.first for one in found for each in one.compared]
    left = min(_LETTER * max(map(len, labels)) + 0.2, _WIDTH / 2)
    heights = [_HEAD + _ROW * len(one.compared) for one in found]
    styles = looks(frames.trials, frames.subject.leading)
    with mpl.rc_context(STYLE):
        # Placed by hand: matplotlib's own layout measures every label four times, a second for six panels.
        figure, top = Figure(figsize=(_WIDTH, sum(heights))), sum(heights)
        for one, height in zip(found, heights, strict=True):
            top -= height
            inches = (left, top + _BELOW, _WIDTH - left - 0.15, height - _HEAD)
            place = [part / size for part, size in zip(inches, (_WIDTH, sum(heights)) * 2, strict=True)]
            _panel(figure.add_axes((place[0], place[1], place[2], place[3])), one, styles, words)
    title = "Paired differences from the best entry"
    return Picture("forest", title, _CAPTION, figure, _behind(found))


_CAPTION = (
    "A row an entry: the mean over complete pairs (same data, same seed) of its difference from the best "
    "entry, or the geometric mean of its ratio to it, with the 95% interval, not corrected. Filled: better "
    "or worse after Holm's correction, or equivalent; hollow: inconclusive. The grey band is what counts as "
    "no difference. A cross at the edge: it failed some pairs, which no mean can hold; an arrow: beyond "
    "the panel."
)


def _panel(axes: Axes, one: Rivals, styles: Mapping[str, Look], words: Callable[[str], str]) -> None:
    measure = one.compared[0].measure
    ratio, share = measure.kind == "ratio", "accuracy" in measure.name
    scale = 100.0 if share else 1.0
    bound, middle = one.compared[0].rope.size, 1.0 if ratio else 0.0
    low, high = (1 / (1 + bound), 1 + bound) if ratio else (-scale * bound, scale * bound)
    axes.axvspan(low, high, color=_BAND, alpha=0.22, linewidth=0, zorder=0)
    axes.axvline(middle, color=INK, linewidth=0.8, zorder=1)
    _limit(axes, one.compared, scale, (low, high), ratio=ratio)
    worn = [styles[each.first] for each in one.compared]
    _intervals(axes, one.compared, scale, worn)
    for row, (each, look) in enumerate(zip(one.compared, worn, strict=True)):
        _row(axes, row, each, scale, look)
    axes.set_ylim(len(one.compared) - 0.4, -0.6)
    axes.set_yticks(range(len(one.compared)), [each.first for each in one.compared])
    for tick, look in zip(axes.yaxis.get_major_ticks(), worn, strict=True):
        tick.label1.set_gid(look.sign())
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    title = f"{one.dataset}: against {one.best}"
    room = axes.get_position().width * _WIDTH
    beyond = max(0.0, 1.1 * _LETTER * len(title) - room)  # a long one begins over the labels
    titled(axes, title, left=min(beyond, _WIDTH - room - 0.2) / room)
    better = "worse to the left" if measure.higher_is_better else "worse to the right"
    title = words(measure.name).removesuffix(" (%)")
    unit = "ratio of " if ratio else "points of " if share else "difference in "
    axes.set_xlabel(f"{unit}{title} ({better})")


def _limit(
    axes: Axes, compared: Sequence[Comparison], scale: float, band: tuple[float, float], *, ratio: bool
) -> None:
    ends = [*band]
    for each in compared:
        shown = each.shown
        ends += [scale * end for end in (shown.low, shown.estimate, shown.high) if isfinite(end)]
    if ratio:
        axes.set_xscale("log")
        low, high = max(min(ends), 1 / _FARTHEST), min(max(ends), _FARTHEST)
        axes.set_xlim(low / 1.2, high * 1.2)
        axes.xaxis.set_major_locator(
            LogLocator(subs=(1.0,) if high > 300 * low else (1.0, 2.0, 5.0), numticks=9)
        )
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        return
    margin = 0.04 * (max(ends) - min(ends)) or 1.0
    axes.set_xlim(min(ends) - margin, max(ends) + margin)
    axes.xaxis.set_major_locator(MaxNLocator(8))


def _intervals(axes: Axes, compared: Sequence[Comparison], scale: float, worn: Sequence[Look]) -> None:
    known = [row for row, each in enumerate(compared) if each.shown.known]
    shown = [compared[row].shown for row in known]
    low, high = (np.clip([scale * getattr(one, end) for one in shown], *axes.get_xlim()) for end in _ENDS)
    colours = [to_rgba(worn[row].colour, 0.8) for row in known]
    lines = axes.hlines(known, low, high, colors=colours, linewidth=1.5, zorder=2)
    lines.set_gid(signed_each([worn[row] for row in known]))


_ENDS = ("low", "high")


def _row(axes: Axes, row: int, each: Comparison, scale: float, look: Look) -> None:
    left, right = axes.get_xlim()
    shown = each.shown
    if each.states[PairState.FIRST_FAILED] or each.states[PairState.BOTH_FAILED]:
        worse = left if each.measure.higher_is_better else right
        cross: dict[str, Any] = {"color": look.colour, "markersize": 6, "markeredgewidth": 1.6}
        axes.plot(worse, row, "x", clip_on=False, gid=look.sign(), **cross)
    if not isfinite(shown.estimate):
        return
    place = scale * shown.estimate
    beyond = place > right or place < left
    marker = (">" if place > right else "<") if beyond else look.marker
    sure = each.verdict is not Verdict.INCONCLUSIVE
    worn: dict[str, Any] = {"color": look.colour, "markerfacecolor": look.colour if sure else PAPER}
    worn["gid"] = look.sign()
    axes.plot(
        min(max(place, left), right), row, marker, markersize=5.5, markeredgewidth=1.3, zorder=3, **worn
    )


def _behind(found: Sequence[Rivals]) -> pd.DataFrame:
    rows = []
    for one in found:
        for each in one.compared:
            shown = each.shown
            row = {"on": one.dataset, "entry": each.first, "against": each.second, "pairs": each.pairs}
            row |= {"kind": each.measure.kind, "mean": shown.estimate, "low": shown.low, "high": shown.high}
            rows.append(row | {"p": each.test.p, "Holm p": each.p_holm, "verdict": each.verdict.value})
    return pd.DataFrame(rows)

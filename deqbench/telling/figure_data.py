"""The numbers behind a figure as a table that is read: a few places of every curve, its ends among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from deqbench.telling.tables import grouped


def thinned(table: pd.DataFrame, by: Sequence[str], most: int) -> pd.DataFrame:
    """Return at most so many rows of every group, even in their order, the first and the last included.

    Args:
        table: Rows in the order in which a curve runs through them.
        by: Columns that tell the curves apart.
        most: Rows kept of each, >= 2.
    """
    kept = [
        group[np.unique(np.linspace(0, len(group) - 1, most).round().astype(int))]
        for group in grouped(table, by)
    ]
    return table.take(np.concatenate(kept)).reset_index(drop=True) if kept else table


def at_marks(
    curves: Mapping[str, pd.DataFrame],
    columns: tuple[str, str],
    marks: Sequence[float],
    names: tuple[str, str],
    *,
    holds: bool = False,
) -> pd.DataFrame:
    """Return what every curve had reached at some marks: a row a panel and label, a column a mark.

    A cell is nan before the curve begins and after it has ended; its end has two columns of its own.

    Args:
        curves: Panel to its curves, ascending: ``label``, and the columns named next.
        columns: The column that the curves run along, and that of what they reach.
        marks: Places, ascending.
        names: Titles of panel and label.
        holds: Whether what was reached holds beyond the end.
    """
    rows = []
    for panel, curve in curves.items():
        for label, group in curve.groupby("label", sort=False):
            at, reached = (group[name].to_numpy(dtype="float64") for name in columns)
            last = np.searchsorted(at, marks, side="right") - 1
            shown = [
                reached[place] if place >= 0 and (holds or mark <= at[-1]) else np.nan
                for place, mark in zip(last, marks, strict=True)
            ]
            told = {f"at {mark:g}": cell for mark, cell in zip(marks, shown, strict=True)}
            rows.append(
                {names[0]: panel, names[1]: str(label), **told, "ends at": at[-1], "with": reached[-1]}
            )
    table = pd.DataFrame(rows)
    return table.dropna(axis="columns", how="all")


def decades(values: pd.Series, most: int = 6) -> list[float]:
    """Return the powers of ten from the least to the greatest positive value, the upper ones if too many."""
    positive = values[np.isfinite(values) & (values > 0)]
    if positive.empty:
        return []
    low, high = np.ceil(np.log10([positive.min(), positive.max()]) - [0, 1])
    return [10.0**power for power in range(int(low), int(high) + 1)][-most:]

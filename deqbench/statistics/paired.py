"""Two entries compared where both were tried: the same task and the same seed.

Seeds name common random numbers: two entries under one seed see the same data in the same order, so the
difference of a pair is less noisy than either side.

How a failure enters. A failed trial has no number, and a mean cannot hold one worse than every number. So
the difference of a pair with one failure is infinite, on the side of the entry that finished; with two
failures it is 0, a tie. Whatever ranks or counts (the median, the test, the probability of improvement)
takes every pair with these values. A mean and its interval are taken over complete pairs alone, which
favours whoever failed; therefore the number of failures of each side stands beside it, and
:mod:`deqbench.statistics.comparison` lets nobody win, or be called equivalent, who failed more often.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from deqbench.statistics.failures import failures_last

UNIT = ("dataset", "seed")
"""Columns that make a pair."""
PENDING = "pending"
"""Status of a trial that has not run: it has not failed either."""

Kind = Literal["difference", "ratio"]
Values = npt.NDArray[np.float64]
Places = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Measure:
    """What is compared, and how two numbers of it are.

    Attributes:
        name: Column of the metric or cost.
        higher_is_better: Its direction.
        kind: ``difference``, first - second in its unit; or ``ratio``, first / second, for positive
            quantities whose scale differs from task to task, such as costs.
    """

    name: str
    higher_is_better: bool
    kind: Kind = "difference"


@dataclass(frozen=True)
class Layout:
    """How a frame with a row a trial is read.

    Attributes:
        entry: Column of the entries.
        unit: Columns that make a pair, the task first.
        counted: Statuses of trials whose value is a result; any other has failed, but ``pending``.
    """

    entry: str = "entry"
    unit: tuple[str, ...] = UNIT
    counted: tuple[str, ...] = ("ok",)


LAYOUT = Layout()
"""As the frames of a run are laid out."""


class PairState(StrEnum):
    """Which sides of a pair have a number."""

    COMPLETE = "complete"
    FIRST_FAILED = "first failed"
    SECOND_FAILED = "second failed"
    BOTH_FAILED = "both failed"


def paired_differences(
    frame: pd.DataFrame, first: str, second: str, measure: Measure, layout: Layout = LAYOUT
) -> pd.DataFrame:
    """Return a row a pair that both entries were tried on: the unit, both values, ``difference``, ``state``.

    A pair with a side that was not planned there, or is pending, is no pair. A trial whose status does not
    count, or whose value is missing or not finite, has failed. ``difference`` is first - second, or
    log(first / second) for a ratio. The frame's ``attrs`` keep ``first``, ``second`` and ``measure``.

    Args:
        frame: A row a trial: the layout's columns, ``status`` and the measure's column.
        first: The entry that is judged.
        second: The entry it is judged against.
        measure: What is compared.
        layout: How the frame is read.

    Raises:
        ValueError: An entry has two trials in one unit, or a ratio is asked of values that are not positive.
    """
    return Sides.of(frame[frame[layout.entry].isin([first, second])], measure, layout).pair(first, second)


@dataclass(frozen=True)
class Sides:
    """Every entry's values by unit, read once for many pairings.

    Attributes:
        units: The distinct units that were tried, sorted; a unit's place is its row.
        trials: Entry to the places it was tried at, ascending, and its values there, nan where it failed.
        measure: What is compared.
    """

    units: pd.DataFrame
    trials: Mapping[str, tuple[Places, Values]]
    measure: Measure

    @classmethod
    def of(cls, frame: pd.DataFrame, measure: Measure, layout: Layout = LAYOUT) -> Sides:
        """Read a frame with a row a trial, as :func:`paired_differences` does.

        Raises:
            ValueError: An entry has two trials in one unit.
        """
        tried = frame[frame["status"] != PENDING]
        unit = list(layout.unit)
        places = tried.groupby(unit, sort=True, dropna=False, observed=True).ngroup().to_numpy(dtype=np.intp)
        found, firsts = np.unique(places, return_index=True)
        units = tried[unit].iloc[firsts].reset_index(drop=True)
        numbers = tried[measure.name].to_numpy(dtype="float64", na_value=np.nan)
        counted = tried["status"].isin(layout.counted).to_numpy() & np.isfinite(numbers)
        values: Values = np.where(counted, numbers, np.nan)
        trials: dict[str, tuple[Places, Values]] = {}
        for name, rows in tried.groupby(layout.entry, sort=False, observed=True).indices.items():
            order = rows[np.argsort(places[rows], kind="stable")]
            twice = places[order][1:][np.diff(places[order]) == 0]
            if len(twice):
                said = ", ".join(f"{column} {place}" for column, place in units.iloc[twice[0]].items())
                raise ValueError(f"{name} has several trials of {said}; a pair is one trial of each")
            trials[str(name)] = places[order], values[order]
        return cls(units if len(found) else tried[unit].iloc[:0], trials, measure)

    def pair(self, first: str, second: str) -> pd.DataFrame:
        """Return the pairs of two entries, as :func:`paired_differences` does.

        Raises:
            ValueError: A ratio is asked of values that are not positive.
        """
        nothing = np.empty(0, dtype=np.intp), np.empty(0)
        (one_at, ones), (two_at, twos) = (self.trials.get(name, nothing) for name in (first, second))
        both, at_one, at_two = np.intersect1d(one_at, two_at, assume_unique=True, return_indices=True)
        one, two = ones[at_one], twos[at_two]
        if self.measure.kind == "ratio" and ((one <= 0).any() or (two <= 0).any()):
            raise ValueError(f"a ratio of {self.measure.name} needs values > 0; compare it by differences")
        lost = np.isnan(one), np.isnan(two)
        states = [PairState.BOTH_FAILED.value, PairState.FIRST_FAILED.value, PairState.SECOND_FAILED.value]
        state = np.select([lost[0] & lost[1], *lost], states, PairState.COMPLETE.value)
        difference = _difference(one, two, self.measure)
        table = self.units.iloc[both].reset_index(drop=True)
        table = table.assign(first=one, second=two, difference=difference, state=state)
        table.attrs = {"first": first, "second": second, "measure": self.measure}
        return table


def _difference(one: Values, two: Values, measure: Measure) -> Values:
    behind = [
        failures_last(side, ~np.isnan(side), higher_is_better=measure.higher_is_better) for side in (one, two)
    ]
    with np.errstate(invalid="ignore"):
        lost = np.where(behind[0] == behind[1], 0.0, behind[0] - behind[1])  # infinite; 0 where both failed
        plain = np.log(one) - np.log(two) if measure.kind == "ratio" else one - two
    return np.where(np.isnan(one) | np.isnan(two), lost, plain)

"""The entries of one data set, ready to be compared in pairs by one metric.

A metric is compared by differences in its own unit where it is a share or a fit (accuracy, R²), and by ratios
where it is a positive loss, error or cost, whose size differs from data set to data set. What counts as no
difference is 1%: a ratio within 1%, a hundredth of an accuracy or of R², a hundredth of the typical size of
anything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from deqbench.records import Status
from deqbench.statistics.comparison import Comparison, compare
from deqbench.statistics.equivalence import Rope
from deqbench.statistics.failures import failures_last, higher_is_better
from deqbench.statistics.medians import median_interval
from deqbench.statistics.paired import PENDING, Layout, Measure, Sides
from deqbench.telling.tables import MEASURED, Frames, primary_metric, summed

ROPE = 0.01
"""What counts as no difference, as a share."""
_FITS = ("accuracy", "r2", "cosine")
"""Metrics of size 1, compared by differences."""


@dataclass(frozen=True)
class Contest:
    """The entries of one data set by one metric, the best median first.

    Attributes:
        dataset: The data set or map.
        measure: The metric, its direction and how two values of it are compared.
        rope: What counts as no difference.
        medians: Label to its median over seeds, infinite where it falls on a failure; the best first.
        sides: The values by data set and seed.
    """

    dataset: str
    measure: Measure
    rope: Rope
    medians: Mapping[str, float]
    sides: Sides

    @property
    def order(self) -> tuple[str, ...]:
        """The labels, the best median first."""
        return tuple(self.medians)

    @property
    def decided(self) -> bool:
        """Whether there are two entries, and the first has a number."""
        return len(self.medians) > 1 and bool(np.isfinite(next(iter(self.medians.values()))))

    def compare(self, first: str, second: str) -> Comparison:
        """Return what the pairs of two entries say of the first; its p is of this test alone."""
        return compare(self.sides.pair(first, second), rope=self.rope)


def contest(frames: Frames, dataset: str, metric: str = "", among: Sequence[str] = ()) -> Contest | None:
    """Return the contest of a data set's entries; None where nobody was measured.

    Args:
        frames: The run.
        dataset: The data set or map.
        metric: A metric or cost; the primary metric by default.
        among: Labels that take part; all by default.
    """
    name = metric or primary_metric(frames, dataset)
    rows = frames.on(dataset)
    return contest_of(rows.assign(**{name: summed(rows, name)}), name, counted_of(frames, name), among)


def counted_of(frames: Frames, metric: str) -> tuple[str, ...]:
    """Return the statuses of trials whose value of a metric is a result."""
    return tuple(MEASURED) if metric in frames.subject.findings else (Status.OK.value,)


def contest_of(
    rows: pd.DataFrame, metric: str, counted: Sequence[str] = (Status.OK.value,), among: Sequence[str] = ()
) -> Contest | None:
    """Return the contest of the trials of one data set; None where nobody was measured.

    Args:
        rows: A row a trial: ``dataset``, ``label``, ``seed``, ``status`` and the metric.
        metric: The column.
        counted: Statuses of trials whose value is a result.
        among: Labels that take part; all by default.
    """
    told = rows[["dataset", "label", "seed", "status", metric]]  # few columns of many: each mask copies them
    tried = told[(told["status"] != PENDING) & (told["label"].isin(among) if len(among) else True)]
    values = tried[metric].to_numpy(dtype="float64", na_value=np.nan)
    ok = tried["status"].isin(counted).to_numpy() & np.isfinite(values)
    if not ok.any():
        return None
    better = higher_is_better(metric)
    ranked = pd.Series(failures_last(values, ok, higher_is_better=better)).groupby(
        tried["label"].to_numpy(dtype=object), sort=False
    )
    found = {str(label): median_interval([*map(float, group)]).median for label, group in ranked}
    medians = dict(
        sorted(found.items(), key=lambda one: -one[1] if better else one[1])
    )  # ties as in the suite
    measure, rope = measured_by(metric, values[ok])
    layout = Layout("label", ("dataset", "seed"), tuple(counted))
    table = tried[["dataset", "label", "seed", "status"]].assign(**{metric: values})
    return Contest(str(tried["dataset"].iloc[0]), measure, rope, medians, Sides.of(table, measure, layout))


def measured_by(metric: str, values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[Measure, Rope]:
    """Return how a metric is compared and what counts as no difference, given the values that are results."""
    better = higher_is_better(metric)
    if any(word in metric for word in _FITS):
        return Measure(metric, better), Rope(ROPE)
    if len(values) and (values > 0).all():
        return Measure(metric, better, "ratio"), Rope(ROPE, relative=True)
    size = float(np.median(np.abs(values))) if len(values) else 0.0
    return Measure(metric, better), Rope(ROPE * size)

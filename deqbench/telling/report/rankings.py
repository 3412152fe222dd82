"""The entries of one data set or map in their order, each number written as a person reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from deqbench.statistics.failures import higher_is_better
from deqbench.telling.report.numbers import (
    NOTHING,
    count,
    interval,
    kibibytes,
    mebibytes,
    metric_title,
    milliseconds,
    number,
    operations,
    percent,
    score,
    work,
)
from deqbench.telling.report.verdict import sentence
from deqbench.telling.subjects import Subject
from deqbench.telling.tables import Frames, primary_metric


@dataclass(frozen=True)
class Standing:
    """One entry's line: written numbers, and the plain ones that the page draws.

    Attributes:
        label: The entry in short.
        score: Median of the primary metric; ``failed`` where it falls on a failure.
        score_interval: Its interval, or nothing.
        costs: Column title to written median, e.g. ``train s``.
        ok: ``3/3``.
        failures: ``timeout 1``, or nothing.
        low: Lower end of the score's interval, as a number; infinite on a failure.
        median: The score's median.
        high: Upper end.
    """

    label: str
    score: str
    score_interval: str
    costs: Mapping[str, str]
    ok: str
    failures: str
    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Ranking:
    """All entries of one data set or map, the best median first.

    Attributes:
        dataset: The data set or map as the suite wrote it.
        metric: Title of the primary metric.
        sentence: What may be concluded.
        standings: The entries.
        scale: Least and greatest finite end of their intervals, written.
        logarithmic: Whether they are so far apart that only a logarithmic scale shows both.
    """

    dataset: str
    metric: str
    sentence: str
    standings: tuple[Standing, ...]
    scale: tuple[str, str]
    logarithmic: bool

    @property
    def cost_titles(self) -> tuple[str, ...]:
        """Titles of the cost columns."""
        return tuple(self.standings[0].costs)

    @property
    def intervals(self) -> bool:
        """Whether any entry has an interval; a single seed has none."""
        return any(one.score_interval for one in self.standings)

    @property
    def failures(self) -> bool:
        """Whether any trial failed."""
        return any(one.failures for one in self.standings)

    @property
    def lead_cost(self) -> str:
        """Title of the cost that stands beside the score; nothing where no time was measured."""
        return next((title for title in LEADING_COSTS if title in self.cost_titles), "")


COST_COLUMNS: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "map-equivalents": ("map_equivalents", work),
    "solved %": ("solved", percent),
    "dL/dx error": ("error_inputs", number),
    "dL/dθ error": ("error_parameters", number),
    "cos dL/dx": ("cosine_inputs", lambda value: score("cosine", value)),
    "cos dL/dθ": ("cosine_parameters", lambda value: score("cosine", value)),
    "residual": ("residual", number),
    "train s": ("train_seconds", number),
    "solve ms": ("solve_seconds", milliseconds),
    "overhead": ("overhead", number),
    "forward ms": ("forward_seconds", milliseconds),
    "backward ms": ("backward_seconds", milliseconds),
    "updates": ("steps", count),
    "map calls": ("map_calls", count),
    "vjps": ("vjps", count),
    "jvps": ("jvps", count),
    "resolvents": ("resolvents", count),
    "Hv products": ("hessian_products", count),
    "true residual": ("true_residual", number),
    "reported/true": ("reported_over_true", number),
    "saved KiB": ("saved_bytes", kibibytes),
    "peak MiB": ("peak_bytes", mebibytes),
    "parameters": ("parameters", count),
    "operations": ("operations", operations),
    "depth": ("effective_depth", work),
    "eval s": ("evaluation_seconds", number),
}
"""Column title to the summary's column and how it is written."""

DECADES = 100
"""Factor between the ends of a scale from which on it is logarithmic."""
LEADING_COSTS = ("train s", "solve ms", "backward ms")
"""The time of each experiment, shown first."""


def ranking(frames: Frames, table: pd.DataFrame, dataset: str) -> Ranking:
    """Return the entries of one data set or map, the best median first.

    Args:
        frames: The run.
        table: Its summary, of this data set alone.
        dataset: The data set.
    """
    metric = primary_metric(frames, dataset)
    best_first = table.sort_values(
        "score", ascending=not higher_is_better(metric), kind="stable", na_position="last"
    )
    known = {
        title: how
        for title, how in COST_COLUMNS.items()
        if how[0] in table and how[0] != metric and _worth_a_column(table[how[0]], frames.subject)
    }
    gap = NOTHING if frames.subject.findings else ""
    standings = [_standing(row, metric, known, gap) for row in best_first.to_dict("records")]
    ends = [end for one in standings for end in (one.low, one.high) if isfinite(end)]
    scale = (score(metric, min(ends)), score(metric, max(ends))) if ends else ("", "")
    said = sentence(best_first, metric, dataset, frames.subject)
    logarithmic = bool(ends) and min(ends) > 0 and max(ends) > DECADES * min(ends)
    return Ranking(dataset, metric_title(metric), said, tuple(standings), scale, logarithmic)


def _worth_a_column(values: pd.Series[float], subject: Subject) -> bool:
    """Return whether anything was counted, or found that tells the entries apart."""
    if values.name in subject.findings and len(values) > 1 and values.nunique(dropna=False) == 1:
        return False
    # A failure alone is infinite on every axis, also on one that nobody measured.
    return bool((np.isfinite(values.astype("float64")) & (values != 0)).any())


def _standing(row: Mapping[Any, Any], metric: str, columns: Mapping[str, Any], gap: str) -> Standing:
    low, median, high = (float(row.get(name, float("nan"))) for name in ("score_low", "score", "score_high"))

    def cost(column: str, how: Callable[[float], str]) -> str:
        # Where missing is a finding, one word beside the score says it; not one in every column.
        value = float(row[column])
        return gap if gap and not isfinite(value) else how(value)

    return Standing(
        label=str(row["label"]),
        score=score(metric, median),
        score_interval=interval(score(metric, low), score(metric, high)),
        costs={title: cost(column, how) for title, (column, how) in columns.items()},
        ok=f"{row['ok']}/{row['n']}",
        failures=str(row["failures"]).replace("_", " "),
        low=low,
        median=median,
        high=high,
    )

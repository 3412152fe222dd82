"""Entries compared over all data sets together, each data set weighing the same: pairs are (data set, seed).

Only data sets that share a primary metric are put together, and an entry is compared with another where both
were tried. The data sets count as given, not as drawn from a population: the numbers speak of other seeds on
these data sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd

from deqbench.statistics.comparison import Comparison, as_family, compare
from deqbench.statistics.failures import higher_is_better
from deqbench.statistics.paired import PENDING, Layout, Sides
from deqbench.telling.contests import contest_of, counted_of, measured_by
from deqbench.telling.tables import Frames, primary_metric, summed

MOST_ENTRIES = 12
"""Entries of which all pairs are compared; of more, each with the reference alone."""
MOST_VALUES = 8000
"""Pairs in all beyond which fewer entries are compared: resampling them is what a report waits for."""


@dataclass(frozen=True)
class Pooled:
    """The entries compared by one metric over all data sets that have it.

    Attributes:
        metric: The metric.
        datasets: The data sets.
        order: Labels by the mean rank of their medians over the data sets, the best first.
        compared: All pairs, or every one told against the first of the order.
        all_pairs: Whether it is all pairs.
        untold: Entries that were left out.
        deciders: Entries without which others would stand in another order.
    """

    metric: str
    datasets: tuple[str, ...]
    order: tuple[str, ...]
    compared: tuple[Comparison, ...]
    all_pairs: bool
    untold: int
    deciders: tuple[str, ...]


def pooled(frames: Frames) -> tuple[Pooled, ...]:
    """Return the comparisons of a run, one a primary metric, with p corrected over all of them together."""
    if frames.about_claims:
        return ()
    metrics: dict[str, list[str]] = {}
    for dataset in map(str, dict.fromkeys(frames.trials["dataset"])):
        metrics.setdefault(primary_metric(frames, dataset), []).append(dataset)
    made = [_of(frames, metric, datasets) for metric, datasets in metrics.items()]
    found = [one for one in made if one is not None]
    family = iter(as_family([each for one in found for each in one.compared]))
    return tuple(replace(one, compared=tuple(next(family) for _ in one.compared)) for one in found)


def _of(frames: Frames, metric: str, datasets: Sequence[str]) -> Pooled | None:
    trials = frames.trials[frames.trials["dataset"].isin(datasets) & (frames.trials["status"] != PENDING)]
    rows = trials[["dataset", "label", "seed", "status"]].assign(**{metric: summed(trials, metric)})
    counted = counted_of(frames, metric)
    ok = rows["status"].isin(counted) & np.isfinite(rows[metric].astype("float64"))
    if not ok.any():
        return None
    medians = median_table(rows, metric, counted)
    ranks = mean_ranks(medians, higher_is_better=higher_is_better(metric))
    order = tuple(str(label) for label in ranks.index)
    if len(order) < 2:
        return None
    measure, rope = measured_by(metric, rows.loc[ok, metric].to_numpy(dtype="float64"))
    sides = Sides.of(rows, measure, Layout("label", ("dataset", "seed"), counted))
    couples, everyone = _couples(order, len(sides.units))
    compared = tuple(compare(sides.pair(first, second), rope=rope) for first, second in couples)
    left = len(order) - len({label for couple in couples for label in couple})
    turned = deciders(medians, higher_is_better=higher_is_better(metric))
    return Pooled(metric, tuple(datasets), order, compared, everyone, left, turned)


def _couples(order: Sequence[str], units: int) -> tuple[list[tuple[str, str]], bool]:
    every = list(combinations(order, 2))
    if len(order) <= MOST_ENTRIES and len(every) * units <= MOST_VALUES:
        return every, True
    most = max(3, MOST_VALUES // max(1, units))
    return [(label, order[0]) for label in order[1 : most + 1]], False


def median_table(rows: pd.DataFrame, metric: str, counted: Sequence[str]) -> pd.DataFrame:
    """Return each label's median on each data set: a row a data set, a column a label, nan where untried.

    Args:
        rows: A row a trial: ``dataset``, ``label``, ``seed``, ``status`` and the metric.
        metric: The column.
        counted: Statuses of trials whose value is a result; others rank last.
    """
    found = {}
    for dataset, group in rows.groupby("dataset", sort=False, observed=True):
        one = contest_of(group, metric, counted)
        found[str(dataset)] = {} if one is None else dict(one.medians)
    return pd.DataFrame.from_dict(found, orient="index").reindex(columns=list(dict.fromkeys(rows["label"])))


def mean_ranks(medians: pd.DataFrame, *, higher_is_better: bool) -> pd.Series[float]:
    """Return each label's mean rank over the data sets it was tried on, the best first; ties share a rank."""
    ranks = medians.rank(axis="columns", ascending=not higher_is_better)
    return ranks.mean().dropna().sort_values(kind="stable")


def deciders(medians: pd.DataFrame, *, higher_is_better: bool) -> tuple[str, ...]:
    """Return the labels whose leaving would turn over the mean ranks of two others."""
    whole = mean_ranks(medians, higher_is_better=higher_is_better)
    found = []
    for label in whole.index:
        rest = mean_ranks(medians.drop(columns=label), higher_is_better=higher_is_better)
        before, after = (one.reindex(rest.index).to_numpy(dtype="float64") for one in (whole, rest))
        product = np.sign(before[:, None] - before) * np.sign(after[:, None] - after)
        found += [str(label)] * bool((product < 0).any())
    return tuple(found)

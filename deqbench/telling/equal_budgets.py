"""What each trial had reached when all had spent the same, and entries that are of the same size.

A comparison at the end of each entry's own budget favours whoever spent more. Here a metric is read off the
curves at the smallest budget that every successful trial of the data set was watched for: the last value at
or before it, carried forward; nothing is read beyond a trial's last evaluation, and no value is invented
between two. A trial that did not end ``ok`` has failed, whatever it had reached by then.

Operations are known for a whole training. They are spread evenly over its updates: exact for a fixed cost an
update, and an approximation where solves become longer or shorter on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from deqbench.records import Status
from deqbench.telling.contests import Contest, contest_of
from deqbench.telling.tables import Frames, primary_metric, rows_at, summed

CLOCKS = ("seconds", "operations")
"""What may be spent equally."""
TOLERANCE = 0.02
"""Parameters within so much of a common middle are equal."""


@dataclass(frozen=True)
class AtBudget:
    """A contest at equal cost.

    Attributes:
        clock: What was spent: seconds or operations.
        budget: How much.
        contest: Who had reached what.
        left_out: Labels of entries for which nobody read the clock.
    """

    clock: str
    budget: float
    contest: Contest
    left_out: tuple[str, ...] = ()


def with_operations(frames: Frames) -> pd.DataFrame:
    """Return the curves with a column ``operations``: spent by then; nan where they were not counted."""
    trials = frames.trials
    total, updates = summed(trials, "operations"), summed(trials, "steps")
    rate = pd.Series((total / updates.where(updates > 0)).to_numpy(), index=trials["key"].to_numpy())
    keys = frames.curves["key"]
    codes = keys.cat.codes if isinstance(keys.dtype, pd.CategoricalDtype) else None
    each = rate.reindex(keys.cat.categories).to_numpy()[codes] if codes is not None else keys.map(rate)
    return frames.curves.assign(operations=frames.curves["step"].astype("float64") * np.asarray(each))


def at_equal_cost(frames: Frames, curves: pd.DataFrame, dataset: str, clock: str) -> AtBudget | None:
    """Return the contest of a data set's entries at the smallest common budget.

    Args:
        frames: The run.
        curves: As :func:`with_operations` returns them.
        dataset: The data set.
        clock: ``seconds`` or ``operations``.

    Returns:
        None where the metric has no curve with that clock. An entry with a successful trial that lacks it is
        left out, and named: a trainer of another library, whose operations nobody counts.
    """
    metric = primary_metric(frames, dataset)
    rows = frames.on(dataset)
    observed = rows_at(curves[["key", "value", clock]], frames.places(dataset, metric))
    last = observed.groupby("key", sort=False, observed=True)[clock].max()
    ends = last.reindex(rows["key"]).to_numpy(dtype="float64")
    ok = (rows["status"] == Status.OK).to_numpy()
    unread = set(rows.loc[ok & ~np.isfinite(ends), "label"])
    read = ok & ~rows["label"].isin(unread).to_numpy()
    if not read.any() or not ends[read].min() > 0:
        return None
    budget = float(ends[read].min())
    values = value_at(observed, clock, budget).reindex(rows["key"]).to_numpy(dtype="float64")
    left = tuple(str(label) for label in dict.fromkeys(rows["label"]) if label in unread)
    among = [str(label) for label in dict.fromkeys(rows["label"]) if label not in unread]
    found = contest_of(rows.assign(**{metric: values}), metric, among=among)
    return None if found is None else AtBudget(clock, budget, found, left)


def value_at(curves: pd.DataFrame, clock: str, budget: float) -> pd.Series[float]:
    """Return each trial's last finite value at or before a reading of the clock, by key.

    Args:
        curves: Observations of one metric: ``key``, ``value`` and the clock, in the order they were made.
        clock: The column that is read.
        budget: The reading.
    """
    chosen = curves[(curves[clock] <= budget) & np.isfinite(curves["value"].astype("float64"))]
    return chosen.groupby("key", sort=False, observed=True)["value"].last().astype("float64")


def parameters_of(frames: Frames, dataset: str) -> dict[str, float]:
    """Return how many parameters each entry of a data set has, as far as that was counted."""
    rows = frames.on(dataset)
    counts = summed(rows, "parameters").groupby(rows["label"].to_numpy(dtype=object), sort=False).max()
    return {str(label): float(count) for label, count in counts.items() if np.isfinite(count) and count > 0}


def equal_sizes(parameters: Mapping[str, float], tolerance: float = TOLERANCE) -> list[tuple[str, ...]]:
    """Return the groups of at least two entries whose sizes lie within a tolerance of a common middle.

    Entries are taken from the smallest on; each group reaches as far as the tolerance allows.

    Args:
        parameters: Label to its number of parameters, > 0.
        tolerance: As a share.

    Returns:
        The largest groups first, labels in the order of ``parameters``.
    """
    groups: list[list[str]] = []
    least = np.inf
    for label in sorted(parameters, key=parameters.__getitem__):
        size = parameters[label]
        if groups and size * (1 - tolerance) <= least * (1 + tolerance):
            groups[-1].append(label)
        else:
            groups.append([label])
            least = size
    order = list(parameters)
    found = [tuple(sorted(group, key=order.index)) for group in groups if len(group) > 1]
    return sorted(found, key=len, reverse=True)

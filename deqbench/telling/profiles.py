"""Which solver solves how much for how much: data profiles and performance profiles of many problems.

A problem is one map drawn from one seed. A data profile asks how many problems are solved within a given
cost; it says the same of a solver whoever else takes part. A performance profile asks how many are solved
within a factor of the best solver of each; it says how far a solver falls behind, but depends on the field.
A trial that did not end ``ok`` has no cost: it is solved at no budget, however near it came.

Sources: Moré and Wild (2009), Benchmarking derivative-free optimization algorithms (data profiles);
Dolan and Moré (2002), Benchmarking optimization software with performance profiles.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from deqbench.records import Status
from deqbench.telling.tables import PENDING, Frames

PROFILE_COLUMNS = ("label", "within", "share")


def costs(frames: Frames, name: str, maps: Sequence[str] | None = None) -> pd.DataFrame:
    """Return what each solver's solve of each problem cost: a row a problem, a column a label.

    Infinite where the solver was tried and did not solve it, nan where it was not tried: not planned there,
    or not run yet.

    Args:
        frames: The run.
        name: The cost, e.g. ``map_equivalents``.
        maps: Maps to keep; all by default. Labels that were tried on none of them are left out.
    """
    trials = frames.trials[frames.trials["status"] != PENDING]
    if maps is not None:
        trials = trials[trials["dataset"].isin(maps)]
    cost = trials[name].astype("float64") if name in trials else pd.Series(np.nan, index=trials.index)
    solved = cost.where((trials["status"] == Status.OK) & cost.notna(), np.inf)
    table = trials.assign(cost=solved).pivot_table(
        index=["dataset", "seed"], columns="label", values="cost", aggfunc="max", sort=False
    )
    return table.reindex(columns=list(dict.fromkeys(trials["label"])))


def ratios(table: pd.DataFrame) -> pd.DataFrame:
    """Return each cost over the least of its problem: 1 for the best, infinite for a miss, nan where untried.

    The best of a problem that nobody solved is nobody: every ratio there is infinite.

    Args:
        table: Costs, >= 0, as :func:`costs` returns them.
    """
    best = table.min(axis="columns")
    least = best.where(best > 0, 1.0)  # a solve that cost nothing is the best; whoever paid is far behind
    ratio = table.div(least, axis="index")
    ratio = ratio.mask(table.gt(0).mul(best == 0, axis="index"), np.inf)
    ratio = ratio.mask(table.eq(best, axis="index"), 1.0)
    return ratio.mask(np.isinf(table), np.inf)


def profile(table: pd.DataFrame) -> pd.DataFrame:
    """Return the share of all problems that each label has within each cost or ratio: ``PROFILE_COLUMNS``.

    One row for every value at which the share of a label rises, so that the profile is a step function that
    holds from ``within`` on. A label that solves nothing has no row.

    Args:
        table: Costs for a data profile, :func:`ratios` for a performance profile; a row a problem.
    """
    rows = []
    for label in table:
        values = table[label].to_numpy(dtype="float64")
        reached, times = np.unique(values[np.isfinite(values)], return_counts=True)
        shares = np.cumsum(times) / len(table)
        rows += [(str(label), *pair) for pair in zip(reached.tolist(), shares.tolist(), strict=True)]
    return pd.DataFrame(rows, columns=list(PROFILE_COLUMNS))


def share_within(table: pd.DataFrame, bound: float) -> pd.Series[float]:
    """Return the share of the problems on which each label was tried that it has within a bound, included."""
    tried = table.notna().sum()
    return (table <= bound).sum().div(tried.where(tried > 0))


def unstable(table: pd.DataFrame, factor: float) -> list[str]:
    """Return the labels whose leaving would reorder the others by their share within a factor of the best.

    A performance profile depends on who takes part: without the best solver of some problems, others become
    the best there.

    Args:
        table: Costs, as :func:`costs` returns them.
        factor: The factor, >= 1.
    """
    shares = share_within(ratios(table), factor)
    found = []
    for label in table:
        rest = table.drop(columns=label)
        if rest.shape[1] > 1 and _reordered(shares.drop(label), share_within(ratios(rest), factor)):
            found.append(str(label))
    return found


def _reordered(before: pd.Series[float], after: pd.Series[float]) -> bool:
    """Return whether two stand the other way round; a tie that appears or vanishes is no reordering."""
    first, then = before.to_numpy(dtype="float64"), after.to_numpy(dtype="float64")
    product = np.sign(first[:, None] - first[None, :]) * np.sign(then[:, None] - then[None, :])
    return bool((product < 0).any())

"""Which solver solves how much for how much: data profiles and performance profiles of many problems.

A problem is one map drawn from one seed. A data profile asks how many problems are solved within a given
cost; it says the same of a solver whoever else takes part. A performance profile asks how many are solved
within a factor of the best solver of each; it says how far a solver falls behind, but depends on the field.
The tables have a row a problem and a column a label: infinite where the label was tried and did not solve
it, however near it came, nan where it was not tried.

Sources: Moré and Wild (2009), Benchmarking derivative-free optimization algorithms (data profiles);
Dolan and Moré (2002), Benchmarking optimization software with performance profiles.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

PROFILE_COLUMNS = ("label", "within", "share")


def ratios(table: pd.DataFrame) -> pd.DataFrame:
    """Return each cost over the least of its problem: 1 for the best, infinite for a miss, nan where untried.

    The best of a problem that nobody solved is nobody: every ratio there is infinite.

    Args:
        table: Costs, >= 0, as above.
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

"""How much of a grid of targets is attained by when: one curve an entry, and the area beyond it.

A pair is a run and a target. The curve is the share of all pairs attained within a budget; what failed
attains nothing after it failed, and stays in the denominator. The area over the convergence curve (AOCC) is
the mean, over pairs, of the part of the budget that was left when the target was attained: 1 for whoever
attains all at once, 0 for nothing.

It depends on the grid (:mod:`deqbench.statistics.targets`) and on the range of budgets; both are stated with
it. Beyond the smallest common budget some runs were no longer watched, so the range should end there.

Sources: Hansen et al. (2022), on the anytime performance of blackbox optimizers, for the share of targets;
López-Ibáñez et al. (2024), arXiv 2404.02031, for AOCC and its likeness to the attainment function [RECALL].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd


def attained(
    times: pd.DataFrame, budgets: Sequence[float] | npt.NDArray[np.float64] | None = None
) -> pd.DataFrame:
    """Return the share of pairs that each entry has attained within each budget.

    Args:
        times: As :func:`~deqbench.statistics.targets.times_to_targets` returns them; several tasks may be
            put together, each with its own targets.
        budgets: In the clock's unit; by default every time at which something was attained.

    Returns:
        ``entry``, ``budget``, ``share`` in [0, 1], ``pairs`` (the denominator); entries in order of first
        appearance, budgets ascending.
    """
    reached = times[times["reached"]]
    grid = np.unique(reached["time"]) if budgets is None else np.asarray(budgets, dtype=np.float64)
    parts = []
    for entry, group in times.groupby("entry", sort=False):
        when = np.sort(group.loc[group["reached"], "time"].to_numpy(dtype="float64"))
        share = np.searchsorted(when, grid, side="right") / len(group)
        parts.append(pd.DataFrame({"entry": entry, "budget": grid, "share": share, "pairs": len(group)}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


COLUMNS = ("entry", "budget", "share", "pairs")


def aocc(times: pd.DataFrame, least: float, most: float, *, logarithmic: bool = True) -> pd.DataFrame:
    """Return each run's area over its convergence curve between two budgets.

    One number a run: fit for :func:`~deqbench.statistics.paired.paired_differences` (every row has status
    ``ok``: a failure is in the number) and :func:`~deqbench.statistics.hierarchical.hierarchical_interval`.

    Args:
        times: As :func:`~deqbench.statistics.targets.times_to_targets` returns them.
        least: Budget at which the range begins, > 0 where logarithmic.
        most: Budget at which it ends, > ``least``.
        logarithmic: Whether a budget ten times smaller counts alike everywhere.

    Returns:
        ``key``, ``dataset``, ``entry``, ``seed``, ``aocc`` in [0, 1], ``targets`` (their number), ``status``.

    Raises:
        ValueError: The range is empty, or begins at 0 where logarithmic.
    """
    if not least < most or (logarithmic and least <= 0):
        raise ValueError(f"the budgets from {least:g} to {most:g} are no range to take an area over")
    when = times["time"].where(times["reached"], np.inf).clip(least, most).to_numpy(dtype="float64")
    low, high = (np.log(least), np.log(most)) if logarithmic else (least, most)
    spent = ((np.log(when) if logarithmic else when) - low) / (high - low)
    runs = times.assign(aocc=1 - spent).groupby(["key", "dataset", "entry", "seed"], sort=False)["aocc"]
    return runs.agg(aocc="mean", targets="size").reset_index().assign(status="ok")

"""An interval over several tasks with several seeds each.

Two populations can be meant. With the tasks fixed the interval speaks of these tasks under other seeds; with
the tasks drawn it speaks of other tasks of the same kind, and must be wider. A report says which is meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from deqbench.statistics.intervals import (
    LEVEL,
    RESAMPLES,
    Group,
    Interval,
    grouped_interval,
    mean_interval,
)


def hierarchical_interval(  # noqa: PLR0913  what a frame's columns are called, and how the interval is made
    frame: pd.DataFrame,
    value: str = "value",
    *,
    task: str = "task",
    level: float = LEVEL,
    resample_tasks: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return the mean over the tasks of each task's mean over its seeds, and its interval.

    Every task weighs the same, however many seeds it has. Tasks fixed: seeds are random within each task; t
    with Satterthwaite's degrees of freedom where a task has fewer than ten seeds, else the bootstrap-t drawn
    within tasks. Tasks drawn: the tasks' means are the sample, which carry the spread of the seeds in
    them; nothing is resampled within, which would count that spread twice.

    It does not promise that values of one seed on different tasks are independent; they are where seeds
    only name random streams.

    Args:
        frame: A row a task and seed.
        value: Column of the numbers, finite.
        task: Column of the tasks.
        level: Coverage aimed at.
        resample_tasks: Whether the tasks count as drawn.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        With ``n`` values, and ``tasks`` the number of tasks. No interval where a fixed task has one value, or
        where there is one drawn task.

    Raises:
        ValueError: A value is nan or infinite.
    """
    groups = [group.to_numpy(dtype="float64") for _, group in frame.groupby(task, sort=True)[value]]
    return tasks_interval(groups, level=level, resample_tasks=resample_tasks, resamples=resamples, seed=seed)


def tasks_interval(
    groups: Sequence[Group],
    *,
    level: float = LEVEL,
    resample_tasks: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return :func:`hierarchical_interval` of the values of each task, none of them empty."""
    if not resample_tasks:
        return grouped_interval(groups, level, resamples=resamples, seed=seed)
    means = [float(np.sort(group).mean()) for group in groups]
    made = mean_interval(means, level, resamples=resamples, seed=seed)
    return replace(made, n=sum(map(len, groups)), tasks=len(groups), method=f"{made.method}, tasks drawn")

"""When each run reached each of a grid of targets, and how long it was watched.

One target is a cliff: five percent more budget can turn a ranking over. So a metric's way from where the
runs start to the best that any reached is cut into many targets, and everything is told of all of them.

How a run enters that never reached a target. One that used up its budget, or its limit of time, was watched
until its last observation and is censored there. One that failed in between is not: it will never reach the
target, and censoring it at its crash would let the survivors speak for it. It stays on to the end, without
reaching anything, and its time is infinite. (In the words of survival analysis, failing is a competing risk;
those who fail stay in the risk set, as in Fine and Gray (1999) [RECALL].)

The targets depend on the runs in the frame: adding a better entry adds harder targets. State the grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from deqbench.statistics.paired import PENDING

Values = npt.NDArray[np.float64]
Clock = Literal["seconds", "step", "epoch"]

WATCHED = ("ok", "not_converged", "timeout", "interrupted")
"""Statuses of trials that ended because their budget or their time did; any other failed."""
COLUMNS = ("key", "dataset", "entry", "seed", "target", "time", "reached", "failed", "watched")


def target_grid(
    curves: pd.DataFrame,
    name: str,
    *,
    higher_is_better: bool,
    count: int = 20,
    optimum: float | None = None,
) -> npt.NDArray[np.float64]:
    """Return targets of one task from the worst first value of a run, excluded, to the best reached.

    Their distances to ``optimum`` are spaced evenly in the logarithm, so that halving a small error counts as
    much as halving a large one. Where a distance is 0 or negative there is no such spacing: what reaches the
    optimum is one further target, and without an optimum, targets are spaced evenly.

    Args:
        curves: Observations of one task: ``key``, ``name``, ``value``, in the order they were made.
        name: The metric.
        higher_is_better: Its direction.
        count: Number of targets, >= 1.
        optimum: A value that no run can pass; by default 0 where less is better and all values are
            >= 0, and 1 where more is better and all values are <= 1, as for an accuracy or R^2.

    Returns:
        (count,) or, with the optimum itself reached, (count + 1,), the easiest first; (0,) where no run
        improved on the worst first value.
    """
    values = _finite(curves, name)
    if values.empty:
        return np.empty(0)
    sign = -1.0 if higher_is_better else 1.0  # from here on less is better
    down = sign * values["value"]
    start, best = (
        float(down.groupby(values["key"], sort=False, observed=True).first().max()),
        float(down.min()),
    )
    if best >= start:
        return np.empty(0)
    floor = _floor(best, -1.0 if higher_is_better else 0.0) if optimum is None else sign * optimum
    if floor is None or best < floor:
        return sign * np.linspace(start, best, count + 1)[1:]
    gaps = (down - floor)[down > floor]
    hardest = float(gaps.min()) if len(gaps) else start - floor
    if hardest >= start - floor:
        return np.array([sign * best])
    targets = floor + np.geomspace(start - floor, hardest, count + 1)[1:]
    targets[-1] = float(down[down > floor].min())  # as observed: rounding must not put it out of reach
    return sign * (np.append(targets, floor) if best == floor else targets)


def _floor(best: float, natural: float) -> float | None:
    return natural if best >= natural else None


def _finite(curves: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the finite observations of one metric."""
    values = curves["value"].to_numpy(dtype="float64", na_value=np.nan)
    finite: pd.DataFrame = curves[(curves["name"] == name) & np.isfinite(values)]
    return finite


def times_to_targets(  # noqa: PLR0913  a metric, its direction, a grid and a clock
    curves: pd.DataFrame,
    trials: pd.DataFrame,
    name: str,
    targets: Sequence[float] | npt.NDArray[np.float64],
    *,
    higher_is_better: bool,
    clock: Clock = "seconds",
) -> pd.DataFrame:
    """Return a row a trial and target of one task: ``COLUMNS``.

    ``time`` is the reading of the clock at the first observation that is at least as good as the target; no
    value is invented between observations. Where there is none it is the last reading of any observation of
    the run (censored), or infinite for a run that failed. ``watched`` is that last reading. A run that was
    never observed was watched for nothing, and counts as failed whatever its status.

    Args:
        curves: ``key``, ``name``, ``value`` and the clock's column, in the order the observations were made.
        trials: ``key``, ``dataset``, ``entry``, ``seed``, ``status``: every trial, also those without a
            curve. Pending trials are left out; all others count.
        name: The metric.
        targets: As :func:`target_grid` returns them.
        higher_is_better: The metric's direction.
        clock: Column that is read: seconds, steps or epochs.
    """
    tried = trials[trials["status"] != PENDING].drop_duplicates("key")
    watched, runs = _read(curves, tried, name, clock, sign=-1.0 if higher_is_better else 1.0)
    failed = ~tried["status"].isin(WATCHED).to_numpy() | np.isnan(watched)
    never = np.where(failed, np.inf, watched)
    count = len(targets)
    if not count:
        return pd.DataFrame(columns=list(COLUMNS))
    first = np.stack([runs.first(-target if higher_is_better else target) for target in targets])
    table = tried[["key", "dataset", "entry", "seed"]].take(np.tile(np.arange(len(tried)), count))
    return table.reset_index(drop=True).assign(
        target=np.repeat(np.asarray(targets, dtype=np.float64), len(tried)),
        time=np.where(np.isnan(first), never, first).ravel(),
        reached=~np.isnan(first).ravel(),
        failed=np.tile(failed, count),
        watched=np.tile(np.nan_to_num(watched), count),
    )


@dataclass(frozen=True)
class _Runs:
    """Finite observations, run after run: whose, the least value so far, and the clock."""

    places: npt.NDArray[np.integer[Any]]
    best: Values
    clock: Values
    count: int

    def first(self, target: float) -> Values:
        """Return each run's clock at its first observation <= target; nan where there is none."""
        size = np.bincount(self.places, minlength=self.count)
        above = np.bincount(self.places[self.best > target], minlength=self.count)
        reached = above < size
        times = np.full(self.count, np.nan)
        times[reached] = self.clock[(np.cumsum(size) - size + above)[reached]]
        return times


def _read(
    curves: pd.DataFrame, tried: pd.DataFrame, name: str, clock: Clock, *, sign: float
) -> tuple[Values, _Runs]:
    """Return the last reading of the clock in each run, nan for none, and its observations of a metric."""
    owners = pd.Index(tried["key"]).get_indexer(pd.Index(curves["key"]))
    readings = curves[clock].to_numpy(dtype="float64", na_value=np.nan)
    watched = np.full(len(tried), -np.inf)
    np.maximum.at(watched, owners[owners >= 0], readings[owners >= 0])
    values = sign * curves["value"].to_numpy(dtype="float64", na_value=np.nan)
    chosen = np.flatnonzero((owners >= 0) & (curves["name"] == name).to_numpy() & np.isfinite(values))
    chosen = chosen[np.argsort(owners[chosen], kind="stable")]
    places = owners[chosen]
    best = pd.Series(values[chosen]).groupby(places).cummin().to_numpy(dtype="float64")
    watched[np.isneginf(watched)] = np.nan
    return watched, _Runs(places, best, readings[chosen], len(tried))

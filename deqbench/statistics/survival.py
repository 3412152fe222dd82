"""How long runs take to reach a target, when not all do: Kaplan and Meier, restricted means, log-rank.

A run that was watched without reaching the target is censored: all that is known is that it takes longer.
One that failed never reaches it (:mod:`deqbench.statistics.targets`). Neither is dropped, and the shares of
both stand beside every number.

The mean time is not known while some runs are censored; the mean of min(time, horizon) is, if every run was
watched up to the horizon. The default horizon is therefore the smallest budget among the runs compared: a
comparison says nothing about what lies beyond.

Sources: Kaplan and Meier (1958), the curve by ``scipy.stats.ecdf``; Mantel (1966), by
``scipy.stats.logrank``; Royston and Parmar (2013) for the restricted mean as a summary [RECALL].
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from deqbench.statistics.intervals import LEVEL, Interval, mean_interval

if TYPE_CHECKING:
    from scipy import stats

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TimeToTarget:
    """The times of one entry to one target.

    Attributes:
        n: Runs.
        reached: Runs that reached the target.
        censored: Runs that were watched to their end and did not; ``n - reached - censored`` failed.
        curve: A row at 0 and at every time a run reached it: ``time``, ``reached``, the share that has
            reached it by then (Kaplan-Meier, from ``time`` on), and ``low``, ``high``, its pointwise
            interval; nan where the formula has none, and always so for few runs that all agree.
        median: Time by which half have reached it; infinite if that was not seen.
    """

    n: int
    reached: int
    censored: int
    curve: pd.DataFrame
    median: float

    @property
    def censored_share(self) -> float:
        """Share of the runs that were censored; nan without a run."""
        return self.censored / self.n if self.n else float("nan")

    @property
    def failed(self) -> int:
        """Runs that failed before they reached the target."""
        return self.n - self.reached - self.censored


def time_to_target(times: pd.DataFrame, level: float = LEVEL) -> TimeToTarget:
    """Return what is known of the time that one entry takes to one target.

    Args:
        times: Rows of :func:`~deqbench.statistics.targets.times_to_targets`, of one entry and target.
        level: Of the pointwise intervals (log-log of Greenwood's variance).
    """
    time, reached = times["time"].to_numpy(dtype="float64"), times["reached"].to_numpy(dtype=bool)
    failed = times["failed"].to_numpy(dtype=bool) & ~reached
    n, hits = len(times), int(reached.sum())
    curve = _curve(time, reached, level)
    return TimeToTarget(n, hits, n - hits - int(failed.sum()), curve, _median(time, reached))


def _median(time: Values, reached: npt.NDArray[np.bool_]) -> float:
    """Return the time by which half have reached the target, by Kaplan and Meier's product; else infinity."""
    when, arrived = np.unique(time[reached], return_counts=True)
    watched = len(time) - np.searchsorted(np.sort(time), when)
    half = when[1 - np.cumprod((watched - arrived) / watched) >= 0.5 - 1e-12]
    return float(half[0]) if len(half) else inf


def _curve(time: Values, reached: npt.NDArray[np.bool_], level: float) -> pd.DataFrame:
    start = pd.DataFrame({"time": [0.0], "reached": [0.0], "low": [np.nan], "high": [np.nan]})
    if not reached.any():
        return start
    from scipy import stats  # noqa: PLC0415  half a second, for which only a curve need wait

    left = stats.ecdf(_censored(time, reached)).sf
    with warnings.catch_warnings():  # where all or none are left the formula has no interval: nan says so
        warnings.simplefilter("ignore", RuntimeWarning)
        # Its ends are step functions; the stubs say numbers.
        band: Any = left.confidence_interval(confidence_level=level, method="log-log")
    steps = pd.DataFrame(
        {
            "time": left.quantiles,
            "reached": 1 - left.probabilities,
            "low": 1 - band.high.probabilities,
            "high": 1 - band.low.probabilities,
        }
    )
    steps = steps[np.isin(steps["time"], time[reached])]
    begins = steps["time"].iloc[0] <= 0
    return steps.reset_index(drop=True) if begins else pd.concat([start, steps], ignore_index=True)


def _censored(time: Values, reached: npt.NDArray[np.bool_]) -> stats.CensoredData:
    """Return scipy's censored data; who failed is watched for ever, beyond all finite times."""
    from scipy import stats  # noqa: PLC0415  as above

    finite = time[np.isfinite(time)]
    beyond = 2 * finite.max(initial=0.0) + 1
    return stats.CensoredData(uncensored=time[reached], right=np.minimum(time[~reached], beyond))


def restricted_means(
    times: pd.DataFrame, *, horizon: float | None = None, level: float = LEVEL, seed: int = 0
) -> pd.DataFrame:
    """Return a row an entry and target of one task: the mean of min(time, horizon), and what it rests on.

    Args:
        times: Of one task, as :func:`~deqbench.statistics.targets.times_to_targets` returns them.
        horizon: In the clock's unit; by default :func:`common_budget`.
        level: Of the interval (:func:`~deqbench.statistics.intervals.mean_interval`).
        seed: Of its bootstrap.

    Returns:
        ``MEAN_COLUMNS``: ``entry``, ``target``, numbers of runs (``n``, ``reached``, ``censored`` and
        ``failed``), ``censored_share``, ``horizon``, ``mean``, ``low``, ``high``, ``method``, ``median``.
        Runs that did not reach the target within the horizon count as the horizon.

    Raises:
        ValueError: A run was watched for less than the horizon and did not reach its target.
    """
    rows = []
    clipped = restricted_times(times, horizon=horizon)
    for (entry, target), group in clipped.groupby(["entry", "target"], sort=False):
        time, reached = group["time"].to_numpy(dtype="float64"), group["reached"].to_numpy(dtype=bool)
        n, hits = len(group), int(reached.sum())
        failed = int((group["failed"].to_numpy(dtype=bool) & ~reached).sum())
        mean: Interval = mean_interval(group["restricted"].to_numpy(dtype="float64"), level, seed=seed)
        row = {"entry": entry, "target": target, "n": n, "reached": hits, "censored": n - hits - failed}
        row |= {"failed": failed, "censored_share": (n - hits - failed) / n}
        row |= {"horizon": float(group["horizon"].iloc[0]), "mean": mean.estimate}
        row |= {"low": mean.low, "high": mean.high, "method": mean.method, "median": _median(time, reached)}
        rows.append(row)
    return pd.DataFrame(rows, columns=list(MEAN_COLUMNS))


MEAN_COLUMNS = (
    *("entry", "target", "n", "reached", "censored", "failed", "censored_share"),
    *("horizon", "mean", "low", "high", "method", "median"),
)


def restricted_times(times: pd.DataFrame, *, horizon: float | None = None) -> pd.DataFrame:
    """Return the times with ``restricted``, min(time, horizon), and ``horizon``: finite, fit to be paired.

    With ``status`` set to ``ok`` for every run they are a frame for
    :func:`~deqbench.statistics.paired.paired_differences`: who failed has the worst time there is.

    Args:
        times: Of one task, as :func:`~deqbench.statistics.targets.times_to_targets` returns them.
        horizon: In the clock's unit; by default :func:`common_budget`.

    Raises:
        ValueError: A run was watched for less than the horizon and did not reach its target.
    """
    end = common_budget(times) if horizon is None else horizon
    short = times[~times["reached"] & (times["time"] < end)]
    if len(short):
        raise ValueError(f"a horizon of {end:g} is beyond runs watched for {short['time'].min():g} only")
    return times.assign(restricted=np.minimum(times["time"], end), horizon=end, status="ok")


def common_budget(times: pd.DataFrame) -> float:
    """Return the least time that a run which did not fail was watched; where all failed, the longest."""
    watched = times.loc[~times["failed"], "watched"]
    return float(watched.min() if len(watched) else times["watched"].max())


def logrank(first: pd.DataFrame, second: pd.DataFrame) -> float:
    """Return the two-sided log-rank p of two entries' times to one target; nan where nobody reached it.

    It rests on large samples and takes the runs for unpaired; with five seeds it is a hint. Times that differ
    and cross cancel.

    Args:
        first: Rows of :func:`~deqbench.statistics.targets.times_to_targets` of one entry and target.
        second: Of the other entry, same target.
    """
    both = [
        (side["time"].to_numpy(dtype="float64"), side["reached"].to_numpy(dtype=bool))
        for side in (first, second)
    ]
    events = np.concatenate([time[reached] for time, reached in both])
    if not len(events) or not len(first) or not len(second):
        return float("nan")
    late = [int((time >= events.min()).sum()) for time, _ in both]
    if min(late) == 0:  # one side was no longer watched when the first run arrived: nothing to compare
        return float("nan")
    from scipy import stats  # noqa: PLC0415  as above

    one, two = (_censored(time, reached) for time, reached in both)
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(stats.logrank(one, two).pvalue)

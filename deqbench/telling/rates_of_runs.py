"""Measured rates of convergence: of solves, from residuals; of trainings, from their gap to the optimum.

The rate of a trace is a robust slope of its logarithm before its floor
(:mod:`deqbench.statistics.rates`). A rate stands for a trial; over the seeds it is told by its median and its
extremes, for the interval of one trace says how straight it is, not what another seed would give.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, isfinite, log, nan

import numpy as np
import numpy.typing as npt
import pandas as pd

from deqbench.statistics.rates import measured_rate
from deqbench.telling.tables import PENDING, Frames

MOST_POINTS = 40
"""Points of a trace that are taken, even in their order: the slope is a median over all their pairs."""
MOST_TRACES = 400
"""Traces that are measured for one report; a run with more of them is measured on its first seeds."""
GAP, BOUND, TIME = "gap", "rate_bound", "flow_time"
"""What the probe ``theory-rate`` observes: the gap, what theorem 1 allows it, and the time of the flow."""


@dataclass(frozen=True)
class Measured:
    """The rate of one entry on one data set or map.

    Attributes:
        dataset: The data set or map.
        label: The entry.
        seeds: Trials whose trace has a rate.
        factor: By what the residual is multiplied per call, or the gap per update: median over the seeds.
        least: The smallest over the seeds.
        most: The greatest.
        bound: The factor that theory allows per update, median; nan where no bound was observed.
        against: How many updates a run needs per factor of accuracy, over what theory promises; at most 1
            where its assumptions hold. nan without a bound.
    """

    dataset: str
    label: str
    seeds: int
    factor: float
    least: float
    most: float
    bound: float = nan
    against: float = nan


def rates(frames: Frames) -> list[Measured]:
    """Return the measured rates of a run; none where no residual or no gap was observed."""
    name = "residual" if frames.suite.get("experiment") == "equilibrium" else GAP
    wanted = {name, BOUND}
    if frames.suite.get("experiment") not in ("equilibrium", "training", None):
        return []
    curves = frames.curves
    chosen = curves[curves["name"].isin(list(wanted))]
    if not (chosen["name"] == name).any():
        return []
    ran = frames.trials.loc[frames.trials["status"] != PENDING, "key"]
    seeds = sorted(frames.trials["seed"].unique())
    most = max(1, MOST_TRACES * len(seeds) // max(1, len(ran)))
    kept = chosen[chosen["seed"].isin(seeds[:most])]
    return list(_measured(kept, name))


def _measured(curves: pd.DataFrame, name: str) -> Iterator[Measured]:
    by_trial = {
        (str(key), str(what)): group
        for (key, what), group in curves.groupby(["key", "name"], sort=False, observed=True)
    }
    places = curves[["key", "dataset", "label"]].drop_duplicates("key")
    for (dataset, label), group in places.groupby(["dataset", "label"], sort=False, observed=True):
        slopes, bounds = [], []
        for key in map(str, group["key"]):
            found = _slope(by_trial.get((key, name)))
            if isfinite(found):
                slopes.append(found)
                bounds.append(_slope(by_trial.get((key, BOUND))))
        if slopes:
            yield _over_seeds(str(dataset), str(label), np.array(slopes), np.array(bounds))


def _over_seeds(
    dataset: str, label: str, slopes: npt.NDArray[np.float64], bounds: npt.NDArray[np.float64]
) -> Measured:
    known = np.isfinite(bounds) & (bounds < 0)
    against = nan
    if known.any():
        promised, found = bounds[known], slopes[known]
        against = float(np.median(np.where(found < 0, promised / np.minimum(found, -1e-300), np.inf)))
    return Measured(
        dataset,
        label,
        len(slopes),
        exp(float(np.median(slopes))),
        exp(float(slopes.min())),
        exp(float(slopes.max())),
        exp(float(np.median(bounds[known]))) if known.any() else nan,
        against,
    )


def _slope(trace: pd.DataFrame | None) -> float:
    """Return the slope of the logarithm of a trace per call or update; nan where it has none."""
    if trace is None:
        return nan
    once = trace.drop_duplicates("step", keep="last")  # the end of a solve is told twice
    places = np.unique(np.linspace(0, len(once) - 1, MOST_POINTS).round().astype(int))
    # At the optimum a gap is of either sign, by rounding: that is its floor, as zero is.
    values = np.maximum(once["value"].to_numpy(dtype="float64")[places], 0.0)
    slope = measured_rate(values, once["step"].to_numpy(dtype="float64")[places]).slope
    return slope.estimate if slope.n >= _LEAST else nan


_LEAST = 3
"""Points above the floor that a rate needs."""


def halving(factor: float) -> float:
    """Return how many calls or updates divide by ten at this factor; infinite where nothing falls."""
    return log(10) / -log(factor) if 0 < factor < 1 else float("inf")

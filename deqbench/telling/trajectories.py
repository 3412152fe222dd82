"""Residual curves of several seeds as one: the median, call by call."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from deqbench.records import Status
from deqbench.telling.tables import PENDING, Frames

TRAJECTORY_COLUMNS = ("label", "at", "median")
POINTS = 30
"""Most places of one curve; a picture holds several hundred curves."""


def trajectories(frames: Frames, dataset: str, name: str, along: str) -> pd.DataFrame:
    """Return the median curve of every label on one map, in order: ``TRAJECTORY_COLUMNS``.

    The seeds stand together call by call: ``median`` is the median of what they had reached after as many
    calls, ``at`` of where they were. What was reached holds until the next observation, and both hold after
    the end, so that a curve ends at the median of its seeds' ends. A trial that left nothing ranks behind all
    others; a place where the median falls on one has no row. A curve begins where all seeds observed have.

    Args:
        frames: The run.
        dataset: The map, as the suite wrote it.
        name: What was observed, e.g. ``residual``; less is better.
        along: The column of the curves it is drawn along: ``step``, ``epoch`` or ``seconds``.
    """
    trials = frames.trials[(frames.trials["dataset"] == dataset) & (frames.trials["status"] != PENDING)]
    observed = frames.curves[frames.curves["key"].isin(trials["key"]) & (frames.curves["name"] == name)]
    once = observed.drop_duplicates(["key", "step"], keep="last")  # the end is told twice
    rows: list[dict[str, Any]] = []
    for label, group in trials.groupby("label", sort=False):
        curves = [once[once["key"] == key].sort_values("step", kind="stable") for key in group["key"]]
        rows += [{"label": str(label), **place} for place in _median(curves, along)]
    return pd.DataFrame(rows, columns=list(TRAJECTORY_COLUMNS))


def ends(frames: Frames, dataset: str, curves: pd.DataFrame) -> pd.DataFrame:
    """Return the last place of each curve and whether the solver ``solved`` the map: most seeds ended ok."""
    trials = frames.trials[(frames.trials["dataset"] == dataset) & (frames.trials["status"] != PENDING)]
    solved = (trials["status"] == Status.OK).groupby(trials["label"], sort=False).mean() > 0.5
    last = curves.groupby("label", sort=False, observed=True).tail(1)
    return last.assign(solved=[bool(solved[label]) for label in last["label"]])


def _median(curves: list[pd.DataFrame], along: str) -> list[dict[str, float]]:
    begun = [curve for curve in curves if len(curve)]
    if not begun:
        return []
    start = max(int(curve["step"].iloc[0]) for curve in begun)
    calls = np.unique(np.concatenate([curve["step"].to_numpy(dtype="float64") for curve in begun]))
    calls = _thinned(calls[calls >= start])
    at = _middle(np.stack([np.interp(calls, curve["step"], curve[along]) for curve in begun]))
    values = _middle(np.stack([_held(curve, calls) for curve in curves]))
    return [
        {"at": float(place), "median": float(value)}
        for place, value in zip(at, values, strict=True)
        if np.isfinite(value)
    ]


def _middle(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the medians down the columns; not np.median, which subtracts: inf - inf is nan."""
    ordered = np.sort(values, axis=0)
    middle: npt.NDArray[np.float64] = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return middle


def _held(curve: pd.DataFrame, calls: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return what stood after so many calls, from the last observation; infinite where nothing finite did."""
    if curve.empty:
        return np.full(len(calls), np.inf)
    last = np.searchsorted(curve["step"].to_numpy(dtype="float64"), calls, side="right") - 1
    return curve["value"].fillna(np.inf).to_numpy(dtype="float64")[last]


def _thinned(places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return at most ``POINTS`` of ascending places, even in the logarithm, the first and last included."""
    if len(places) <= POINTS:
        return places
    wanted = np.geomspace(max(float(places[0]), 1e-12), float(places[-1]), POINTS)
    return places[np.unique(np.clip(np.searchsorted(places, wanted), 0, len(places) - 1))]

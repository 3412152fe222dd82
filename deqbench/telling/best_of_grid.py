"""Each model at its own best step: of the entries that differ in one parameter alone, the best is told.

One shared step compares how large a step each model bears, and little else. Here every entry is told at the
value of the grid that suits it, how soon it came near the optimum, and what the theory's probes saw there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, cast

import pandas as pd

from deqbench.records import Status
from deqbench.telling.naming import SEPARATOR
from deqbench.telling.tables import Frames
from deqbench.trials import Ref, split_outside

GAP = "linear_gap"
"""The curve that must fall: the probe of the same name shows it."""

PARAMETER = "trainer.lr"
"""What the grid varies."""

SHARES = (0.1, 0.01, 0.001)
"""Shares of the first gap that are waited for; the second one decides which step is best."""

FEWEST = 3
"""Values that a grid has at least: of fewer there is no inside in which the best could lie."""

PROBES = ("hessian_condition", "preconditioned_condition", "log10_lambda_min", "log10_lambda_max")
"""What is told of the best entry's last observation, where it was observed."""


@dataclass(frozen=True)
class Best:
    """An entry at its best step.

    Attributes:
        dataset: What it was run on.
        entry: Its name without the parameter.
        value: The best step; None for an entry that has none.
        edge: Whether it is the first or the last of its grid, so that a better one may lie outside.
        tried: Values of the grid.
        steps: Median updates to each of :data:`SHARES` of the first gap; infinite where half of the seeds did
            not get there, or did not end well.
        probes: Medians of the last observation, by name.
    """

    dataset: str
    entry: str
    value: float | None
    edge: bool
    tried: int
    steps: tuple[float, ...]
    probes: Mapping[str, float]


def best_of_grid(frames: Frames) -> list[Best]:
    """Return every entry at its best step, in the order of the suite; none without a gap and a grid."""
    gaps = frames.curves[frames.curves["name"] == GAP]
    if gaps.empty or PARAMETER not in frames.trials:
        return []
    groups: dict[tuple[str, str], list[pd.DataFrame]] = {}
    for (dataset, entry), cell in frames.trials.groupby(["dataset", "entry"], sort=False):
        groups.setdefault((str(dataset), without_step(str(entry))), []).append(cell)
    if max((len(cells) for cells in groups.values()), default=0) < FEWEST:
        return []
    courses = {str(key): course for key, course in gaps.groupby("key", observed=True)}
    return [_best(names, cells, courses, frames) for names, cells in groups.items()]


def _best(
    names: tuple[str, str],
    cells: Sequence[pd.DataFrame],
    courses: Mapping[str, pd.DataFrame],
    frames: Frames,
) -> Best:
    told = [_told(cell, courses) for cell in cells]
    place = min(range(len(cells)), key=lambda one: (told[one][0][1], told[one][1]))
    values = [_value(cell) for cell in cells]
    known = sorted(value for value in values if value is not None)
    value = values[place]
    return Best(
        *names,
        value=value,
        edge=value is not None and value in (known[0], known[-1]),
        tried=len(known),
        steps=told[place][0],
        probes=dict(_probes(frames, cells[place])),
    )


def _told(cell: pd.DataFrame, courses: Mapping[str, pd.DataFrame]) -> tuple[tuple[float, ...], float]:
    """Return median steps to each share over the seeds, and the median last gap over the first."""
    runs = [
        _reached(courses.get(str(row["key"])) if row["status"] == Status.OK else None)
        for row in cell[["key", "status"]].to_dict("records")
    ]
    steps = tuple(median(run[0][place] for run in runs) for place in range(len(SHARES)))
    return steps, median(run[1] for run in runs)


def _reached(course: pd.DataFrame | None) -> tuple[tuple[float, ...], float]:
    if course is None:
        return (math.inf,) * len(SHARES), math.inf
    course = course.sort_values("step", kind="stable")
    shares = course["value"] / course["value"].iloc[0]
    first = [course["step"][shares <= share] for share in SHARES]
    last = float(shares.iloc[-1])
    steps = tuple(float(found.iloc[0]) if len(found) else math.inf for found in first)
    return steps, last if math.isfinite(last) else math.inf


def _probes(frames: Frames, cell: pd.DataFrame) -> Iterator[tuple[str, float]]:
    for name in PROBES:
        values = cell[name].dropna() if name in frames.trials else pd.Series(dtype=float)
        if len(values):
            yield name, float(values.astype("float64").median())


def _value(cell: pd.DataFrame) -> float | None:
    value = cast("Any", cell[PARAMETER].iloc[0])
    return None if pd.isna(value) else float(value)


def without_step(entry: str) -> str:
    """Return an entry's name without the parameter."""
    parts = [part.strip() for part in split_outside(entry, "|")]
    name = PARAMETER.partition(".")[2]
    refs = [Ref.parse(part) if "[" in part else None for part in parts]
    kept = [
        str(Ref(ref.name, {key: value for key, value in ref.parameters.items() if key != name}))
        if ref is not None
        else part
        for ref, part in zip(refs, parts, strict=True)
    ]
    return SEPARATOR.join(kept)

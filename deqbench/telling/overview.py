"""One row an entry over all maps of a run: how much it solves, how near the best it stays, how exact."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from deqbench.records import Status
from deqbench.statistics.failures import failures_last
from deqbench.statistics.medians import median_interval
from deqbench.statistics.profiles import ratios, share_within
from deqbench.statistics.stability import unstable
from deqbench.telling.costs import costs
from deqbench.telling.tables import MEASURED, PENDING, Frames

BUDGETS = (10, 100, 1000)
"""Map-equivalents within which problems are counted as solved."""
NEAR = 2.0
"""Factor over the best within which a solver is counted as near it."""


def solvers(frames: Frames) -> pd.DataFrame:
    """Return a row a solver, most problems solved first; a problem is a map drawn from a seed.

    Columns: ``label``; ``tried`` and ``solved``, numbers of problems; shares of the problems tried that were
    solved within ``BUDGETS`` map-equivalents (``within_10`` and so on), for the ``least`` map-equivalents of
    all, within ``NEAR`` times that (``near_work``), and within ``NEAR`` times the least seconds
    (``near_seconds``); and the median ``overhead`` of the problems solved.
    """
    work, seconds = costs(frames, "map_equivalents"), costs(frames, "solve_seconds")
    behind = ratios(work)
    table = pd.DataFrame(
        {
            "tried": work.notna().sum(),
            "solved": np.isfinite(work).sum(),
            **{f"within_{budget}": share_within(work, budget) for budget in BUDGETS},
            "least": share_within(behind, 1.0),
            "near_work": share_within(behind, NEAR),
            "near_seconds": share_within(ratios(seconds), NEAR),
            "overhead": costs(frames, "overhead").replace(np.inf, np.nan).median(),
        }
    )
    return table.sort_values(["solved", "near_work"], ascending=False, kind="stable").reset_index(
        names="label"
    )


def deciders(frames: Frames) -> list[str]:
    """Return the solvers whose leaving would reorder the others by ``near_work``."""
    return unstable(costs(frames, "map_equivalents"), NEAR)


def gradients(frames: Frames) -> pd.DataFrame:
    """Return a row a gradient, the smallest median error first; a problem is a map drawn from a seed.

    Columns: ``label``; ``tried`` and ``ok``, numbers of problems; ``error_inputs``, its ``worst``, and
    ``error_parameters``, over the problems, failures behind every number; the least ``cosine`` of either
    gradient with the exact one; and medians of the ``backward`` seconds and of the ``saved`` bytes over the
    least of the same problem.
    """
    trials = frames.trials[frames.trials["status"] != PENDING]
    seconds, saved = ratios(costs(frames, "backward_seconds")), ratios(costs(frames, "saved_bytes"))
    rows = []
    for label, group in trials.groupby("label", sort=False):
        inputs, parameters = (_ranked(group, f"error_{side}", np.inf) for side in ("inputs", "parameters"))
        cosines = [_ranked(group, f"cosine_{side}", -np.inf) for side in ("inputs", "parameters")]
        row = {
            "label": str(label),
            "tried": len(group),
            "ok": int((group["status"] == Status.OK).sum()),
            "error_inputs": median_interval(inputs).median,
            "worst": max(inputs, default=np.nan),
            "error_parameters": median_interval(parameters).median,
            "cosine": min(itertools.chain(*cosines), default=np.nan),
            "backward": _typical(seconds, str(label)),
            "saved": _typical(saved, str(label)),
        }
        rows.append(row)
    table = pd.DataFrame(rows, columns=list(_GRADIENT_COLUMNS))
    return table.sort_values("error_inputs", kind="stable").reset_index(drop=True)


_GRADIENT_COLUMNS = (
    "label",
    "tried",
    "ok",
    "error_inputs",
    "worst",
    "error_parameters",
    "cosine",
    "backward",
    "saved",
)


def _ranked(group: pd.DataFrame, name: str, worst: float) -> list[float]:
    """Return a finding of every trial, one not measured to its end as the worst; none if nobody has it."""
    if name not in group:
        return []
    measured = group["status"].isin(MEASURED)
    values = failures_last(group[name].astype("float64"), measured, higher_is_better=worst < 0)
    return [float(value) for value in values]


def _typical(table: pd.DataFrame, label: str) -> float:
    """Return the median over the problems on which there is a ratio; nan where there is none."""
    values = table[label].to_numpy(dtype="float64") if label in table else np.empty(0)
    return median_interval(values[np.isfinite(values)]).median

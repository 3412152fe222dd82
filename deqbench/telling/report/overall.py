"""The run in one table, where it is run on several maps: written from :mod:`deqbench.telling.overview`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from deqbench.telling.overview import BUDGETS, deciders, gradients, solvers
from deqbench.telling.report.numbers import number, percent, score
from deqbench.telling.tables import Frames


@dataclass(frozen=True)
class Overall:
    """A table with a row an entry.

    Attributes:
        caption: What it shows.
        head: Titles of its columns, the entry first.
        rows: Written cells, a row an entry, the best first.
        sentence: What may be concluded.
        note: How its columns are to be read.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    sentence: str
    note: str


def overall(frames: Frames) -> Overall | None:
    """Return the run in one table; None for a run on one map, and for trainings: data sets differ in kind."""
    told: Mapping[str, Callable[[Frames], Overall]] = {"equilibrium": _of_solvers, "gradient": _of_gradients}
    experiment = str(frames.suite.get("experiment"))
    if experiment not in told or frames.trials["dataset"].nunique() < 2:
        return None
    return told[experiment](frames)


def _of_solvers(frames: Frames) -> Overall:
    table = solvers(frames)
    shares = [*(f"within_{budget}" for budget in BUDGETS), "least", "near_work", "near_seconds"]
    rows = [
        (
            row["label"],
            f"{row['solved']}/{row['tried']}",
            *(percent(row[name]) for name in shares),
            number(row["overhead"]),
        )
        for row in table.to_dict("records")
    ]
    budgets = tuple(f"in {budget}" for budget in BUDGETS)
    head = ("entry", "solved", *budgets, "least", "2x work", "2x time", "overhead")
    return Overall(
        "All maps: entries by problems solved", head, tuple(rows), _about(frames, table), _SOLVER_NOTE
    )


_SOLVER_NOTE = (
    "A problem is a map drawn from a seed; shares are in percent of the problems an entry was tried on. in "
    "10, in 100, in 1000: solved within so many map-equivalents. least: for as few map-equivalents as "
    "anyone. 2x work, 2x time: within twice the fewest map-equivalents, the fewest seconds. overhead: time "
    "of a solve over that of as many bare calls, median of the problems solved."
)


def _about(frames: Frames, table: pd.DataFrame) -> str:
    problems = len(frames.trials[["dataset", "seed"]].drop_duplicates())
    solved = 0 if table.empty else int(table["solved"].max())
    if not solved:
        return f"None of the {problems} problems has been solved."
    most = table[table["solved"] == solved]["label"].tolist()
    said = f"{_listed(most)} solved the most problems: {solved} of {problems}."
    found = deciders(frames)
    if not found:
        return f"{said} The order by '2x work' stands whichever entry is left out."
    names = _listed(found)
    return f"{said} The order by '2x work' depends on the field: without {names}, others change places."


def _of_gradients(frames: Frames) -> Overall:
    table = gradients(frames)
    rows = [
        (
            row["label"],
            f"{row['ok']}/{row['tried']}",
            *(number(row[name]) for name in ("error_inputs", "worst", "error_parameters")),
            score("cosine", row["cosine"]),
            *(number(row[name]) for name in ("backward", "saved")),
        )
        for row in table.to_dict("records")
    ]
    said = "No gradient has been measured."
    if len(table):
        best = table.iloc[0]
        error = number(best["error_inputs"])
        said = f"Smallest median error of dL/dx over all maps: {error} by {best['label']}."
    return Overall(
        "All maps: entries by median error of dL/dx", _GRADIENT_HEAD, tuple(rows), said, _GRADIENT_NOTE
    )


_GRADIENT_HEAD = ("entry", "ok", "dL/dx error", "worst", "dL/dθ error", "least cosine", "backward", "saved")
_GRADIENT_NOTE = (
    "Medians over all problems, a problem being a map drawn from a seed. worst: the largest error of dL/dx. "
    "least cosine: of either gradient with the exact one. backward, saved: seconds of the backward pass and "
    "bytes kept for it, over the least of anyone on the same problem."
)


def _listed(names: list[str]) -> str:
    """Return names as a person lists them, the first three of many."""
    if len(names) > 4:
        return f"{', '.join(names[:3])} and {len(names) - 3} others"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))

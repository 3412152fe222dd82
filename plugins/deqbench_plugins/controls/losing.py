"""Solvers that must lose: one that does nothing, and one that crashes where it is hard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from deqbench.claims import Assumption, Evidence, Point
from deqbench.statistics.comparison import pairwise
from deqbench.statistics.equivalence import Rope, Verdict
from deqbench.statistics.failures import failures_last
from deqbench.statistics.paired import Measure
from deqbench_plugins.controls.reading import BY_SOLVER, of_solvers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from deqbench_plugins.controls.reading import Piece

CONTROLS = ("control-idle", "control-crash")
CALLS = Measure("map_calls", higher_is_better=False, kind="ratio")


@dataclass(frozen=True)
class IdleLoses:
    """``control-idle``: the cheapest of all, and last on every map, because the core judges residuals."""

    code: ClassVar[str] = "control-idle"
    statement: ClassVar[str] = "A solver that does nothing is ok nowhere and ranks last on every map."
    source: ClassVar[str] = "own"
    tolerance: ClassVar[float] = 1e-9

    def read(self, trials: Any, curves: Any) -> Sequence[Piece]:
        """Return a piece over all maps; none where it did not run beside others."""
        del curves
        rows = _beside_others(trials, "control-idle")
        if rows.empty:
            return ()
        idle = rows[rows["solver"] == "control-idle"]
        points = [Point(0, float((idle["status"] == "ok").sum()), 0.0)]
        believed = []
        for number, (_, group) in enumerate(rows.groupby("dataset", sort=False), 1):
            points.append(Point(number, _behind(group, failed_last=True), 0.0))
            believed.append(Point(number, _behind(group, failed_last=False), 0.0))
        return ((tuple(rows["key"]), Evidence((), tuple(points), tuple(believed), "its word is believed")),)


@dataclass(frozen=True)
class CrashLoses:
    """``control-crash``: best over what it survived, and still no winner, because failures rank last."""

    code: ClassVar[str] = "control-crash"
    statement: ClassVar[str] = (
        "A solver that crashes on hard problems beats no honest one, in the median or in a comparison."
    )
    source: ClassVar[str] = "own"
    tolerance: ClassVar[float] = 1e-9

    def read(self, trials: Any, curves: Any) -> Sequence[Piece]:
        """Return a piece over all maps together; none where it did not run beside others."""
        del curves
        rows = _beside_others(trials, "control-crash")
        if rows.empty:
            return ()
        honest = [name for name in dict.fromkeys(rows["solver"]) if name not in CONTROLS]
        wins = _improved(rows, honest)
        best = min(_median(rows, name, failed_last=True) for name in honest)
        survived = min(_median(rows, name, failed_last=False) for name in honest)
        killed = rows[(rows["solver"] == "control-crash") & (rows["status"] != "ok")]
        crashed = Assumption("crashes", len(killed), len(killed) > 0, "it crashed somewhere")
        points = (
            Point(0, float(wins), 0.0),
            Point(1, best, _median(rows, "control-crash", failed_last=True)),
        )
        control = (Point(1, survived, _median(rows, "control-crash", failed_last=False)),)
        evidence = Evidence((crashed,), points, control, "medians over survivors")
        return ((tuple(rows["key"]), evidence),)


def _beside_others(trials: pd.DataFrame, control: str) -> pd.DataFrame:
    """Return the trials of a control and of honest solvers on its maps; empty without either."""
    rows = of_solvers(trials, control)
    rows = rows[(rows["solver"] == control) | ~rows["solver"].isin(CONTROLS)]
    return rows if rows["solver"].nunique() > 1 else rows[:0]


def _improved(rows: pd.DataFrame, honest: Sequence[str]) -> int:
    """Return over how many honest solvers a comparison finds the crashing one improved."""
    found = [
        pairwise(
            rows, CALLS, rope=Rope(0.01, relative=True), entries=["control-crash", name], layout=BY_SOLVER
        )
        for name in honest
    ]
    return sum(one.verdict is Verdict.IMPROVED for family in found for one in family)


def _median(rows: pd.DataFrame, solver: str, *, failed_last: bool) -> float:
    """Return a solver's median of calls; failures infinite, or left out."""
    own = rows[rows["solver"] == solver]
    calls, ok = own["map_calls"].to_numpy(dtype="float64", na_value=float("nan")), own["status"] == "ok"
    if not failed_last:
        return float(own.loc[ok, "map_calls"].astype("float64").median())
    ranked = sorted(failures_last(calls, ok.to_numpy(), higher_is_better=False))
    return float(ranked[len(ranked) // 2])


def _behind(group: pd.DataFrame, *, failed_last: bool) -> int:
    """Return how many solvers rank behind the idle one by median calls, failures last or believed."""
    counted = group if failed_last else group.assign(status="ok")
    medians = {name: _median(counted, name, failed_last=True) for name in group["solver"].unique()}
    return sum(other > medians["control-idle"] for other in medians.values())

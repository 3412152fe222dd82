"""A planted slowdown: two per cent more work, and a sleep in each step."""

from __future__ import annotations

from dataclasses import dataclass
from math import log1p
from typing import TYPE_CHECKING, Any, ClassVar

from deqbench.claims import Assumption, Evidence, Point
from deqbench.statistics.comparison import compare
from deqbench.statistics.equivalence import Rope
from deqbench.statistics.paired import Layout, Measure, paired_differences
from deqbench_plugins.controls.reading import of_solvers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from deqbench_plugins.controls.reading import Piece

SHARE = 0.02
NARROW = 0.015
"""Half an interval at which 2% can be told from nothing; noisier seconds decide nothing."""
ALPHA = 0.05


@dataclass(frozen=True)
class TwoPerCent:
    """``control-heavier[share=0.02]`` against ``[share=0]``: found exactly in operations, then in seconds."""

    code: ClassVar[str] = "control-two-per-cent"
    statement: ClassVar[str] = (
        "A map that works 2% more is found: in operations exactly; where noise allows, in seconds (CPU time "
        "of a solve over that of as many calls without the 2%, taken in turn)."
    )
    source: ClassVar[str] = "own"
    tolerance: ClassVar[float] = 1e-9

    def read(self, trials: Any, curves: Any) -> Sequence[Piece]:
        """Return a piece for operations and one for seconds; none where the two maps did not run."""
        del curves
        if "map.share" not in trials:
            return ()
        rows = trials[(trials["map"] == "control-heavier") & trials["map.share"].isin([0.0, SHARE])]
        if rows["map.share"].nunique() < 2:
            return ()
        keys = tuple(rows["key"])
        return ((keys, _in_operations(rows)), (keys, _in_seconds(rows)))


def _in_operations(rows: pd.DataFrame) -> Evidence:
    """Return what a call of the map costs a sample more, beside one product of 2 d^2, from both sides."""
    costs = rows.pivot_table(index=["map.batch", "seed"], columns="map.share", values="map_operations")
    product = 2.0 * float(rows["map.dimension"].iloc[0]) ** 2
    extra = [float(found) for found in costs[SHARE] - costs[0.0]]
    sides = [(case, found, product) for case, found in enumerate(extra)]
    sides += [(case, product, found) for case, found in enumerate(extra)]
    covered = float(rows["operations_coverage"].min())
    return Evidence(
        (Assumption("coverage", covered, covered == 1, "every operation is counted"),),
        tuple(Point(*side) for side in sides),
        tuple(Point(case, 1.5 * product, found) for case, found in enumerate(extra)),
        "3% more in place of 2%",
    )


def _in_seconds(rows: pd.DataFrame) -> Evidence:
    """Return p against its level, and how far the estimate is from 2%; undecided where noise hides it."""
    named = rows.assign(entry=rows["map.share"].map({0.0: "plain", SHARE: "heavier"}), task=rows["map.batch"])
    cost = Measure("overhead", higher_is_better=False, kind="ratio")
    pairs = paired_differences(named, "heavier", "plain", cost, Layout(unit=("task", "seed")))
    found = compare(pairs, rope=Rope(0.0, relative=True), task="task")
    half = (found.mean.high - found.mean.low) / 2
    said = f"{found.pairs} pairs see a difference of {half:.2%}; 2% needs {NARROW:.1%}: repeat more"
    ends = f"[{found.mean.low:+.2%}, {found.mean.high:+.2%}]"
    told = f"found {found.mean.estimate:+.2%} {ends}, p = {found.test.p:.2g}"
    return Evidence(
        (Assumption("half_interval", half, half <= NARROW, f"{said} ({told})" if half > NARROW else told),),
        (
            Point(1, found.test.p, ALPHA),
            Point(2, abs(found.mean.estimate - log1p(SHARE)), SHARE),
        ),
    )


@dataclass(frozen=True)
class SleepShows:
    """``control-sleep`` against ``picard``: what it slept is in the seconds of its solves."""

    code: ClassVar[str] = "control-sleep"
    statement: ClassVar[str] = "What a solver sleeps is in the wall time of its solves, seed by seed."
    source: ClassVar[str] = "own"
    tolerance: ClassVar[float] = 0.05

    def read(self, trials: Any, curves: Any) -> Sequence[Piece]:
        """Return a piece over all seeds; none where it did not run beside picard."""
        del curves
        rows = of_solvers(trials, "control-sleep")
        rows = rows[rows["solver"].isin(["control-sleep", "picard"])]
        if rows["solver"].nunique() < 2:
            return ()
        pairs = [_pair(group) for _, group in rows.groupby(["dataset", "seed"]) if len(group) == 2]
        points = _seen(pairs, "solve_seconds")
        control = _seen(pairs, "solve_cpu_seconds")
        return ((tuple(rows["key"]), Evidence((), points, control, "CPU time in place of wall time")),)


def _pair(group: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return what both solvers cost on one map from one seed."""
    columns = ["map_calls", "solver.seconds", "solve_seconds", "solve_cpu_seconds"]
    costs = group.set_index("solver")[columns].astype("float64")
    return {str(name): dict(costs.loc[name]) for name in costs.index}


def _seen(pairs: Sequence[dict[str, dict[str, float]]], clock: str) -> tuple[Point, ...]:
    """Return what was slept against what a clock saw more of, >= 1 ns."""
    points = []
    for number, pair in enumerate(pairs):
        sleeper, plain = pair["control-sleep"], pair["picard"]
        slept = sleeper["solver.seconds"] * (sleeper["map_calls"] - 1)  # the first call is not a step
        points.append(Point(number, slept, max(sleeper[clock] - plain[clock], 1e-9)))
    return tuple(points)

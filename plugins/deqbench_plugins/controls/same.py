"""A against A: one solver under two names must not be told apart more often than the level allows."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any, ClassVar

from scipy.stats import binom

from deqbench.claims import Assumption, Evidence, Point
from deqbench.statistics.comparison import by_task
from deqbench.statistics.equivalence import Rope, Verdict
from deqbench.statistics.paired import Measure, paired_differences
from deqbench_plugins.controls.reading import BY_SOLVER, of_solvers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from deqbench_plugins.controls.reading import Piece

FIRST, SECOND = "control-twin", "picard"
ROPE = Rope(0.01, relative=True)
ALPHA = 0.05
RARE = 0.999
"""Share of runs that a right harness passes: false alarms come by chance, this many of them do not."""
SLOWER = 1.5
"""The control: the same pairs, one side multiplied by this on paper."""


@dataclass(frozen=True)
class SameTwice:
    """``control-twin`` against ``picard``: equal counts are equivalent, seconds at most alarm by chance."""

    code: ClassVar[str] = "control-same"
    statement: ClassVar[str] = (
        "The same solver under two names is equivalent in operations, and in seconds equivalent or "
        "inconclusive but for alarms at the nominal rate of 5%."
    )
    source: ClassVar[str] = "own"
    tolerance: ClassVar[float] = 1e-9

    def read(self, trials: Any, curves: Any) -> Sequence[Piece]:
        """Return a piece for operations and one for seconds; none where the two did not run."""
        del curves
        rows = of_solvers(trials, FIRST)
        if rows.empty:
            return ()
        rows = rows[rows["solver"].isin([FIRST, SECOND])]
        keys = tuple(rows["key"])
        return ((keys, _in_operations(rows)), (keys, _in_seconds(rows)))


def _in_operations(rows: pd.DataFrame) -> Evidence:
    told = _verdicts(rows, "operations")
    others = [verdict for verdict in told if verdict is not Verdict.EQUIVALENT]
    control = [verdict for verdict in _verdicts(rows, "operations", SLOWER) if verdict is Verdict.EQUIVALENT]
    return Evidence(
        (_tasks(told),),
        (Point(len(told), len(others), 0.0),),
        (Point(len(told), len(told) - len(control), 0.0),),
        f"one side {SLOWER:g} times as much",
    )


def _in_seconds(rows: pd.DataFrame) -> Evidence:
    told = _verdicts(rows, "solve_seconds")
    allowed = float(max(binom.ppf(RARE, len(told), ALPHA), 1))
    control = _alarms(_verdicts(rows, "solve_seconds", SLOWER))
    return Evidence(
        (_tasks(told),),
        (Point(len(told), _alarms(told), allowed),),
        (Point(len(told), control, allowed),),
        f"one side {SLOWER:g} times as slow",
    )


def _tasks(told: list[Verdict]) -> Assumption:
    words = ", ".join(f"{told.count(one)} {one.value}" for one in Verdict if one in told)
    return Assumption("comparisons", len(told), len(told) >= 2, f"several comparisons were made: {words}")


def _alarms(told: list[Verdict]) -> int:
    return sum(verdict in (Verdict.IMPROVED, Verdict.REGRESSED) for verdict in told)


def _verdicts(rows: pd.DataFrame, cost: str, factor: float = 1.0) -> list[Verdict]:
    """Return the verdict on each map, one side multiplied by a factor."""
    pairs = paired_differences(
        rows, FIRST, SECOND, Measure(cost, higher_is_better=False, kind="ratio"), BY_SOLVER
    )
    pairs["difference"] += log(factor)
    return [one.verdict for one in by_task(pairs, rope=ROPE).values()]

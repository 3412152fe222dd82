"""Two entries, or all pairs of entries, compared: effect and interval first, then the test, then the verdict.

Every number says what it rests on. The mean difference and its interval are over complete pairs; the
median, the test and the probability of improvement are over all pairs, failures included
(:mod:`deqbench.statistics.paired`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from deqbench.statistics.effects import Tally, cliffs_delta, tally
from deqbench.statistics.equivalence import Rope, Verdict, after_failures, verdict
from deqbench.statistics.failures import failures_last
from deqbench.statistics.hierarchical import tasks_interval
from deqbench.statistics.intervals import LEVEL, Interval
from deqbench.statistics.medians import MedianInterval, median_interval
from deqbench.statistics.multiplicity import holm
from deqbench.statistics.paired import LAYOUT, Layout, Measure, PairState, Sides
from deqbench.statistics.permutation import SignFlip, sign_flip

Decide = Literal["holm", "interval"]
"""``holm``: a difference needs p < 1 - level after Holm's correction, and an interval beyond the ROPE.
``interval``: the interval alone; for a gate over a few seeds, whose p cannot get there."""


@dataclass(frozen=True)
class Comparison:
    """What the trials of two entries say of one metric.

    Attributes:
        first: The entry that is judged.
        second: The entry it is judged against.
        measure: The metric or cost, its direction, and whether it is compared by differences or ratios.
        rope: What counts as no difference.
        states: How many pairs are in which state; together, all that both were tried on.
        mean: Over complete pairs, tasks weighing the same, and its interval; of logarithms for a ratio.
        median: Over all pairs; likewise, and infinite where it falls on a failure.
        tally: Better, tied and worse pairs.
        cliffs_delta: Dominance of the first within each task, averaged over tasks; > 0 is good for it.
        test: The sign-flip test over all pairs.
        p_holm: Its p corrected over the family; its own p for a comparison that stands alone.
        verdict: Of the first.
    """

    first: str
    second: str
    measure: Measure
    rope: Rope
    states: Mapping[PairState, int]
    mean: Interval
    median: MedianInterval
    tally: Tally
    cliffs_delta: float
    test: SignFlip
    p_holm: float
    verdict: Verdict = Verdict.INCONCLUSIVE

    @property
    def pairs(self) -> int:
        """Pairs that both were tried on, failures included."""
        return sum(self.states.values())

    @property
    def shown(self) -> Interval:
        """The mean in natural units: a difference in the metric's unit, or a ratio (geometric mean)."""
        return self.mean.through(exp) if self.measure.kind == "ratio" else self.mean

    def row(self) -> dict[str, Any]:
        """Return the comparison as one flat row: ``COLUMNS``, in natural units."""
        shown = self.shown
        natural: Callable[[float], Any] = np.exp if self.measure.kind == "ratio" else float
        median = {
            "median": self.median.median,
            "median_low": self.median.low,
            "median_high": self.median.high,
        }
        mean = ("tasks", "estimate", "low", "high", "level", "method")
        return {
            "first": self.first,
            "second": self.second,
            "value": self.measure.name,
            "kind": self.measure.kind,
            "pairs": self.pairs,
            **{state.replace(" ", "_"): count for state, count in self.states.items()},
            **{name: getattr(shown, name) for name in mean},
            **{name: float(natural(end)) for name, end in median.items()},
            **{name: getattr(self.tally, name) for name in ("better", "tied", "worse")},
            "improvement": self.tally.probability_of_improvement,
            "cliffs_delta": self.cliffs_delta,
            "p": self.test.p,
            "p_holm": self.p_holm,
            "test": self.test.method,
            "rope": str(self.rope),
            "verdict": self.verdict.value,
        }

    def decided(self, decide: Decide, p_holm: float) -> Comparison:
        """Return the comparison with its verdict, given p corrected for the family it is shown in."""
        alpha, higher = round(1 - self.mean.level, 12), self.measure.higher_is_better
        needed = p_holm if decide == "holm" else None
        found = verdict(self.mean, self.rope, higher_is_better=higher, p=needed, alpha=alpha)
        told = after_failures(
            found,
            first_failed=self.states[PairState.FIRST_FAILED],
            second_failed=self.states[PairState.SECOND_FAILED],
            pairs=self.pairs,
            significant=needed is None or needed < alpha,
        )
        return replace(self, p_holm=p_holm, verdict=told)


COLUMNS = (
    *("first", "second", "value", "kind", "pairs", *(state.replace(" ", "_") for state in PairState)),
    *("tasks", "estimate", "low", "high", "level", "method", "median", "median_low", "median_high"),
    *("better", "tied", "worse", "improvement", "cliffs_delta", "p", "p_holm", "test", "rope", "verdict"),
)


def compare(  # noqa: PLR0913  the choices that a comparison names
    pairs: pd.DataFrame,
    *,
    rope: Rope,
    task: str = "dataset",
    decide: Decide = "interval",
    level: float = LEVEL,
    resample_tasks: bool = False,
    seed: int = 0,
) -> Comparison:
    """Return what the pairs of two entries say.

    Args:
        pairs: From :func:`~deqbench.statistics.paired.paired_differences`; chosen rows of it will do.
        rope: What counts as no difference; relative for ratios, absolute for differences.
        task: Column of the tasks, each of which weighs the same in the mean.
        decide: Whether the verdict needs the test as well.
        level: Of the intervals; the test's alpha is 1 - level.
        resample_tasks: Whether other tasks of the kind are meant.
        seed: Of whatever is drawn.

    Raises:
        ValueError: The ROPE is relative and the pairs are differences, or the reverse (0 fits both).
    """
    measure: Measure = pairs.attrs["measure"]
    if rope.size and rope.relative != (measure.kind == "ratio"):
        raise ValueError(f"a ROPE of {rope} does not fit a {measure.kind}; a relative one is for ratios")
    states = pairs["state"].to_numpy(dtype="str")
    differences = pairs["difference"].to_numpy(dtype="float64")
    tasks, count = _places(pairs[task])
    complete = states == PairState.COMPLETE.value
    groups = [differences[complete & (tasks == place)] for place in range(count)]
    mean = tasks_interval(
        [group for group in groups if len(group)], level=level, resample_tasks=resample_tasks, seed=seed
    )
    test = sign_flip(differences, seed=seed)
    found = Comparison(
        first=pairs.attrs["first"],
        second=pairs.attrs["second"],
        measure=measure,
        rope=rope,
        states={state: int((states == state.value).sum()) for state in PairState},
        mean=mean,
        median=median_interval(differences, level),
        tally=tally(differences, higher_is_better=measure.higher_is_better),
        cliffs_delta=_dominance(pairs, tasks, measure),
        test=test,
        p_holm=test.p,
    )
    return found.decided(decide, test.p)


def by_task(
    pairs: pd.DataFrame, *, rope: Rope, task: str = "dataset", level: float = LEVEL, seed: int = 0
) -> dict[str, Comparison]:
    """Return the comparison on each task alone, as a forest plot shows them: task to what its pairs say.

    Args:
        pairs: As in :func:`compare`.
        rope: Likewise.
        task: Column of the tasks.
        level: Of the intervals.
        seed: Of whatever is drawn.
    """
    return {
        str(name): compare(pairs[pairs[task] == name], rope=rope, task=task, level=level, seed=seed)
        for name in dict.fromkeys(pairs[task])
    }


def as_family(comparisons: Sequence[Comparison], decide: Decide = "holm") -> list[Comparison]:
    """Return the comparisons that a reader sees side by side, with p corrected over all and verdicts anew."""
    corrected = holm([one.test.p for one in comparisons])
    return [one.decided(decide, float(p)) for one, p in zip(comparisons, corrected, strict=True)]


def table(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Return a row a comparison: ``COLUMNS``."""
    return pd.DataFrame([one.row() for one in comparisons], columns=list(COLUMNS))


def pairwise(  # noqa: PLR0913  as above, and whom
    frame: pd.DataFrame,
    measure: Measure,
    *,
    rope: Rope,
    entries: Sequence[str] | None = None,
    against: str | None = None,
    layout: Layout = LAYOUT,
    decide: Decide = "holm",
    level: float = LEVEL,
    resample_tasks: bool = False,
    seed: int = 0,
) -> list[Comparison]:
    """Return a comparison for every pair of entries, Holm's correction over all of them.

    Args:
        frame: A row a trial: the layout's columns, ``status`` and the measure's column.
        measure: What is compared.
        rope: What counts as no difference.
        entries: Who takes part, in this order; all in the frame by default.
        against: Compare each entry with this one alone, which makes the family smaller.
        layout: How the frame is read.
        decide: Whether a claimed difference needs the corrected test.
        level: Of the intervals, which are each of that level, not corrected.
        resample_tasks: Whether other tasks of the kind are meant.
        seed: Of whatever is drawn.

    Returns:
        One a pair of entries, also where they share no pair of trials (``pairs`` is 0, p is nan). Several
        metrics shown in one section are one family: put their lists together through :func:`as_family`.
    """
    names = list(dict.fromkeys(frame[layout.entry])) if entries is None else list(entries)
    couples = list(itertools.combinations(names, 2))
    if against is not None:
        couples = [(name, against) for name in names if name != against]
    sides, made = Sides.of(frame, measure, layout), []
    for first, second in couples:
        pairs = sides.pair(first, second)
        one = compare(
            pairs, rope=rope, task=layout.unit[0], level=level, resample_tasks=resample_tasks, seed=seed
        )
        made.append(one)
    return as_family(made, decide)


def _places(tasks: pd.Series[Any]) -> tuple[npt.NDArray[np.intp], int]:
    """Return each pair's task as a number, and how many tasks there are."""
    places, names = pd.factorize(tasks, sort=True)
    return np.asarray(places), len(names)


def _dominance(pairs: pd.DataFrame, tasks: npt.NDArray[np.intp], measure: Measure) -> float:
    """Return Cliff's delta in the good direction: within each task, then averaged over tasks."""
    better = measure.higher_is_better
    sides = (pairs[side].to_numpy(dtype="float64") for side in ("first", "second"))
    one, two = (failures_last(side, ~np.isnan(side), higher_is_better=better) for side in sides)
    deltas = [cliffs_delta(one[tasks == place], two[tasks == place]) for place in np.unique(tasks)]
    delta = float(np.mean(deltas)) if deltas else float("nan")
    return delta if better else -delta

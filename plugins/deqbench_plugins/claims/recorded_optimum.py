"""P10 on the records of any training: what no DELM can do better than a linear model, and where it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from deqbench.claims import Assumption, Evidence, Point
from deqbench_plugins.claims.recordings import DELM, finished, plain, unobserved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deqbench_plugins.claims.recordings import Piece, Runs

EXPLICIT = ("mlp", "unrolled", "deq-mlp")
"""Models of other classes of functions."""
NO_OPTIMUM = 1e-12
"""L* at or below this is zero: a loss cannot be below it."""
SAME = 1e-4
ENOUGH = 1e-9
"""Share of the first gap from which on a run counts as trained to its end."""


@dataclass(frozen=True)
class RecordedOptimum:
    """P10 on records: ``linear_optimum`` and ``linear_gap`` of ``linear-gap``; a network is the control."""

    code: ClassVar[str] = "P10-optimum"
    statement: ClassVar[str] = (
        "In this run: no DELM has a training loss below that of the best linear function of (x, 1)."
    )
    source: ClassVar[str] = "own; the DELM and the linear model are one class of functions."
    tolerance: ClassVar[float] = 1e-5

    def read(self, trials: Any, curves: Any) -> Sequence[Piece]:
        """Return a piece a data set, of all its DELMs; the control is the networks of the run."""
        runs = finished(trials, curves, {DELM})
        others = finished(trials, curves, set(EXPLICIT))
        control = tuple(point for other in others for point in _losses(other))
        pieces: list[Piece] = []
        for dataset in dict.fromkeys(one.dataset for one in runs):
            same = [one for one in runs if one.dataset == dataset and _losses(one)]
            if not same:
                continue
            points = tuple(point for one in same for point in _losses(one))
            optimum = max(point.quantity for point in points)
            zero = "the optimum is 0, below which no loss can be" if optimum <= NO_OPTIMUM else None
            told = Assumption("linear_optimum", optimum, holds=True, sentence="L*, the largest of the seeds")
            name = "a network in place of a DELM" if control else ""
            evidence = Evidence((plain(same[0]), told), points, control or None, name, zero)
            pieces.append((tuple(key for one in same for key in one.keys), evidence))
        return pieces or unobserved(runs, "linear optima", "linear-gap")


def _losses(runs: Runs) -> list[Point]:
    """Return optimum against loss: the loss must be the bound."""
    return [
        Point(row["step"], row["linear_optimum"], row["linear_optimum"] + row["linear_gap"])
        for rows in runs.along("linear_optimum", "linear_gap")
        for row in rows
    ]


@dataclass(frozen=True)
class RecordedWeights:
    """P10 on records: ``weight_distance`` of ``theory-rate`` at the end of runs that were long enough."""

    code: ClassVar[str] = "P10-weights"
    statement: ClassVar[str] = (
        "In this run: n > m, features of full rank and enough steps: the DELM's W is the best linear W to "
        "1e-4."
    )
    source: ClassVar[str] = "own"
    tolerance: ClassVar[float] = 1e-6

    def read(self, trials: Any, curves: Any) -> Sequence[Piece]:
        """Return a piece an entry of ``deq-linear`` that reached 1e-9 of its first gap."""
        runs = finished(trials, curves, {DELM})
        pieces: list[Piece] = []
        seen = False
        for one in runs:
            courses = one.along("weight_distance", "gap_ratio")
            seen |= bool(courses)
            reached = max((rows[-1]["gap_ratio"] for rows in courses), default=1.0)
            if reached > ENOUGH:
                continue  # not trained to its end: the claim is not about it
            points, control = (
                tuple(Point(rows[place]["step"], rows[place]["weight_distance"], SAME) for rows in courses)
                for place in (-1, 0)
            )
            long = Assumption("gap_ratio", reached, reached <= ENOUGH, "enough steps: 1e-9 of the first gap")
            pieces.append((one.keys, Evidence((plain(one), long), points, control, "before training")))
        return pieces if seen else unobserved(runs, "distances from the best W", "theory-rate")

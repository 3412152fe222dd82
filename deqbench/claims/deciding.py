"""The verdict on a claim: HOLDS, VIOLATED or INCONCLUSIVE, from its evidence alone.

A claim holds only where its assumptions are certified, its bound says something, and a control made false on
purpose is found out: a check that nothing can fail is no check.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deqbench.claims.evidence import Evidence, Point


class Outcome(StrEnum):
    """What became of a claim."""

    HOLDS = "HOLDS"
    VIOLATED = "VIOLATED"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim.

    Attributes:
        verdict: The outcome.
        worst: Largest quantity / bound over the checkpoints; NaN without any.
        margin: 1 - worst: the share of the bound that was left.
        control_worst: The same largest ratio of the control; NaN without one.
        control_fired: Whether the control was found out; None without one.
        reason: One sentence.
    """

    verdict: Outcome
    worst: float
    margin: float
    control_worst: float
    control_fired: bool | None
    reason: str


def decide(evidence: Evidence, tolerance: float) -> Verdict:
    """Return the verdict on one case of a claim.

    Args:
        evidence: What it showed.
        tolerance: By how much a ratio may pass 1 before the claim counts as broken.
    """
    worst, control_worst = _worst(evidence.points), _worst(evidence.control or ())
    fired = None if evidence.control is None else control_worst > 1 + tolerance
    open_reason = _undecidable(evidence, worst)
    if open_reason is not None:
        outcome, reason = Outcome.INCONCLUSIVE, open_reason
    elif worst > 1 + tolerance:
        outcome, reason = Outcome.VIOLATED, f"The quantity reaches {worst:.6g} of its bound."
    elif evidence.control is not None and not fired:
        said = f"The control '{evidence.control_name}' must fail and did not"
        outcome, reason = Outcome.INCONCLUSIVE, f"{said}: it reaches {control_worst:.6g}."
    else:
        control = f"; the control '{evidence.control_name}' reaches {control_worst:.4g}" if fired else ""
        outcome, reason = (
            Outcome.HOLDS,
            f"The quantity stays at or below {worst:.4g} of its bound{control}.",
        )
    return Verdict(outcome, worst, 1 - worst, control_worst, fired, reason)


def _worst(points: Iterable[Point]) -> float:
    """Return the largest ratio; NaN without points, and where one of them is not a number."""
    ratios = [point.ratio for point in points]
    if not ratios or any(math.isnan(ratio) for ratio in ratios):
        return math.nan
    return max(ratios)


def _undecidable(evidence: Evidence, worst: float) -> str | None:
    """Return why nothing can be said, or None."""
    open_ones = [one.sentence for one in evidence.assumptions if not one.holds]
    if open_ones:
        return f"Not certified: {'; '.join(open_ones)}."
    if evidence.vacuous is not None:
        return f"The bound says nothing here: {evidence.vacuous}."
    if not evidence.points:
        return "No checkpoint lies above the floor of what can be measured."
    return "A quantity or a bound is not a number: it could not be computed." if math.isnan(worst) else None

"""The experiment ``claim``: one claim examined live; a violation is checked again before it is called one."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from deqbench.claims import Evidence, Outcome, Point, Verdict, decide
from deqbench.errors import ConfigurationError
from deqbench.experiments.assembly import component
from deqbench.experiments.course import Course, Ending, finite_or_none
from deqbench.measuring.seeding import seed_everything, stream_seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deqbench.discovery.registry import Registry
    from deqbench.interfaces import LiveClaim
    from deqbench.trials import Trial

MOST_POINTS = 120
"""Checkpoints that are kept of each curve; the worst one is always among them."""


def measure(trial: Trial, registry: Registry, course: Course) -> Ending:
    """Examine a claim, noting its curves, numbers and verdict in the course.

    Args:
        trial: What to run: a claim.
        registry: Where it is found.
        course: Receives the curves and the judgement.

    Raises:
        ConfigurationError: The claim reads records only.
    """
    claim = cast("LiveClaim", component(trial, registry, "claim"))
    if not hasattr(claim, "examine"):
        raise ConfigurationError(
            f"The claim '{trial.components['claim'].name}' reads records and has no trial of its own; "
            "use deqbench claims RUN."
        )
    begun = perf_counter()
    evidence, verdict, precision = examined(claim, trial.seed)
    course.costs.update(examine_seconds=perf_counter() - begun, precision=precision)
    _note(course, evidence, verdict)
    told = judgement(claim, evidence, verdict) | {"precision": precision}
    course.judgement = told | {"reason": told["reason"] + settled(verdict.verdict, precision)}
    return Ending()


def examined(claim: LiveClaim, seed: int) -> tuple[Evidence, Verdict, int]:
    """Return evidence, verdict and the last precision: a violation must survive every finer one offered."""
    finest = int(getattr(claim, "finest", 1))
    for precision in range(finest + 1):
        seed_everything(stream_seed(seed, "claim"))
        evidence = claim.examine(seed, precision)
        verdict = decide(evidence, claim.tolerance)
        if verdict.verdict is not Outcome.VIOLATED:
            break
    return evidence, verdict, precision


def settled(outcome: Outcome, precision: int) -> str:
    """Return what a person should know of a verdict that took more than one examination; else nothing."""
    if precision == 0:
        return ""
    how = "with tolerances a hundred times tighter" if precision == 1 else "in more digits than float64"
    if outcome is Outcome.VIOLATED:
        return f" It does so {how}, too."
    return f" At first it was violated; this was found {how}."


def judgement(claim: LiveClaim, evidence: Evidence, verdict: Verdict) -> dict[str, Any]:
    """Return a verdict and what it rests on, as JSON values."""
    return {
        "claim": claim.code,
        "statement": claim.statement,
        "source": claim.source,
        "tolerance": claim.tolerance,
        "verdict": verdict.verdict.value,
        "reason": verdict.reason,
        "worst": finite_or_none(verdict.worst),
        "margin": finite_or_none(verdict.margin),
        "control": evidence.control_name,
        "control_worst": finite_or_none(verdict.control_worst),
        "control_fired": verdict.control_fired,
        "assumptions": [one.to_json() for one in evidence.assumptions],
    }


def _note(course: Course, evidence: Evidence, verdict: Verdict) -> None:
    for number, point in enumerate(thinned(evidence.points)):
        values = {"quantity": point.quantity, "bound": point.bound, "ratio": point.ratio}
        course.observe(number, point.t, 0.0, values)
    for number, point in enumerate(thinned(evidence.control or ())):
        values = {
            "control_quantity": point.quantity,
            "control_bound": point.bound,
            "control_ratio": point.ratio,
        }
        course.observe(number, point.t, 0.0, values)
    last = evidence.points[-1].t if evidence.points else 0.0
    numbers = {"worst": verdict.worst, "margin": verdict.margin, "control_worst": verdict.control_worst}
    assumed = {f"assumed_{one.name}": one.value for one in evidence.assumptions if one.value is not None}
    course.observe(len(evidence.points), last, 0.0, numbers | assumed)


def thinned(points: Sequence[Point]) -> list[Point]:
    """Return at most ``MOST_POINTS`` checkpoints, evenly taken, and the one of the largest ratio."""
    if len(points) <= MOST_POINTS:
        return list(points)
    worst = max(range(len(points)), key=lambda place: points[place].ratio)
    step = (len(points) - 1) / (MOST_POINTS - 2)
    kept = sorted({worst, *(round(step * place) for place in range(MOST_POINTS - 1))})
    return [points[place] for place in kept]

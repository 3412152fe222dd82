"""Checks of claims: evidence that its seed decides, numbers that can be judged, a control that is found out.

A live claim is examined at seed 0 three times at least: twice at precision 0, under different global
generators, and once at every finer precision that it offers. What takes long by default is checked with
smaller parameters: ``deqbench check claims/mine[seeds=2]``.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from deqbench.checks.examination import examined
from deqbench.claims import Evidence, decide
from deqbench.experiments.claim import judgement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deqbench.claims import Point

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
"""How an assumption may be called: it becomes a column, ``assumed_NAME``."""
LARGEST_TOLERANCE = 0.1
"""A claim that may be broken by more than ten per cent is another claim."""
_TRIALS = ("key", "entry", "label", "dataset", "seed", "status", "reason", "detail")
"""Columns that every run's table has; the others are those of its experiment."""
_CURVES = ("key", "dataset", "entry", "label", "seed", "step", "epoch", "seconds", "name", "value")


def declares_itself(claim: Any) -> str | None:
    """It declares a code, a statement of a sentence, its source, and a tolerance of at most a tenth."""
    for name in ("code", "statement", "source"):
        value = getattr(claim, name, None)
        if not isinstance(value, str) or not value.strip():
            return f"it has no {name}; write {name}: ClassVar[str] = ..."
    if any(letter.isspace() for letter in claim.code):
        return f"its code is '{claim.code}'; a code is a word, such as C1"
    if not claim.statement.rstrip().endswith("."):
        return "its statement does not end as a sentence does"
    tolerance = getattr(claim, "tolerance", None)
    if not isinstance(tolerance, float) or not 0 <= tolerance <= LARGEST_TOLERANCE:
        return f"its tolerance is {tolerance!r}; it must be a number from 0 to {LARGEST_TOLERANCE:g}"
    finest = getattr(claim, "finest", 1)
    return None if finest in {0, 1, 2} else f"its finest precision is {finest!r}; it must be 0, 1 or 2"


def returns_evidence(claim: Any) -> str | None:
    """It returns evidence at every precision that it offers, 0 and 1 unless it says otherwise."""
    for precision, found in enumerate(examined(claim).evidence):
        if not isinstance(found, Evidence):
            return f"at precision {precision} it returned {type(found).__name__}, not Evidence"
        for name in ("assumptions", "points", "control"):
            value = getattr(found, name)
            if not isinstance(value, tuple) and not (name == "control" and value is None):
                return f"at precision {precision} its {name} are a {type(value).__name__}, not a tuple"
    return None


def is_decided_by_its_seed(claim: Any) -> str | None:
    """The same seed gives the same evidence, to the last bit, whatever the global generators hold."""
    found = examined(claim)
    if repr(found.evidence[0]) == repr(found.again):
        return None
    names = [
        one.name
        for one in fields(Evidence)
        if repr(getattr(found.evidence[0], one.name)) != repr(getattr(found.again, one.name))
    ]
    return f"two examinations of seed 0 differ in their {', '.join(names)}"


def leaves_nothing_behind(claim: Any) -> str | None:
    """It changes no global setting and draws nothing from a global generator."""
    left = examined(claim).left
    return f"it changed {', '.join(left)}" if left else None


def points_are_numbers(claim: Any) -> str | None:
    """Every quantity is a finite number of at least 0 and every bound a finite one above 0."""
    for found in examined(claim).evidence:
        for point in found.points:
            if not math.isfinite(point.t):
                return f"a checkpoint lies at t = {point.t}"
            if not (math.isfinite(point.quantity) and point.quantity >= 0):
                return f"at t = {point.t:g} the quantity is {point.quantity}"
            if not (math.isfinite(point.bound) and point.bound > 0):
                return f"at t = {point.t:g} the bound is {point.bound}"
    return None


def assumptions_are_told(claim: Any) -> str | None:
    """Every assumption has a name of its own that can be a column, a sentence, and a finite value or none."""
    for found in examined(claim).evidence:
        names = [one.name for one in found.assumptions]
        for one in found.assumptions:
            if not NAME.fullmatch(one.name):
                return f"'{one.name}' cannot be a column; write words joined by underscores"
            if names.count(one.name) > 1:
                return f"two assumptions are called '{one.name}'"
            if not one.sentence.strip():
                return f"the assumption '{one.name}' does not say what is assumed"
            if one.value is not None and not math.isfinite(one.value):
                return f"the assumption '{one.name}' has the value {one.value}; write None instead"
    return None


def has_a_control_that_fires(claim: Any) -> str | None:
    """It has a control, named, whose quantity passes its bound."""
    found = examined(claim).evidence[0]
    if found.control is None or not found.control_name.strip():
        return "it has no control, or gives it no name: a check that nothing can fail is no check"
    verdict = decide(found, claim.tolerance)
    if verdict.control_fired:
        return None
    return f"its control '{found.control_name}' must fail and did not: it reaches {verdict.control_worst:.6g}"


def control_is_another(claim: Any) -> str | None:
    """Its control is not the claim itself: not the same quantities against the same bounds."""
    found = examined(claim).evidence[0]
    same = found.control is not None and _pairs(found.control) == _pairs(found.points)
    return "its control has the very quantities and bounds of the claim" if same else None


def _pairs(points: Sequence[Point]) -> set[tuple[float, float]]:
    return {(point.quantity, point.bound) for point in points}


def can_be_decided(claim: Any) -> str | None:
    """At every precision it can be decided, or says by an assumption or a vacuous bound why not."""
    for precision, found in enumerate(examined(claim).evidence):
        excused = found.vacuous is not None or not all(one.holds for one in found.assumptions)
        verdict = decide(found, claim.tolerance)
        if not excused and math.isnan(verdict.worst):
            return f"at precision {precision}: {verdict.reason}"
    return None


def can_be_recorded(claim: Any) -> str | None:
    """Its judgement is plain JSON."""
    found = examined(claim).evidence[0]
    json.dumps(judgement(claim, found, decide(found, claim.tolerance)), allow_nan=False)
    return None


def finds_nothing_in_empty_tables(claim: Any) -> str | None:
    """Where it reads records, it finds no evidence in a run that has none."""
    if not hasattr(claim, "read"):
        return None
    import pandas as pd  # noqa: PLC0415  for the few claims that read tables

    found = list(claim.read(pd.DataFrame(columns=_TRIALS), pd.DataFrame(columns=_CURVES)))
    return f"it found {len(found)} pieces of evidence" if found else None


CHECKS = (
    declares_itself,
    returns_evidence,
    is_decided_by_its_seed,
    leaves_nothing_behind,
    points_are_numbers,
    assumptions_are_told,
    has_a_control_that_fires,
    control_is_another,
    can_be_decided,
    can_be_recorded,
    finds_nothing_in_empty_tables,
)

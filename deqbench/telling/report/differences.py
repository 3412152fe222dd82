"""Paired comparisons as a person reads them: an effect in natural units, its interval, p and a verdict."""

from __future__ import annotations

from math import isnan

from deqbench.statistics.comparison import Comparison
from deqbench.statistics.equivalence import Rope, Verdict
from deqbench.statistics.paired import Measure, PairState
from deqbench.telling.report.numbers import NOTHING, is_share, number

VERDICTS = {
    Verdict.IMPROVED: "better",
    Verdict.REGRESSED: "worse",
    Verdict.EQUIVALENT: "equivalent",
    Verdict.INCONCLUSIVE: "inconclusive",
}
"""Of the first entry, beside the second."""


def gap(measure: Measure, value: float) -> str:
    """Return a difference or a ratio, without its unit: ``+1.02`` (points), ``0.83`` (times)."""
    if isnan(value):
        return NOTHING
    if measure.kind == "ratio":
        return number(value)
    if is_share(measure.name):
        return f"{100 * value:+.2f}"
    if any(word in measure.name for word in ("r2", "cosine")):
        return f"{value:+.4f}"
    return f"+{number(value)}" if value > 0 else number(value)


def unit(measure: Measure) -> str:
    """Return what follows a written gap: `` points``, `` times`` or nothing."""
    if measure.kind == "ratio":
        return " times"
    return " points" if is_share(measure.name) else ""


def effect(one: Comparison) -> str:
    """Return the mean over complete pairs with its interval: ``+1.02 points [-1.09, +3.14]``."""
    shown = one.shown
    if isnan(shown.estimate):
        return NOTHING
    return f"{gap(one.measure, shown.estimate)}{unit(one.measure)}{spread(one)}"


def spread(one: Comparison) -> str:
    """Return the interval with a space before it; nothing where there is none."""
    shown = one.shown
    return f" [{gap(one.measure, shown.low)}, {gap(one.measure, shown.high)}]" if shown.known else ""


def p_value(value: float) -> str:
    """Return a p to two digits; ``< 0.0001`` below that, a dash where there was no test."""
    if isnan(value):
        return NOTHING
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def rope(measure: Measure, given: Rope) -> str:
    """Return what counts as no difference: ``1%``, ``1 point``, ``0.01``."""
    if given.relative:
        return str(given)
    if is_share(measure.name):
        size = f"{100 * given.size:g}"
        return f"{size} point" if size == "1" else f"{size} points"
    return number(given.size)


def pairs(one: Comparison) -> str:
    """Return how many pairs, and which a failure spoiled: ``3 pairs, 1 failed by linear/gd``."""
    told = [f"{one.pairs} pair{'' if one.pairs == 1 else 's'}"]
    for state, who in (
        (PairState.FIRST_FAILED, f"by {one.first}"),
        (PairState.SECOND_FAILED, f"by {one.second}"),
        (PairState.BOTH_FAILED, "by both"),
    ):
        told += [f"{one.states[state]} failed {who}"] * bool(one.states[state])
    return ", ".join(told)


def failed(one: Comparison) -> str:
    """Return how many pairs a failure spoiled, for a table's cell: ``first 1, both 2``, or ``0``."""
    states = {
        "first": PairState.FIRST_FAILED,
        "second": PairState.SECOND_FAILED,
        "both": PairState.BOTH_FAILED,
    }
    found = [f"{who} {one.states[state]}" for who, state in states.items() if one.states[state]]
    return ", ".join(found) or "0"


def told(one: Comparison) -> str:
    """Return the whole: ``+1.02 points [-1.09, +3.14] (3 pairs, Holm p = 1): inconclusive``."""
    verdict = VERDICTS[one.verdict]
    if one.verdict is Verdict.EQUIVALENT:
        verdict += f" within {rope(one.measure, one.rope)}"
    found = effect(one)
    if found == NOTHING:
        found = "no pair that both finished"
    elif not one.mean.known:
        found += ", no interval"
    p = "" if isnan(one.p_holm) else f", Holm p {'' if one.p_holm < 1e-4 else '= '}{p_value(one.p_holm)}"
    return f"{found} ({pairs(one)}{p}): {verdict}"

"""An answer in words and a table for a terminal: it fits 100 columns and needs no colour."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from math import isfinite
from typing import TYPE_CHECKING

from deqbench.statistics.equivalence import Verdict
from deqbench.statistics.power import can_reach, pairs_needed

if TYPE_CHECKING:
    from deqbench.comparing.answer import Answer
    from deqbench.statistics.comparison import Comparison

_GAP = "  "
_HEAD = ("", "pairs", "", "interval", "p (Holm)", "verdict")
_LONGEST = 44


def lines(answer: Answer, *, width: int, strict: bool) -> Iterator[str]:
    """Yield what is printed.

    Args:
        answer: What the two runs say.
        width: Columns of the terminal.
        strict: Whether inconclusive is a failure.
    """
    first, second = answer.names
    yield f"{second} beside {first}, paired by data set, entry and seed"
    for overall in answer.overall:
        metric = overall.measure.name
        groups = [one for one in answer.groups if one.compared.measure.name == metric]
        yield ""
        yield from _wrapped(_told(overall, first, second), width)
        grounds = {one.dataset for one in groups}
        named = [f"{one.dataset}: {one.label}" if len(grounds) > 1 else one.label for one in groups]
        rows = [(name, *_cells(one.compared)) for name, one in zip(named, groups, strict=True)]
        yield from _table([*rows, ("over all", *_cells(overall))], overall)
    yield ""
    for said in _remarks(answer):
        yield from _wrapped(said, width)
    code = answer.exit_code(strict=strict)
    told = _VERDICTS[answer.verdict].format(first=first, second=second)
    yield f"Verdict: {told}" + (f" (exit {code})" if code else "")


_VERDICTS = {
    Verdict.IMPROVED: "{second} improved on {first}.",
    Verdict.REGRESSED: "{second} regressed beside {first}.",
    Verdict.EQUIVALENT: "{second} is equivalent to {first}.",
    Verdict.INCONCLUSIVE: "inconclusive: {second} is shown neither to differ from {first} nor to equal it.",
}


def _told(overall: Comparison, first: str, second: str) -> str:
    more = "more" if overall.measure.higher_is_better else "less"
    what = f"{second} / {first}" if overall.measure.kind == "ratio" else f"{second} - {first}"
    return (
        f"{overall.measure.name} ({more} is better): {what}, with {overall.mean.level:.0%} intervals; no "
        f"difference is within {overall.rope}"
    )


def _cells(one: Comparison) -> tuple[str, ...]:
    shown = one.shown
    interval = f"[{_number(shown.low)}, {_number(shown.high)}]" if shown.known else "none"
    states = one.row()
    failed = ", ".join(
        f"{states[name]} {word}"
        for name, word in (
            ("first_failed", "broken"),
            ("second_failed", "mended"),
            ("both_failed", "failed twice"),
        )
        if states[name]
    )
    verdict = f"{one.verdict.value} ({failed})" if failed else one.verdict.value
    return str(one.pairs), _number(shown.estimate), interval, _p(one.p_holm), verdict


def _table(rows: list[tuple[str, ...]], overall: Comparison) -> Iterator[str]:
    head = list(_HEAD)
    head[2] = overall.measure.kind
    cells = [tuple(head), *(_shortened(row) for row in rows)]
    sizes = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        left = row[0].ljust(sizes[0])
        middle = _GAP.join(cell.rjust(size) for cell, size in zip(row[1:-1], sizes[1:-1], strict=True))
        yield f"{_GAP}{left}{_GAP}{middle}{_GAP}{row[-1]}".rstrip()


def _shortened(row: tuple[str, ...]) -> tuple[str, ...]:
    name = row[0]
    return (name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}...", *row[1:])


def _remarks(answer: Answer) -> Iterator[str]:
    """Yield what weakens the answer, or explains it."""
    broken = [one for one in answer.groups if one.broken]
    for one in broken:
        trials = "a trial" if one.broken == 1 else f"{one.broken} trials"
        yield f"{one.label} on {one.dataset} fails {trials} that {answer.names[0]} finished."
    for count, name in zip(answer.only, answer.names, strict=True):
        if count:
            yield f"{count} trial{'s' if count > 1 else ''} in {name} alone took no part."
    for said in answer.machines:
        yield f"The machines differ: {said}."
    yield from _power(answer)


def _power(answer: Answer) -> Iterator[str]:
    """Yield why no group could be told better or worse, where the test is needed and cannot get there."""
    open_ones = [one for one in answer.groups if one.compared.verdict is Verdict.INCONCLUSIVE]
    least = min((one.compared.pairs for one in open_ones), default=0)
    family = len(answer.groups)
    if open_ones and answer.question.decide == "holm" and not can_reach(least, family):
        yield (
            f"{least} pair{'s' if least > 1 else ''} cannot reach p < .05 after Holm's correction over "
            f"{family} groups; {pairs_needed(family)} can. A group is then equivalent or inconclusive, and "
            "the line over all pools them; --decide interval judges groups by their intervals alone."
        )


def _wrapped(text: str, width: int) -> Iterator[str]:
    yield from textwrap.wrap(text, width, break_on_hyphens=False)


def _number(value: float) -> str:
    return f"{value:.4g}" if isfinite(value) else "none" if value != value else str(value)  # noqa: PLR0124  nan


def _p(value: float) -> str:
    return "none" if not isfinite(value) else f"{value:.2g}" if value >= 0.001 else "< .001"

"""A reader's questions and their answers in words: one sentence each, with its axis and interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from deqbench.statistics.equivalence import Verdict
from deqbench.telling.questions import Lead, leads
from deqbench.telling.report.differences import VERDICTS, effect, failed, p_value, rope, told
from deqbench.telling.report.numbers import (
    count,
    is_share,
    metric_title,
    milliseconds,
    number,
    operations,
    score,
)
from deqbench.telling.tables import Frames

MOST_SENTENCES = 3
"""Comparisons that a question tells one by one; more stand in a table under one sentence."""
HEAD = (
    *("on", "first", "median", "second", "median", "mean difference or ratio"),
    *("pairs", "failed", "Holm p", "verdict"),
)


@dataclass(frozen=True)
class Answer:
    """The answer to one question.

    Attributes:
        question: What is asked, with its axis: ``Best test accuracy, at equal seconds``.
        sentences: What is answered; one, or one a comparison where they are few.
        rows: Written cells under ``HEAD``, a row a data set, where they are many.
    """

    question: str
    sentences: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Answers:
    """Every question that the run answers.

    Attributes:
        answers: In the order of a reader.
        note: What the numbers are.
        head: Titles of the tables.
    """

    answers: tuple[Answer, ...]
    note: str
    head: tuple[str, ...] = HEAD


def answers_of(frames: Frames) -> Answers | None:
    """Return the answers of a run; None where there are no two entries to compare, and for claims."""
    found = leads(frames)
    if not found:
        return None
    grouped: dict[tuple[bool, str, str], list[Lead]] = {}
    for one in found:
        grouped.setdefault((one.kinds, one.axis, one.compared.measure.name), []).append(one)
    order = ("own", "operations", "seconds", "cost", "parameters")
    keys = sorted(grouped, key=lambda key: (key[0], order.index(key[1])))
    budget = _budget(frames)
    made = tuple(_answer(key, grouped[key], frames.subject.ground, budget) for key in keys)
    return Answers(made, _note(found))


def lines(answers: Answers) -> Iterator[str]:
    """Yield the sentences, each with its question before it: for a terminal."""
    for one in answers.answers:
        for sentence in one.sentences:
            yield f"{one.question}: {sentence}"


def _answer(key: tuple[bool, str, str], found: Sequence[Lead], ground: str, budget: str) -> Answer:
    kinds, axis, metric = key
    question = _QUESTIONS[axis].format(title=metric_title(metric).removesuffix(" (%)"), budget=budget)
    if kinds:
        question = f"Implicit against explicit, {_KINDS[axis].format(budget=budget)}"
    else:
        best = "Highest" if found[0].compared.measure.higher_is_better else "Lowest"
        question = f"{best} {question}"
    several = len({one.dataset for one in found}) > 1 or len(found) > MOST_SENTENCES
    if not several:
        return Answer(question, tuple(_sentence(one) for one in found))
    summary = _over_kinds(found, ground) if kinds else _over(found, ground)
    return Answer(question, (summary,), tuple(_row(one) for one in found))


_QUESTIONS: Mapping[str, str] = {
    "own": "{title}{budget}",
    "operations": "{title} at equal operations",
    "seconds": "{title} at equal training seconds",
    "parameters": "{title} at equal parameters",
    "cost": "{title}",
}
_KINDS: Mapping[str, str] = {
    "own": "best of each{budget}",
    "operations": "best of each at equal operations",
    "seconds": "best of each at equal training seconds",
    "parameters": "best of each at equal parameters",
    "cost": "best of each",
}


def _budget(frames: Frames) -> str:
    """Return what all entries were given, for the question that equals nothing else."""
    if frames.subject.ground != "data set":
        return ""
    for column, noun in (("budget.epochs", "epochs"), ("budget.steps", "updates")):
        known = frames.trials[column].dropna() if column in frames.trials else pd.Series(dtype="float64")
        found = list(known.unique())
        if len(found) == 1:
            return f", each at the end of its own run (at most {float(found[0]):g} {noun})"
    return ", each at the end of its own run"


def _sentence(one: Lead) -> str:
    metric, compared = one.compared.measure.name, one.compared
    medians = [_median(metric, value) for value in one.medians]
    told_at = f" {_amount(one)}" if one.amount else ""
    verb = "against" if one.kinds else "is level with" if medians[0] == medians[1] else "is ahead of"
    who = f"{compared.first} (median {medians[0]}) {verb} {compared.second} ({medians[1]})"
    left = f" Not counted, so left out: {', '.join(one.left_out)}." if one.left_out else ""
    return f"on {one.dataset}{told_at}, {who}: {told(compared)}.{left}"


def _median(metric: str, value: float) -> str:
    if "seconds" in metric:
        return f"{milliseconds(value)} ms"
    return f"{score(metric, value)}%" if is_share(metric) and abs(value) <= 1 else score(metric, value)


def _amount(one: Lead) -> str:
    if one.axis == "seconds":
        return f"after {number(one.amount[0])} s"
    if one.axis == "operations":
        return f"after {operations(one.amount[0])} operations"
    low, high = (count(end) for end in one.amount)
    return f"with {low if low == high else f'{low} to {high}'} parameters ({one.entries} entries)"


def _over(found: Sequence[Lead], ground: str) -> str:
    """Return what several data sets say together."""
    places = len({one.dataset for one in found})
    where = f"{places} {ground}s" if places > 1 else f"{len(found)} groups of entries"
    first = Counter(one.compared.first for one in found).most_common()
    most = [f"{label} on {times}" for label, times in first[:3]]
    rest = len(first) - 3
    more = f" and {rest} other{'s' if rest > 1 else ''}" if rest > 0 else ""
    verdicts = Counter(one.compared.verdict for one in found)
    sure = verdicts[Verdict.IMPROVED]
    same = verdicts[Verdict.EQUIVALENT]
    verb, unsure = "is" if len(first) == 1 else "are", len(found) - sure - same
    return (
        f"over {where}, ahead {verb} {', '.join(most)}{more}; of these leads over the runner-up {sure} "
        f"stand by interval and Holm p, {same} are within {_rope(found[0])}, {unsure} are inconclusive."
    )


def _over_kinds(found: Sequence[Lead], ground: str) -> str:
    verdicts = Counter(one.compared.verdict for one in found)
    said = [
        f"{name} on {verdicts[verdict]}"
        for verdict, name in (
            (Verdict.IMPROVED, "implicit is better"),
            (Verdict.REGRESSED, "explicit is better"),
            (Verdict.EQUIVALENT, f"they are within {_rope(found[0])}"),
            (Verdict.INCONCLUSIVE, "it is inconclusive"),
        )
        if verdicts[verdict]
    ]
    ahead = sum(_implicit_ahead(one) for one in found)
    places = len({one.dataset for one in found})
    where = f"{places} {ground}s" if places > 1 else f"{len(found)} groups of entries"
    return f"over {where}, implicit has the better median on {ahead}; {', '.join(said)}."


def _implicit_ahead(one: Lead) -> bool:
    first, second = one.medians
    return first > second if one.compared.measure.higher_is_better else first < second


def _rope(one: Lead) -> str:
    return rope(one.compared.measure, one.compared.rope)


def _row(one: Lead) -> tuple[str, ...]:
    compared, metric = one.compared, one.compared.measure.name
    place = f"{one.dataset} {_amount(one)}" if one.amount else one.dataset
    medians = [_median(metric, value) for value in one.medians]
    counts = (str(compared.pairs), failed(compared))
    last = (effect(compared), *counts, p_value(compared.p_holm), VERDICTS[compared.verdict])
    return (place, compared.first, medians[0], compared.second, medians[1], *last)


_PAIRS = (
    "A pair is two entries on the same data under the same seed. The mean difference (or geometric mean "
    "ratio) of the pairs that both finished stands with its 95% interval; the test is the sign-flip test "
    "over all pairs, failures included; Holm's correction runs over the {count} comparisons of this "
    "section. Better or worse: p < 0.05 and an interval beyond {rope}; equivalent: an interval within it; "
    "else inconclusive. Who is ahead, and of whom, is chosen by the medians of these same trials: a lead by "
    "luck looks like a lead."
)


def _note(found: Sequence[Lead]) -> str:
    axes = {one.axis for one in found}
    same = _rope(found[0])
    said = [_PAIRS.format(count=len(found), rope=same)]
    if axes & {"seconds", "operations"}:
        said.append(
            "At equal seconds or operations: the metric's last value at or before the smallest total of any "
            "successful trial on that data set, nothing read beyond a trial's last evaluation; a trial that "
            "failed has failed at every budget."
        )
    if "operations" in axes:
        said.append("Operations are spread evenly over a trial's updates.")
    if "parameters" in axes:
        said.append("Parameters are equal within 2% of a common middle.")
    return " ".join(said)

"""Did the second run get better or worse than the first: per trial group, and over all of them.

A trial group is an entry on a data set; its pairs are its seeds, which both runs share. The second run is
judged against the first. Over all groups, every group weighs the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from deqbench.comparing.comparability import conflicts, environment_differences, machine_bound
from deqbench.errors import ConfigurationError, IncomparableError, did_you_mean
from deqbench.statistics.comparison import Comparison, Decide, as_family, compare
from deqbench.statistics.equivalence import Rope, Verdict
from deqbench.statistics.failures import higher_is_better
from deqbench.statistics.paired import Layout, Measure, PairState, paired_differences
from deqbench.telling.tables import MEASURED, primary_metric, summed

if TYPE_CHECKING:
    from deqbench.telling.tables import Frames

GROUP = "group"
_KEYS = ["dataset", "entry", "seed"]


@dataclass(frozen=True)
class Question:
    """What is asked of two runs.

    Attributes:
        rope: What counts as no difference.
        metrics: Columns to compare; each data set's primary metric if none is named.
        decide: Whether a verdict needs the sign-flip test after Holm's correction, or the interval alone.
        any_machine: Compare times and memory though the machines differ.
    """

    rope: Rope
    metrics: tuple[str, ...] = ()
    decide: Decide = "holm"
    any_machine: bool = False


@dataclass(frozen=True)
class Group:
    """One entry on one data set, by one metric.

    Attributes:
        dataset: The data set or map.
        entry: The entry, whole.
        label: The entry in short.
        compared: What its seeds say of the second run.
    """

    dataset: str
    entry: str
    label: str
    compared: Comparison

    @property
    def broken(self) -> int:
        """Pairs that the second run alone failed."""
        return self.compared.states[PairState.FIRST_FAILED]


@dataclass(frozen=True)
class Answer:
    """What two runs, compared, say.

    Attributes:
        names: What a person calls them, the judged one second.
        question: What was asked.
        groups: A comparison a metric and trial group, Holm's correction over all of them.
        overall: One a metric over all its groups, corrected over the metrics.
        only: Trials that one run alone holds.
        machines: How the machines differ.
    """

    names: tuple[str, str]
    question: Question
    groups: tuple[Group, ...]
    overall: tuple[Comparison, ...]
    only: tuple[int, int]
    machines: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """The whole in a word: regressed if anything is or fails anew, else what the overall verdicts are."""
        every = [one.compared.verdict for one in self.groups] + [one.verdict for one in self.overall]
        if Verdict.REGRESSED in every or any(one.broken for one in self.groups):
            return Verdict.REGRESSED
        overall = {one.verdict for one in self.overall}
        if Verdict.INCONCLUSIVE in overall:
            return Verdict.INCONCLUSIVE
        return Verdict.IMPROVED if Verdict.IMPROVED in overall else Verdict.EQUIVALENT

    def exit_code(self, *, strict: bool) -> int:
        """Return 0, 3 if the second run regressed, 4 if that cannot be told and it must be."""
        if self.verdict is Verdict.REGRESSED:
            return 3
        return 4 if strict and self.verdict is Verdict.INCONCLUSIVE else 0


def answer(first: Frames, second: Frames, names: tuple[str, str], question: Question) -> Answer:
    """Return what the second run is beside the first.

    Raises:
        IncomparableError: They answer different questions, or share no trial.
        ConfigurationError: A metric is unknown.
    """
    found = conflicts(first, second, names)
    machines = environment_differences(first, second)
    places = _metrics(first, question.metrics)
    if machines and not question.any_machine:
        found += [
            f"{metric} depends on the machine, and {said}"
            for metric in places
            if machine_bound(metric)
            for said in machines
        ]
    shared, only = _shared(first, second)
    if found or not shared:
        said = "; ".join(found) or "they share no trial of the same data set, entry and seed"
        raise IncomparableError(f"{names[0]} and {names[1]} cannot be compared: {said}.")
    groups: list[Group] = []
    overall = []
    for metric, datasets in places.items():
        table = _joined(first, second, metric, datasets)
        measure, rope = _measure(table, metric, question.rope)
        if table.empty:
            continue
        groups += _groups(table, measure, rope)
        overall.append(compare(_pairs(table, measure), rope=rope, task=GROUP))
    corrected = as_family([one.compared for one in groups], question.decide)
    groups = [
        Group(one.dataset, one.entry, one.label, compared)
        for one, compared in zip(groups, corrected, strict=True)
    ]
    return Answer(
        names, question, tuple(groups), tuple(as_family(overall, question.decide)), only, tuple(machines)
    )


def _metrics(frames: Frames, wanted: Sequence[str]) -> dict[str, list[str]]:
    """Return the metrics to compare, each with the data sets it is compared on."""
    datasets = list(dict.fromkeys(frames.trials["dataset"]))
    numeric = [str(name) for name in frames.trials.select_dtypes("number") if name not in _KEYS]
    if wanted:
        known = [*numeric, *frames.subject.scores, *frames.subject.numbers]
        for name in wanted:
            if name not in known or summed(frames.trials, name).isna().all():
                raise ConfigurationError(
                    f"No trial has a metric or cost '{name}'.{did_you_mean(name, known)} trials.csv of the "
                    "run lists them all."
                )
        return dict.fromkeys(wanted, datasets)
    primary: dict[str, list[str]] = {}
    for dataset in datasets:
        primary.setdefault(primary_metric(frames, dataset), []).append(dataset)
    return primary


def _shared(first: Frames, second: Frames) -> tuple[int, tuple[int, int]]:
    held = [set(one.trials[_KEYS].itertuples(index=False, name=None)) for one in (first, second)]
    return len(held[0] & held[1]), (len(held[0] - held[1]), len(held[1] - held[0]))


def _joined(first: Frames, second: Frames, metric: str, datasets: Sequence[str]) -> pd.DataFrame:
    """Return the trials of both runs that have this metric, under ``side`` first and second."""
    finding = metric in first.subject.findings
    parts = []
    for side, frames in (("first", first), ("second", second)):
        trials = frames.trials[frames.trials["dataset"].isin(datasets)]
        status = trials["status"].where(~trials["status"].isin(MEASURED) | (not finding), "ok")
        table = trials[[*_KEYS, "label"]].assign(side=side, status=status)
        table[metric] = summed(trials, metric)
        parts.append(table)
    table = pd.concat(parts, ignore_index=True)
    table[GROUP] = table["dataset"] + " | " + table["entry"]
    measured = table.groupby(GROUP)[metric].transform(lambda values: values.notna().any())
    return table[measured.astype(bool)]


def _measure(table: pd.DataFrame, metric: str, rope: Rope) -> tuple[Measure, Rope]:
    """Return how a metric is compared: by ratios under a relative ROPE, if it is positive throughout.

    A relative ROPE of a metric with values <= 0 is read as that share of the first run's median size.
    """
    better, values = higher_is_better(metric), table[metric].dropna()
    if rope.relative and (values > 0).all():
        return Measure(metric, better, "ratio"), rope
    if rope.relative:
        size = table.loc[table["side"] == "first", metric].abs().median()
        rope = Rope(rope.size * float(size) if size == size else 0.0)  # noqa: PLR0124  nan where all failed
    return Measure(metric, better), rope


def _groups(table: pd.DataFrame, measure: Measure, rope: Rope) -> Iterator[Group]:
    for (dataset, entry), rows in table.groupby(["dataset", "entry"], sort=False):
        pairs = _pairs(rows, measure)
        if len(pairs):
            compared = compare(pairs, rope=rope, task=GROUP)
            yield Group(str(dataset), str(entry), str(rows["label"].iloc[0]), compared)


def _pairs(table: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """Return the pairs of the two sides; what is judged, the second run, is the first side of a pair."""
    return paired_differences(table, "second", "first", measure, Layout(entry="side", unit=(GROUP, "seed")))

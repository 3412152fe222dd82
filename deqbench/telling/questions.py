"""Who leads on each data set, by how much, and at equal cost in what: the comparisons that answer a reader.

Each is one paired comparison of a leader with its runner-up, or of the best implicit with the best explicit
entry. Holm's correction runs over all of them, for a reader sees them side by side. Leader and runner-up are
chosen by the medians of the same trials that are then compared; a leader by luck is not made safer by that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from deqbench.statistics.comparison import Comparison, as_family
from deqbench.telling.contests import Contest, contest
from deqbench.telling.equal_budgets import (
    CLOCKS,
    at_equal_cost,
    equal_sizes,
    parameters_of,
    with_operations,
)
from deqbench.telling.tables import Frames

MOST_SIZES = 3
"""Groups of entries of equal size that are told of a data set."""
_COSTS = ("operations",)
"""Costs, beside the seconds of its subject, by which an experiment on maps is asked as well."""


@dataclass(frozen=True)
class Lead:
    """One comparison that answers a question.

    Attributes:
        dataset: The data set or map.
        axis: What is equal: ``own`` (each at the end of its own budget), ``seconds``, ``operations`` or
            ``parameters``; or ``cost``, where another cost is the metric.
        kinds: Whether the two are the best implicit and the best explicit entry, not leader and runner-up.
        amount: What was spent by both, or their least and greatest number of parameters; nothing for ``own``.
        entries: How many entries took part.
        medians: Of the two.
        compared: The first against the second.
        left_out: Entries that could not take part, for nobody counted what is equal.
    """

    dataset: str
    axis: str
    kinds: bool
    amount: tuple[float, ...]
    entries: int
    medians: tuple[float, float]
    compared: Comparison
    left_out: tuple[str, ...] = ()


_Asked = tuple[str, tuple[float, ...], Contest | None, tuple[str, ...]]
"""An axis, its amount, who contests it, and who was left out."""


def leads(frames: Frames) -> tuple[Lead, ...]:
    """Return the comparisons of a run, with p corrected over all of them; none for a run of claims."""
    if frames.about_claims:
        return ()
    made = list(_every(frames))
    family = as_family([one.compared for one in made])
    return tuple(replace(one, compared=each) for one, each in zip(made, family, strict=True))


def implicit_labels(frames: Frames) -> frozenset[str]:
    """Return the entries that train an implicit model: those that have a solver for its equilibrium."""
    trials = frames.trials
    if frames.subject.ground != "data set" or "solver" not in trials:
        return frozenset()
    return frozenset(map(str, trials.loc[trials["solver"].notna(), "label"]))


def _every(frames: Frames) -> Iterator[Lead]:
    implicit, training = implicit_labels(frames), frames.subject.ground == "data set"
    curves = with_operations(frames) if training else None
    for dataset in map(str, dict.fromkeys(frames.trials["dataset"])):
        asked: list[_Asked] = [("own", (), contest(frames, dataset), ())]
        if curves is None:
            asked += _costs(frames, dataset)
        else:
            asked += [*_equal_costs(frames, curves, dataset), *_sizes(frames, dataset)]
        for axis, amount, one, left_out in asked:
            if one is not None and one.decided:
                for lead in _of(one, axis, amount, implicit):
                    yield replace(lead, left_out=left_out)


def _of(one: Contest, axis: str, amount: tuple[float, ...], implicit: frozenset[str]) -> Iterator[Lead]:
    yield _lead(one, axis, amount, one.order[:2], kinds=False)
    sides = ([label for label in one.order if (label in implicit) is kind] for kind in (True, False))
    best = [side[0] for side in sides if side and np.isfinite(one.medians[side[0]])]
    if implicit and len(best) == 2:
        yield _lead(one, axis, amount, best, kinds=True)


def _lead(one: Contest, axis: str, amount: tuple[float, ...], pair: Sequence[str], *, kinds: bool) -> Lead:
    first, second = pair
    medians = (one.medians[first], one.medians[second])
    compared = one.compare(first, second)
    return Lead(one.dataset, axis, kinds, amount, len(one.medians), medians, compared)


def _costs(frames: Frames, dataset: str) -> Iterator[_Asked]:
    """Yield the contests by other costs of a solve: whoever needs fewest calls may be slow."""
    for cost in (frames.subject.seconds, *_COSTS):
        yield "cost", (), contest(frames, dataset, cost), ()


def _equal_costs(frames: Frames, curves: pd.DataFrame, dataset: str) -> Iterator[_Asked]:
    for clock in CLOCKS:
        made = at_equal_cost(frames, curves, dataset, clock)
        if made is not None:
            yield clock, (made.budget,), made.contest, made.left_out


def _sizes(frames: Frames, dataset: str) -> Iterator[_Asked]:
    parameters = parameters_of(frames, dataset)
    groups = equal_sizes(parameters)
    if len(groups) == 1 and len(groups[0]) == len(parameters):
        return  # all are of one size: the first question has answered it
    for group in groups[:MOST_SIZES]:
        sizes = [parameters[label] for label in group]
        yield "parameters", (min(sizes), max(sizes)), contest(frames, dataset, among=group), ()

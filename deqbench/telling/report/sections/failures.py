"""Every trial that failed, alike ones together; and, where a miss is a finding, every map that was missed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deqbench.telling.report.failures import Failure, Miss
from deqbench.telling.report.markdown import code, table
from deqbench.telling.report.sections.section import Section, Story

MOST = 200
"""Failures told in full; a run of which everything failed would tell nothing else."""
_MISSES = ("map", "entry", "seeds", "ended", "reason of the first")


@dataclass(frozen=True)
class Group:
    """Trials that failed alike: same status, same reason and last line but for numbers in them.

    Attributes:
        first: One of them, told in full: status, signal or exit code, reason, last lines.
        members: All of them, in the order of the suite.
    """

    first: Failure
    members: tuple[Failure, ...]

    @property
    def alone(self) -> bool:
        """Whether only one trial failed so."""
        return len(self.members) == 1

    @property
    def where(self) -> str:
        """Which trials: the name and seed of one, or their number."""
        if self.alone:
            return f"{self.first.name}, seed {self.first.seed}"
        names = len({one.name for one in self.members})
        entries = self.first.name if names == 1 else f"{names} entries"
        return f"{len(self.members)} trials of {entries}"

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The members as cells: trial, seed, reason, key."""
        return [(one.name, str(one.seed), one.reason or one.meaning, one.key) for one in self.members]


@dataclass(frozen=True)
class Failures:
    """What did not end well.

    Attributes:
        head: Titles of the misses.
        misses: Maps that an entry missed.
        groups: The trials that failed, the first ``MOST``, alike ones together.
        untold: How many more there are.
    """

    head: tuple[str, ...]
    misses: tuple[Miss, ...]
    groups: tuple[Group, ...]
    untold: int

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The misses as cells."""
        return [(one.dataset, one.label, one.seeds, one.status, one.reason) for one in self.misses]


def build(story: Story) -> Failures:
    """Return what did not end well."""
    found = story.content.failures
    return Failures(_MISSES, story.content.misses, tuple(_groups(found[:MOST])), max(0, len(found) - MOST))


def _groups(failures: Sequence[Failure]) -> Iterator[Group]:
    alike: dict[tuple[str, ...], list[Failure]] = {}
    for one in failures:
        last = one.detail.strip().rpartition("\n")[2]
        said = tuple(_NUMBERS.sub("#", text) for text in (one.reason, last))
        alike.setdefault((one.status, *said), []).append(one)
    yield from (Group(members[0], tuple(members)) for members in alike.values())


_NUMBERS = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
"""What may differ between failures that are alike: a step, a size, an address."""


def markdown(it: Failures) -> Iterator[str]:
    """Yield the same as Markdown."""
    if it.misses:
        yield from ("### Missed tolerances", "")
        yield from table(it.head, [(code(row[0]), code(row[1]), *row[2:]) for row in it.rows])
        yield from ("", "### Failed trials", "")
    if not it.groups:
        yield "No failures."
        return
    failures = [one for group in it.groups for one in group.members]
    rows = [(code(one.name), str(one.seed), one.status, one.reason, code(one.key)) for one in failures]
    yield from table(("trial", "seed", "status", "reason", "key"), rows)
    if it.untold:
        yield from ("", f"And {it.untold} more, in trials.csv.")


SECTION = Section("failures", "Failures", build, markdown)

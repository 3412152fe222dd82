"""What each entry cost, a table a data set or map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from deqbench.telling.report.sections.section import Section, Story
from deqbench.telling.report.sections.verdict import ranked
from deqbench.telling.report.standings import Standings, standings


@dataclass(frozen=True)
class Entries:
    """The entries of every data set or map.

    Attributes:
        note: How the costs are to be read.
        standings: The tables.
        folded: Whether there are so many that each but the first is folded.
    """

    note: str
    standings: tuple[Standings, ...]
    folded: bool


def build(story: Story) -> Entries | None:
    """Return the entries; None for a run of claims."""
    content = story.content
    if story.frames.about_claims:
        return None
    made = standings(story.frames, content.rankings, "entries")
    return Entries(content.note, made, content.overall is not None)


def markdown(it: Entries) -> Iterator[str]:
    """Yield the tables that the verdict has not told, and how to read all of them."""
    if it.folded:
        for one in it.standings:
            yield from ranked(one.ranking)
    yield it.note


SECTION = Section("entries", "Entries", build, markdown)

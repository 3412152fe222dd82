"""What may be concluded, in a sentence a data set or map, and the entries in their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from deqbench.telling.report.claims import HEAD, Judged
from deqbench.telling.report.markdown import code, table
from deqbench.telling.report.overall import Overall
from deqbench.telling.report.rankings import Ranking
from deqbench.telling.report.sections.section import Section, Story
from deqbench.telling.report.standings import Standings, standings


@dataclass(frozen=True)
class Verdict:
    """What a run allows one to say: of claims, of all maps together, or of each data set.

    Attributes:
        head: Titles of the table of claims.
        judged: The claims; of an experiment that judges none, those its suite names.
        overall: All maps in one table, for a run on several.
        standings: The entries of each data set; none where one of the others tells it.
        coverage: What the intervals are.
    """

    head: tuple[str, ...]
    judged: tuple[Judged, ...]
    overall: Overall | None
    standings: tuple[Standings, ...]
    coverage: str


def build(story: Story) -> Verdict:
    """Return what may be concluded."""
    content = story.content
    told = content.overall is not None or story.frames.about_claims
    lead = () if told else standings(story.frames, content.rankings, "verdict", leading=True)
    return Verdict(HEAD, content.judged, content.overall, lead, content.coverage)


def markdown(it: Verdict) -> Iterator[str]:
    """Yield the same as Markdown; the detail of claims follows here, for nothing links to it."""
    if it.judged:
        yield from table(it.head, [one.row for one in it.judged])
        yield ""
    if it.overall is not None:
        yield from ("### All maps", "", it.overall.sentence, "")
        yield from table(it.overall.head, [(code(row[0]), *row[1:]) for row in it.overall.rows])
        yield from ("", it.overall.note, "")
    for one in it.standings:
        yield from ranked(one.ranking)
    yield it.coverage


def ranked(ranking: Ranking) -> Iterator[str]:
    """Yield one data set's entries, with all their costs, as Markdown."""
    yield from (f"### {ranking.dataset}", "", ranking.sentence, "")
    spread, failures = (["interval"] if ranking.intervals else []), (["failures"] if ranking.failures else [])
    head = ("entry", ranking.metric, *spread, *ranking.cost_titles, "ok", *failures)
    rows = [
        (code(one.label), one.score)
        + (one.score_interval,) * len(spread)
        + (*one.costs.values(), one.ok)
        + (one.failures,) * len(failures)
        for one in ranking.standings
    ]
    yield from table(head, rows)
    yield ""


SECTION = Section("verdict", "Verdict", build, markdown)

"""A run's report as Markdown, for a repository or an issue: the same words and numbers as the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deqbench.telling.pictures import Picture
from deqbench.telling.report.claims import HEAD
from deqbench.telling.report.content import Content
from deqbench.telling.report.failures import Failure, Miss
from deqbench.telling.report.judging import markdown_of
from deqbench.telling.report.overall import Overall
from deqbench.telling.report.rankings import Ranking


def markdown(content: Content, pictures: Sequence[Picture]) -> str:
    """Return the report as GitHub-flavoured Markdown; figures are linked as ``figures/<name>.svg``."""
    return "\n".join(_lines(content, pictures)) + "\n"


def _lines(content: Content, pictures: Sequence[Picture]) -> Iterator[str]:
    yield from (
        (f"# {content.title}", "", content.description, "")
        if content.description
        else (f"# {content.title}", "")
    )
    yield from (f"**{content.outcome}.**", "")
    yield from (f"> {caution}  " for caution in content.cautions)
    yield from ("", "## Verdict", "")
    if content.judged:
        yield from _table(HEAD, [one.row for one in content.judged])
        yield ""
        yield from markdown_of(content.judged)
    if content.overall is not None:
        yield from _overall(content.overall)
    for ranking in content.rankings:
        yield from _ranking(ranking)
    yield from (
        content.coverage,
        "",
        content.note,
        "",
        "## What was run",
        "",
        "```sh",
        *content.commands,
        "```",
        "",
    )
    yield from _table(("fact", "value"), content.design)
    yield from ("", "## Figures", "")
    yield from _figures(pictures)
    if content.misses:
        yield from ("## Missed tolerances", "")
        yield from _misses(content.misses)
        yield ""
    yield from ("## Failures", "")
    yield from _failures(content.failures)
    yield from ("", "## Environment", "")
    yield from _table(("fact", "value"), content.environment)


def _figures(pictures: Sequence[Picture]) -> Iterator[str]:
    for picture in pictures:
        yield from (f"![{picture.title}](figures/{picture.name}.svg)", "")
        yield from (f"*{picture.title}.* {picture.caption}", "")


def _overall(overall: Overall) -> Iterator[str]:
    yield from ("### All maps", "", overall.sentence, "")
    yield from _table(overall.head, [(f"`{row[0]}`", *row[1:]) for row in overall.rows])
    yield from ("", overall.note, "")


def _ranking(ranking: Ranking) -> Iterator[str]:
    yield from (f"### {_cell(ranking.dataset)}", "", ranking.sentence, "")
    spread, failures = (["interval"] if ranking.intervals else []), (["failures"] if ranking.failures else [])
    head = ("entry", ranking.metric, *spread, *ranking.cost_titles, "ok", *failures)
    rows = [
        (f"`{one.label}`", one.score)
        + (one.score_interval,) * len(spread)
        + (*one.costs.values(), one.ok)
        + (one.failures,) * len(failures)
        for one in ranking.standings
    ]
    yield from _table(head, rows)
    yield ""


def _failures(failures: Sequence[Failure]) -> Iterator[str]:
    if not failures:
        yield "No failures."
        return
    rows = [(f"`{one.name}`", str(one.seed), one.status, one.reason, f"`{one.key}`") for one in failures]
    yield from _table(("trial", "seed", "status", "reason", "key"), rows)


def _misses(misses: Sequence[Miss]) -> Iterator[str]:
    rows = [(f"`{one.dataset}`", f"`{one.label}`", one.seeds, one.status, one.reason) for one in misses]
    yield from _table(("map", "entry", "seeds", "status", "reason of the first"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(map(_cell, head))} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(_cell, row))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

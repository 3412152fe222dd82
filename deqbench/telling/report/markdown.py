"""A run's report as Markdown, for a repository or an issue: the same words and numbers as the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deqbench.telling.figures import Picture
from deqbench.telling.report.content import Content, Failure, Ranking


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
    for ranking in content.rankings:
        yield from _ranking(ranking)
    yield from (content.coverage, "", "## What was run", "", "```sh", *content.commands, "```", "")
    yield from _table(("fact", "value"), content.design)
    yield from ("", "## Figures", "")
    for picture in pictures:
        yield from (
            f"![{picture.title}](figures/{picture.name}.svg)",
            "",
            f"*{picture.title}.* {picture.caption}",
            "",
        )
    yield from ("## Failures", "")
    yield from _failures(content.failures)
    yield from ("", "## Environment", "")
    yield from _table(("fact", "value"), content.environment)


def _ranking(ranking: Ranking) -> Iterator[str]:
    yield from (f"### {_cell(ranking.dataset)}", "", ranking.sentence, "")
    head = ("entry", ranking.metric, "interval", *ranking.cost_titles, "ok", "failures")
    rows = [
        (f"`{one.label}`", one.score, one.score_interval, *one.costs.values(), one.ok, one.failures)
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


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(map(_cell, head))} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(_cell, row))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

"""A run's report as Markdown, for a repository or an issue: the same words and numbers as the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deqbench.telling.report.content import Content
    from deqbench.telling.report.sections.section import Part


def markdown(content: Content, parts: Sequence[Part]) -> str:
    """Return the report as GitHub-flavoured Markdown; figures are linked as ``figures/<name>.svg``."""
    return "\n".join(_lines(content, parts)) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"| {' | '.join(map(_cell, head))} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(_cell, row))} |"


def code(text: str) -> str:
    """Return a name as code, if there is one."""
    return f"`{text}`" if text else ""


def _lines(content: Content, parts: Sequence[Part]) -> Iterator[str]:
    yield from (f"# {content.title}", "")
    if content.description:
        yield from (content.description, "")
    yield from (f"**{content.outcome}.**", "")
    if content.cautions:
        yield "> **What weakens these results:**  "
    yield from (f"> {caution}  " for caution in content.cautions)
    for part in parts:
        yield from ("", f"## {part.section.title}", "", *part.markdown)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

"""The answers: one sentence a question, each with what is equal, the interval and the verdict."""

from __future__ import annotations

from collections.abc import Iterator

from deqbench.telling.report.answers import HEAD, Answers
from deqbench.telling.report.markdown import table
from deqbench.telling.report.sections.section import Section, Story


def build(story: Story) -> Answers | None:
    """Return the answers; None where there is nobody to compare."""
    return story.content.answers


def markdown(it: Answers) -> Iterator[str]:
    """Yield the same as Markdown."""
    for one in it.answers:
        if len(one.sentences) == 1:
            yield f"- **{one.question}:** {one.sentences[0]}"
        else:
            yield from (f"- **{one.question}:**", *(f"  - {sentence}" for sentence in one.sentences))
    yield ""
    for one in it.answers:
        if one.rows:
            yield from (f"**{one.question}**", "")
            yield from table(HEAD, one.rows)
            yield ""
    yield it.note


SECTION = Section("answers", "Answers", build, markdown)

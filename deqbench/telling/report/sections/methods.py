"""Methods text, BibTeX and LaTeX tables, ready to be pasted into a paper."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from deqbench.telling.report.latex import latex
from deqbench.telling.report.methods import bibtex, methods
from deqbench.telling.report.sections.section import Section, Story

MOST_TABLES = 3
"""LaTeX tables of data sets or maps that stand in the page; setting and carrying all would make it heavy."""
MOST_CHARACTERS = 60_000
"""Length of the LaTeX that the page carries."""


@dataclass(frozen=True)
class Methods:
    """What a paper needs.

    Attributes:
        paragraphs: The methods text.
        bibtex: The entries.
        latex: The tables; nothing where they are too long for the page.
        notice: What stands elsewhere; nothing if nothing does.
    """

    paragraphs: tuple[str, ...]
    bibtex: str
    latex: str
    notice: str

    @property
    def text(self) -> str:
        """The methods text as it is copied."""
        return "\n\n".join(self.paragraphs)


def build(story: Story) -> Methods:
    """Return the methods of a run."""
    content = story.content
    left = max(0, len(content.rankings) - MOST_TABLES)
    tables = latex(replace(content, rankings=content.rankings[:MOST_TABLES]))
    long = len(tables) > MOST_CHARACTERS
    notice = ""
    if long or left:
        what = "All tables" if long else f"The tables of {left} more {story.frames.subject.ground}s"
        notice = f"{what} come with: deqbench report RUN --format tex"
    return Methods(tuple(methods(story.frames)), bibtex(story.frames), "" if long else tables, notice)


def markdown(it: Methods) -> Iterator[str]:
    """Yield the text and the BibTeX; the tables stand in this file already."""
    for paragraph in it.paragraphs:
        yield from (paragraph, "")
    yield from ("```bibtex", it.bibtex, "```", "", "LaTeX tables: `deqbench report RUN --format tex`.")


SECTION = Section("methods", "Methods for a paper", build, markdown)

"""What was run, and the command that runs it again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from deqbench.telling.report.markdown import table
from deqbench.telling.report.sections.section import Section, Story


@dataclass(frozen=True)
class Run:
    """What was run.

    Attributes:
        commands: What runs it again.
        design: Facts and their values.
    """

    commands: tuple[str, ...]
    design: tuple[tuple[str, str], ...]


def build(story: Story) -> Run:
    """Return what was run."""
    return Run(story.content.commands, story.content.design)


def markdown(it: Run) -> Iterator[str]:
    """Yield the same as Markdown."""
    yield from ("```sh", *it.commands, "```", "")
    yield from table(("fact", "value"), it.design)


SECTION = Section("run", "What was run", build, markdown)

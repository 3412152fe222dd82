"""The figures of the experiment; those that show the same against different axes stand as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deqbench.telling.figures import draw
from deqbench.telling.pictures import Picture
from deqbench.telling.report.sections.section import Section, Story


@dataclass(frozen=True)
class Figures:
    """The figures of the run: groups of one picture, or of several variants along different axes."""

    groups: tuple[tuple[Picture, ...], ...]


def build(story: Story) -> Figures | None:
    """Return the figures; None for a run of claims, whose figures stand with the claims."""
    if story.frames.about_claims:
        return None
    groups: dict[str, list[Picture]] = {}
    for picture in story.drawn(draw):
        groups.setdefault(picture.family or picture.name, []).append(picture)
    return Figures(tuple(tuple(group) for group in groups.values()))


def pictures(it: Figures) -> Sequence[Picture]:
    """Return every figure."""
    return [picture for group in it.groups for picture in group]


def markdown(it: Figures) -> Iterator[str]:
    """Yield links to the figures and their captions."""
    for picture in pictures(it):
        yield from (f"![{picture.title}](figures/{picture.name}.svg)", "")
        yield from (f"*{picture.title}.* {picture.caption}", "")
    if not it.groups:
        yield "Nothing was observed that could be drawn."


SECTION = Section("figures", "Figures", build, markdown, pictures, waits=True)

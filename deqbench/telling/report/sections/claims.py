"""Every claim that was judged: statement, source, its figure, and its cases with what they rest on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from deqbench.telling.figures import draw
from deqbench.telling.pictures import Picture
from deqbench.telling.report.claims import Judged
from deqbench.telling.report.judging import markdown_of
from deqbench.telling.report.sections.section import Section, Story


@dataclass(frozen=True)
class Claims:
    """The claims of a run.

    Attributes:
        judged: Their verdicts.
        figures: Name of a claim to its figure.
    """

    judged: tuple[Judged, ...]
    figures: Mapping[str, Picture]


def build(story: Story) -> Claims | None:
    """Return the claims; None for a run that judged none."""
    if not story.content.judged:
        return None
    live = story.frames.about_claims  # the figures of any other experiment are of its entries
    figures = {picture.title: picture for picture in story.drawn(draw)} if live else {}
    return Claims(story.content.judged, figures)


def pictures(it: Claims) -> Sequence[Picture]:
    """Return the figures of the claims."""
    return list(it.figures.values())


def markdown(it: Claims) -> Iterator[str]:
    """Yield the same as Markdown."""
    yield from markdown_of(it.judged)
    for picture in it.figures.values():
        yield from (f"![{picture.title}](figures/{picture.name}.svg)", "", picture.caption, "")


SECTION = Section("claims", "Claims", build, markdown, pictures, waits=True)

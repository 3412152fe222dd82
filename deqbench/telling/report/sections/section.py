"""What a section of the report is, and what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from deqbench.telling.pictures import Picture
from deqbench.telling.report.content import Content
from deqbench.telling.tables import Frames

T = TypeVar("T")
Draw: TypeAlias = Callable[[Frames], Sequence[Picture]]
"""What draws pictures from a run's tables alone."""


@dataclass(frozen=True)
class Story:
    """What every section may draw on.

    Attributes:
        frames: The run's tables.
        content: What its report says in words and written numbers, for the terminal too.
        ahead: What returns the pictures that are drawn ahead; they may be in the making, so ask last.
    """

    frames: Frames
    content: Content
    ahead: Callable[[], Mapping[Draw, Sequence[Picture]]] = dict

    def drawn(self, draw: Draw) -> Sequence[Picture]:
        """Return what a function draws of the run, from those drawn ahead if it is among them."""
        ready = self.ahead()
        return ready[draw] if draw in ready else draw(self.frames)


def no_pictures(_: object) -> Sequence[Picture]:
    """Return nothing: a section that draws nothing of its own."""
    return ()


@dataclass(frozen=True)
class Section(Generic[T]):
    """One section of the report.

    Attributes:
        name: Its identifier in the page, and its template: ``templates/sections/<name>.html.j2``.
        title: Its heading, and its link in the navigation.
        build: What it says of a run, which the template finds as ``it``; None leaves the section out.
        markdown: The same as lines of Markdown, without the heading.
        pictures: The figures that it shows, to be saved beside the page.
        waits: Whether it asks for pictures drawn ahead, which may be in the making.
    """

    name: str
    title: str
    build: Callable[[Story], T | None]
    markdown: Callable[[T], Iterable[str]]
    pictures: Callable[[T], Sequence[Picture]] = no_pictures
    waits: bool = False


@dataclass(frozen=True)
class Part:
    """A section with what it says of one run."""

    section: Section[Any]
    it: Any

    @property
    def pictures(self) -> Sequence[Picture]:
        """Its figures."""
        return self.section.pictures(self.it)

    @property
    def markdown(self) -> Iterable[str]:
        """Its lines of Markdown, without the heading."""
        return self.section.markdown(self.it)


def parts(
    sections: Sequence[Section[Any]], story: Story, made: Callable[[Part], None] = lambda _: None
) -> list[Part]:
    """Return the sections that have something to say of a run, in their order.

    Args:
        sections: All there are; those that wait for figures are built last.
        story: What is told.
        made: Called with each as it is built.
    """
    built: dict[str, Part] = {}
    for section in sorted(sections, key=lambda one: one.waits):
        part = Part(section, section.build(story))
        if part.it is not None:
            built[section.name] = part
            made(part)
    return [built[section.name] for section in sections if section.name in built]

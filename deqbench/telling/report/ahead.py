"""Pictures that need nothing but the run's tables: drawn, saved and made markup while words are found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deqbench.telling.figures import draw
from deqbench.telling.pareto_figures import tradeoffs
from deqbench.telling.pictures import Picture
from deqbench.telling.report.drawings import markup_of
from deqbench.telling.report.sections.section import Draw
from deqbench.telling.tables import Frames

_DRAWS: tuple[Draw, ...] = (draw, tradeoffs)
"""Whose pictures; the sections that show them wait (``Section.waits``)."""
_PREFIX = "d"
"""Of their identifiers in the page; the others have another."""


@dataclass(frozen=True)
class Ahead:
    """Pictures that are saved, small enough to be sent from process to process.

    Attributes:
        pictures: What drew them to the pictures, without the figures themselves.
        markup: Name of a picture to its markup in the page; empty where no page is asked.
    """

    pictures: Mapping[Draw, Sequence[Picture]]
    markup: Mapping[str, str]


def draw_ahead(frames: Frames, folder: Path, kinds: Sequence[str], *, inlined: bool) -> Ahead:
    """Draw the pictures and save them.

    Args:
        frames: The run.
        folder: Where they are saved.
        kinds: As :meth:`~deqbench.telling.pictures.Picture.save` takes them.
        inlined: Whether a page will hold them; then ``kinds`` holds svg.
    """
    drawn = {each: each(frames) for each in _DRAWS}
    pictures = [picture for each in drawn.values() for picture in each]
    for picture in pictures:
        picture.save(folder, kinds)
    markup = markup_of(pictures, folder, _PREFIX) if inlined else {}
    sent = {each: [replace(picture, figure=None) for picture in made] for each, made in drawn.items()}
    return Ahead(sent, markup)

"""A run's pictures: those of its experiment. Every figure is deterministic: the same run, the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import matplotlib as mpl

from deqbench.telling import claim_figures, gradient_figures, solver_figures, training_figures
from deqbench.telling.looks import STYLE
from deqbench.telling.pictures import Picture
from deqbench.telling.tables import Frames

_PICTURES: Mapping[str, Callable[[Frames], Sequence[Picture | None]]] = {
    "equilibrium": solver_figures.draw,
    "gradient": gradient_figures.draw,
    "claim": claim_figures.draw,
}
"""Experiment to what draws its pictures; training is every other."""


def draw(frames: Frames) -> list[Picture]:
    """Return the run's pictures; those for which nothing was observed are left out."""
    pictures_of = _PICTURES.get(str(frames.suite.get("experiment")), training_figures.draw)
    with mpl.rc_context(STYLE):
        return [picture for picture in pictures_of(frames) if picture is not None]

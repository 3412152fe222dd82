"""A drawn figure with its words, and how it is saved: the same run gives the same SVG bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from deqbench.telling.looks import STYLE


@dataclass(frozen=True)
class Picture:
    """A drawn figure.

    Attributes:
        name: File name without suffix.
        title: What it shows.
        caption: How to read it.
        figure: The figure.
    """

    name: str
    title: str
    caption: str
    figure: Figure

    def save(self, folder: Path) -> Path:
        """Write ``<name>.svg``, its text as text, and ``<name>.png``; return the path of the SVG."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.svg"
        style: dict[Any, Any] = {**STYLE, "svg.hashsalt": self.name}
        with mpl.rc_context(style):
            self.figure.savefig(path, metadata={"Date": None})
            self.figure.savefig(path.with_suffix(".png"), dpi=150)
        return path

"""A drawn figure with its words, and how it is saved: the same run gives the same SVG bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from deqbench.telling.looks import STYLE


@dataclass(frozen=True)
class Picture:
    """A drawn figure.

    Attributes:
        name: File name without suffix.
        title: What it shows.
        caption: How to read it.
        figure: The figure; None once another process has drawn and saved it.
        data: The numbers it draws, few enough to be read, under titles for a person; None if it draws none.
        family: What pictures share that show the same against different axes; the page shows one of them
            and switches. Nothing for a picture that stands alone.
        axis: The axis that it shows, a key of :data:`deqbench.telling.report.axes.AXES`.
    """

    name: str
    title: str
    caption: str
    figure: Figure | None
    data: pd.DataFrame | None = None
    family: str = ""
    axis: str = ""

    def save(self, folder: Path, kinds: Sequence[str] = ("svg",)) -> list[Path]:
        """Write ``<name>.<kind>`` for each of ``svg`` (text as text), ``png``, ``pdf``; return the paths.

        Nothing is written where the figure is None.
        """
        if self.figure is None:
            return []
        folder.mkdir(parents=True, exist_ok=True)
        style: dict[Any, Any] = {**STYLE, "svg.hashsalt": self.name}
        paths = [folder / f"{self.name}.{kind}" for kind in kinds]
        with mpl.rc_context(style):
            _lay_out(self.figure)
            for kind, path in zip(kinds, paths, strict=True):
                self.figure.savefig(path, metadata=_UNDATED[kind], dpi=150)
        return paths


def _lay_out(figure: Figure) -> None:
    """Find the places of what is drawn, once for all kinds of file, by the letters of the SVG.

    Left to ``savefig``, matplotlib draws a figure that lays itself out twice.
    """
    engine = figure.get_layout_engine()
    if engine is not None:
        FigureCanvasSVG(figure)
        engine.execute(figure)
        figure.set_layout_engine("none")
        for axes in figure.axes:
            # Its solver's last bits differ from process to process, and identifiers are made from them.
            left, bottom, width, height = (round(side, 9) for side in axes.get_position(original=True).bounds)
            axes.set_position((left, bottom, width, height))


_UNDATED: dict[str, dict[str, None]] = {"svg": {"Date": None}, "png": {}, "pdf": {"CreationDate": None}}
"""What keeps the date out of each kind of file: the same run gives the same bytes."""

"""The page: one HTML file without scripts that opens offline, in light, dark and print."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from math import isfinite, log10
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from deqbench.telling.pictures import Picture
from deqbench.telling.report.claims import HEAD
from deqbench.telling.report.content import Content
from deqbench.telling.report.inline import inline_svg
from deqbench.telling.report.rankings import Ranking, Standing


@dataclass(frozen=True)
class Track:
    """Where a standing lies on its data set's common scale, in percent of the track's width.

    Attributes:
        low: Left end of the interval.
        high: Right end.
        median: The median; None where it falls on a failure.
        open_end: Whether an end of the interval falls on a failure, outside the scale.
    """

    low: float
    high: float
    median: float | None
    open_end: bool


def page(content: Content, pictures: Sequence[Picture], figures: Path) -> str:
    """Return the report as one self-contained HTML text.

    Args:
        content: What it says.
        pictures: Its figures, saved.
        figures: The folder they were saved in.
    """
    environment = Environment(
        loader=PackageLoader("deqbench.telling.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    loader = environment.loader
    assert loader is not None
    style = loader.get_source(environment, "style.css")[0]
    return environment.get_template("report.html.j2").render(
        content=content,
        drawn=[(picture, inline_svg(picture, figures)) for picture in pictures],
        tracks={ranking.dataset: tracks(ranking) for ranking in content.rankings},
        style=Markup(style),  # noqa: S704 - our own file; escaping would break its selectors
        head=HEAD,
        figures_of={picture.title: inline_svg(picture, figures) for picture in pictures if content.judged},
        version=version("deqbench"),
    )


def tracks(ranking: Ranking) -> list[Track]:
    """Return each standing's place on the scale from the least to the greatest finite end."""
    finite = [end for one in ranking.standings for end in (one.low, one.high) if isfinite(end)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    scale = log10 if ranking.logarithmic else float
    return [_track(one, low, high, scale) for one in ranking.standings]


def _track(one: Standing, low: float, high: float, scale: Callable[[float], float]) -> Track:
    span = (scale(high) - scale(low)) or 1.0

    def place(value: float) -> float:
        return round(100 * (scale(min(max(value, low), high)) - scale(low)) / span, 2)

    if not isfinite(one.median):
        return Track(0, 0, None, open_end=True)
    return Track(
        place(one.low), place(one.high), place(one.median), not (isfinite(one.low) and isfinite(one.high))
    )

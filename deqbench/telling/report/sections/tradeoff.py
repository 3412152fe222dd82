"""The primary metric against operations, seconds, memory and parameters, with the Pareto front of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deqbench.telling.pareto_figures import MOST_PANELS, tradeoffs
from deqbench.telling.pictures import Picture
from deqbench.telling.report.sections.section import Section, Story


@dataclass(frozen=True)
class Tradeoff:
    """Score against cost.

    Attributes:
        pictures: One an axis; the page switches between them.
        fronts: Axis in words, data set, and who is on the front, cheapest first.
        notice: What was left out; nothing if nothing was.
    """

    pictures: tuple[Picture, ...]
    fronts: tuple[tuple[str, str, str], ...]
    notice: str


def build(story: Story) -> Tradeoff | None:
    """Return score against cost; None where no cost was measured, or the score is a cost."""
    drawn = story.drawn(tradeoffs)
    if not drawn:
        return None
    count = story.frames.trials["dataset"].nunique()
    notice = f"The first {MOST_PANELS} of {count} data sets are drawn." if count > MOST_PANELS else ""
    fronts = tuple(front for picture in drawn for front in _fronts(picture))
    return Tradeoff(tuple(drawn), fronts, notice)


def _fronts(picture: Picture) -> Iterator[tuple[str, str, str]]:
    """Yield who is on the front of each panel."""
    assert picture.data is not None
    axis = picture.title.removeprefix("Score against ")
    for dataset, points in picture.data.groupby("data set", sort=False):
        on = points[points["on the front"] == "yes"].sort_values(axis)
        yield axis, str(dataset), ", ".join(on["entry"])


def pictures(it: Tradeoff) -> Sequence[Picture]:
    """Return the figures."""
    return it.pictures


def markdown(it: Tradeoff) -> Iterator[str]:
    """Yield who is on each front, and the figures."""
    for axis, dataset, entries in it.fronts:
        yield f"- {dataset}, best score for the {axis}, cheapest first: {entries}"
    yield ""
    if it.notice:
        yield from (it.notice, "")
    for picture in it.pictures:
        yield from (f"![{picture.title}](figures/{picture.name}.svg)", "")
        yield from (f"*{picture.title}.* {picture.caption}", "")


SECTION = Section("tradeoff", "Score against cost", build, markdown, pictures, waits=True)

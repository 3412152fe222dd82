"""One data set's entries as the page shows them: their line, their track, their place on every axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deqbench.telling.report.axes import Board, Track, board, tracks
from deqbench.telling.report.rankings import Ranking, Standing
from deqbench.telling.tables import Frames, summary


@dataclass(frozen=True)
class Standings:
    """A table with a row an entry, and a track in which its median and interval are drawn.

    Attributes:
        name: The identifier of the table.
        ranking: The entries in order.
        tracks: The drawing of each.
        board: Their places on every axis, to which the page can switch.
        titles: The costs shown.
    """

    name: str
    ranking: Ranking
    tracks: tuple[Track, ...]
    board: Board
    titles: tuple[str, ...]

    @property
    def spread(self) -> bool:
        """Whether the table has room for written intervals, and any to write."""
        return self.ranking.intervals and len(self.titles) < 9

    @property
    def rows(self) -> Iterator[tuple[Standing, Track]]:
        """Each entry's line and track."""
        return zip(self.ranking.standings, self.tracks, strict=True)

    @property
    def head(self) -> tuple[str, ...]:
        """Titles of the table that draws nothing: the entry, its score and what it cost."""
        return ("entry", self.ranking.metric, *self.titles)

    @property
    def cells(self) -> list[tuple[str, ...]]:
        """The rows of that table."""
        return [(one.label, one.score, *one.costs.values()) for one in self.ranking.standings]


def standings(
    frames: Frames, rankings: Sequence[Ranking], where: str, *, leading: bool = False
) -> tuple[Standings, ...]:
    """Return the entries of every data set.

    Args:
        frames: The run.
        rankings: The data sets.
        where: The section that shows them; begins the identifiers of the tables.
        leading: Whether only the leading cost is shown beside the score.
    """
    table = summary(frames)
    made = []
    for number, one in enumerate(rankings):
        name = f"{where}-{number}"
        titles = (one.lead_cost,) * bool(one.lead_cost) if leading else one.cost_titles
        found = board(name, one, table[table["dataset"] == one.dataset])
        made.append(Standings(name, one, tuple(tracks(one)), found, titles))
    return tuple(made)

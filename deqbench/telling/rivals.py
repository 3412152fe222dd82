"""Every entry against the best one of its data set: the comparisons of a forest plot, as one family.

The best is the entry with the best median, chosen from the same trials: differences from it lean to its side.
Where many entries or data sets would bury the reader, and take long to resample, the first are shown: entries
by their medians, data sets in the order of the suite.
"""

from __future__ import annotations

from dataclasses import dataclass

from deqbench.statistics.comparison import Comparison, as_family
from deqbench.telling.contests import contest
from deqbench.telling.tables import Frames

MOST_RIVALS, MOST_EACH = 19, 11
"""Entries that are compared with the best, of a run on one data set, and on each of several."""
MOST_GROUNDS = 6
"""Data sets on which entries are compared."""
MOST_VALUES = 8000
"""Pairs in all beyond which fewer entries are compared: resampling them is what a report waits for."""


@dataclass(frozen=True)
class Rivals:
    """The entries of one data set against its best.

    Attributes:
        dataset: The data set or map.
        best: The label of the reference.
        compared: Each other entry against it, the best median first.
        untold: Entries that were left out, worse than all told.
    """

    dataset: str
    best: str
    compared: tuple[Comparison, ...]
    untold: int


def rivals(frames: Frames) -> tuple[Rivals, ...]:
    """Return the comparisons of each data set, with p corrected over all of them; none for claims."""
    if frames.about_claims:
        return ()
    datasets = [str(dataset) for dataset in dict.fromkeys(frames.trials["dataset"])][:MOST_GROUNDS]
    most = _most(frames, len(datasets))
    found: list[Rivals] = []
    for dataset in datasets:
        one = contest(frames, dataset)
        if one is not None and one.decided:
            best, *others = one.order
            compared = tuple(one.compare(label, best) for label in others[:most])
            found.append(Rivals(dataset, best, compared, max(0, len(others) - most)))
    family = iter(as_family([each for one in found for each in one.compared]))
    return tuple(
        Rivals(one.dataset, one.best, tuple(next(family) for _ in one.compared), one.untold) for one in found
    )


def _most(frames: Frames, datasets: int) -> int:
    """Return how many entries are compared with the best of each data set: three at the least."""
    seeds = max(1, frames.trials["seed"].nunique())
    return max(3, min(MOST_RIVALS if datasets == 1 else MOST_EACH, MOST_VALUES // (seeds * max(1, datasets))))

"""How far a profile can be trusted: its band over other problems, and who decides its order.

The band says how the shares would vary had other problems of the kind been drawn; it is pointwise, and says
nothing of other seeds on these problems unless a problem is a map and a seed. The order of a performance
profile depends on who takes part: dropping an entry can turn over two others, which the leave-one-out line
tells.

Sources: own; Gould and Scott (2016), A note on performance profiles, for the dependence on the field
[RECALL].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from deqbench.statistics.intervals import LEVEL
from deqbench.statistics.profiles import ratios, share_within

RESAMPLES = 2000
BAND_COLUMNS = ("label", "within", "share", "low", "high", "problems")


def profile_band(  # noqa: PLR0913  a table, where it is read, and how the band is made
    table: pd.DataFrame,
    within: Sequence[float] | npt.NDArray[np.float64] | None = None,
    *,
    group: str | None = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Return each label's share of all problems within each bound, with a percentile band over problems.

    All labels are resampled on the same problems. With few problems the band is too narrow, as every
    percentile interval of a share is; ``problems`` says how many there were.

    Args:
        table: Costs for a data profile, :func:`~deqbench.statistics.profiles.ratios` for a performance
            profile; a row a problem, a column a label.
        within: Bounds, ascending; by default every finite value of the table.
        group: Level of the table's index, e.g. ``dataset``, whose members are drawn whole: for several seeds
            of a problem, which are not several problems. By default every row is drawn by itself.
        level: Of the band.
        resamples: Draws of the problems.
        seed: Of the draws.

    Returns:
        ``BAND_COLUMNS``, the labels in order.
    """
    values = table.to_numpy(dtype="float64")
    bounds = (
        np.unique(values[np.isfinite(values)]) if within is None else np.asarray(within, dtype=np.float64)
    )
    names = np.arange(len(table)) if group is None else table.index.get_level_values(group)
    codes, found = pd.factorize(names, sort=True)
    count = len(found)
    members = np.bincount(codes, minlength=count).astype(np.float64)  # (groups,)
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(
        count, np.full(count, 1 / max(count, 1)), size=resamples
    )  # (draws, groups)
    drawn = np.maximum(weights @ members, 1.0)[:, None]
    parts = []
    for place, label in enumerate(table):
        solved = values[:, place, None] <= bounds  # (problems, bounds)
        per_group = np.zeros((count, len(bounds)))
        np.add.at(per_group, codes, solved)
        low, high = np.quantile((weights @ per_group) / drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
        columns = {"within": bounds, "share": solved.mean(axis=0), "low": low, "high": high}
        parts.append(pd.DataFrame({"label": str(label), **columns, "problems": count}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(BAND_COLUMNS))


@dataclass(frozen=True)
class Stability:
    """Whether the order of a performance profile at one factor holds without each label.

    Attributes:
        factor: Over the best of each problem.
        order: The labels, the largest share first; ties in the order of the table.
        changed_by: A label whose leaving reorders others, to the order without it.
    """

    factor: float
    order: tuple[str, ...]
    changed_by: Mapping[str, tuple[str, ...]]

    def __str__(self) -> str:
        first = f"Order by the share within {self.factor:g} times the best: {', '.join(self.order)}."
        if len(self.order) < 3:
            return f"{first} With fewer than three entries, none can change the order of others."
        if not self.changed_by:
            return f"{first} It stays the same whichever entry leaves."
        told = [f"without {label}: {', '.join(rest)}" for label, rest in self.changed_by.items()]
        return f"{first} It changes {'; '.join(told)}."


def stability(table: pd.DataFrame, factor: float) -> Stability:
    """Return the order of a performance profile at a factor, and who changes it by leaving.

    Args:
        table: Costs; a row a problem, a column a label.
        factor: Over the best of each problem, >= 1.
    """
    shares = share_within(ratios(table), factor)
    orders = {
        label: _ordered(share_within(ratios(table.drop(columns=[label])), factor))
        for label in unstable(table, factor)
    }
    return Stability(factor, _ordered(shares), orders)


def _ordered(shares: pd.Series[float]) -> tuple[str, ...]:
    return tuple(str(label) for label in shares.sort_values(ascending=False, kind="stable").index)


def unstable(table: pd.DataFrame, factor: float) -> list[str]:
    """Return the labels whose leaving would reorder the others by their share within a factor of the best.

    A performance profile depends on who takes part: without the best solver of some problems, others become
    the best there.

    Args:
        table: Costs, as :func:`costs` returns them.
        factor: The factor, >= 1.
    """
    shares = share_within(ratios(table), factor)
    found = []
    for label in table:
        rest = table.drop(columns=label)
        if rest.shape[1] > 1 and _reordered(shares.drop(label), share_within(ratios(rest), factor)):
            found.append(str(label))
    return found


def _reordered(before: pd.Series[float], after: pd.Series[float]) -> bool:
    """Return whether two stand the other way round; a tie that appears or vanishes is no reordering."""
    first, then = before.to_numpy(dtype="float64"), after.to_numpy(dtype="float64")
    product = np.sign(first[:, None] - first[None, :]) * np.sign(then[:, None] - then[None, :])
    return bool((product < 0).any())

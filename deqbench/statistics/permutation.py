"""Whether paired differences lean to one side: the sign-flip permutation test.

If two entries are exchangeable, each difference was as likely to come with the other sign. The test flips
signs in all 2^n ways, or in many random ones, and counts how often the sum of the differences is at least
as far from 0 as it was found. Differences of 0 have no sign; they take no part and add no power.

Where a pair was lost by a failure, its difference is infinite, and sums mean nothing: the statistic is then
the sum of signed ranks of |difference| (Wilcoxon's), in which every failure ranks above all numbers, with
the mean rank for ties.

It assumes that differences are independent and, under the null hypothesis, symmetric about 0; nothing about
their distribution. It does not promise to see an effect: :func:`deqbench.statistics.power.least_p` says
what so few pairs can show at best, and the random version never gives less than 1 / (resamples + 1).

Sources: Fisher (1935), The Design of Experiments, for the test; Phipson and Smyth (2010) for the + 1 of the
random version, without which p = 0 occurs [RECALL].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

EXACT_UP_TO = 100_000
"""Sign patterns that are all counted; with more, that many are drawn."""
_SLACK = 1e-12
"""Of the sum of all sizes, so that rounding does not part statistics that are equal."""
_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class SignFlip:
    """A two-sided test of paired differences.

    Attributes:
        n: Pairs.
        nonzero: Pairs that are no ties; the least p attainable is 2 / 2^nonzero.
        p: Two-sided p; 1 where all pairs are ties, nan where there is no pair.
        method: Statistic and how its distribution was found, for a person.
    """

    n: int
    nonzero: int
    p: float
    method: str


def sign_flip(
    differences: Sequence[float] | npt.NDArray[np.float64], *, resamples: int = EXACT_UP_TO - 1, seed: int = 0
) -> SignFlip:
    """Return the two-sided sign-flip test of paired differences.

    Args:
        differences: (n,), infinite where one side of a pair failed, 0 for ties; no nan.
        resamples: Random sign patterns where 2^n are more than ``EXACT_UP_TO``.
        seed: Of these patterns.

    Raises:
        ValueError: A difference is nan.
    """
    values = np.asarray(differences, dtype=np.float64)
    if np.isnan(values).any():
        raise ValueError("a nan has no sign; paired_differences says how failures enter")
    moved = values[values != 0]
    ranked = bool(np.isinf(moved).any())
    statistic = "signed ranks" if ranked else "mean"
    if len(moved) == 0:
        return SignFlip(
            len(values), 0, 1.0 if len(values) else float("nan"), f"sign flips of the {statistic}"
        )
    if ranked:
        moved = np.sign(moved) * pd.Series(np.abs(moved)).rank().to_numpy()
    # Sorted by size, and judged by |sum|: neither the order of the pairs nor the order of the two matters.
    moved = moved[np.lexsort((moved, np.abs(moved)))]
    exact = 2 ** min(len(moved), 64) <= EXACT_UP_TO
    p = float(sign_flip_p(moved[:, None], resamples=resamples, seed=seed)[0])
    how = "exact" if exact else f"{resamples} random patterns"
    return SignFlip(len(values), len(moved), p, f"sign flips of the {statistic}, {how}")


def sign_flip_p(
    differences: npt.NDArray[np.float64], *, resamples: int = EXACT_UP_TO - 1, seed: int = 0
) -> npt.NDArray[np.float64]:
    """Return the two-sided p of each column by the sum as statistic, the same sign patterns for all.

    Args:
        differences: (n, columns), finite; zeros are counted through and change no p but in its resolution.
        resamples: As in :func:`sign_flip`.
        seed: Likewise.
    """
    n, columns = differences.shape
    exact = 2 ** min(n, 64) <= EXACT_UP_TO
    found = np.abs(differences.sum(axis=0)) - _SLACK * np.abs(differences).sum(axis=0)
    # A pattern and its mirror have the same |sum|: of all patterns, half suffice.
    patterns = 2 ** (n - 1) if exact else resamples
    generator, sums = np.random.default_rng(seed), _sums_by_byte(differences)
    counted = np.zeros(columns, dtype=np.int64)
    chunk = max(1, _AT_ONCE // max(len(sums), columns))
    for start in range(0, patterns, chunk):
        size = min(chunk, patterns - start)
        if exact:
            places = np.arange(start, start + size)[:, None] >> (8 * np.arange(len(sums))) & 255
        else:
            places = generator.integers(256, size=(size, len(sums)), dtype=np.uint8)  # (size, bytes)
        total = np.zeros((size, columns))
        for byte, table in zip(places.T, sums, strict=True):
            total += table[byte]
        counted += (np.abs(total) >= found).sum(axis=0)
    p: npt.NDArray[np.float64] = counted / patterns if exact else (1 + counted) / (1 + patterns)
    return p


def _sums_by_byte(differences: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    """Return, for each eight differences, their sum under each of the 256 patterns of signs.

    A pattern of n signs is then n / 8 look-ups instead of n products.
    """
    signs = 1.0 - 2.0 * ((np.arange(256)[:, None] >> np.arange(8)) & 1)  # (256, 8)
    rows = [differences[start : start + 8] for start in range(0, len(differences), 8)]
    return [signs[:, : len(eight)] @ eight for eight in rows]  # each (256, columns)

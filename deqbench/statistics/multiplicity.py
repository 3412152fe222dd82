"""p-values of a family of tests, corrected for how many there are.

Holm's correction is for claims: the probability of even one false one is at most the level, whatever the
dependence of the tests. Benjamini and Hochberg's is for screening: of what it flags, at most that share is
false on average, if tests are independent or positively dependent.

The family is all tests that a reader sees side by side. Neither correction depends on which entries are far
apart, but the family does: adding an entry adds tests.

Sources: Holm (1979), A simple sequentially rejective multiple test procedure; Benjamini and Hochberg (1995).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Values = Sequence[float] | npt.NDArray[np.float64]


def holm(p: Values) -> npt.NDArray[np.float64]:
    """Return Holm's adjusted p-values, in the order given; one below a level is a claim at that level.

    Args:
        p: p-values, (m,), in [0, 1]. A nan, where no test could be made, stays nan and is no member.

    Raises:
        ValueError: A value lies outside [0, 1].
    """
    values, tested = _checked(p)
    order = np.argsort(values[tested], kind="stable")
    members = len(order)
    stepped = np.maximum.accumulate(values[tested][order] * np.arange(members, 0, -1))
    adjusted = np.full(len(values), np.nan)
    place = np.flatnonzero(tested)[order]
    adjusted[place] = np.minimum(stepped, 1.0)
    return adjusted


def benjamini_hochberg(p: Values) -> npt.NDArray[np.float64]:
    """Return p-values adjusted for the false discovery rate (scipy's), in the order given; nan stays nan.

    Raises:
        ValueError: A value lies outside [0, 1].
    """
    values, tested = _checked(p)
    adjusted = np.full(len(values), np.nan)
    if tested.any():
        from scipy import stats  # noqa: PLC0415  half a second, for which only this adjustment need wait

        adjusted[tested] = stats.false_discovery_control(values[tested], method="bh")
    return adjusted


def _checked(p: Values) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    values = np.asarray(p, dtype=np.float64)
    tested = ~np.isnan(values)
    if ((values[tested] < 0) | (values[tested] > 1)).any():
        raise ValueError("a p-value lies in [0, 1]")
    return values, tested

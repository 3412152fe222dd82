"""The four-way verdict: improved, regressed, equivalent or inconclusive.

The region of practical equivalence (ROPE) is what a reader would call no difference, fixed before the run.
An interval inside it is equivalent; one wholly beyond it is improved or regressed; any other is
inconclusive: "no significant difference" is not a finding of equality.

An interval of level 1 - a inside the ROPE is a test of equivalence at level a / 2 or better (two one-sided
tests). Source: Schuirmann (1987) for the two tests; Kruschke (2018) for the rule on intervals [RECALL].
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite, log1p

from deqbench.errors import ConfigurationError
from deqbench.statistics.intervals import Interval
from deqbench.statistics.power import ALPHA


class Verdict(StrEnum):
    """What the first entry is, beside the second."""

    IMPROVED = "improved"
    REGRESSED = "regressed"
    EQUIVALENT = "equivalent"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Rope:
    """A region of practical equivalence, symmetric about no difference.

    Attributes:
        size: Half its width, >= 0: in the metric's unit, or as a fraction of the second entry's value.
        relative: Whether it is a fraction. Then differences are logarithms of ratios, and 0.01 means a ratio
            within [1/1.01, 1.01].
    """

    size: float = 0.0
    relative: bool = False

    def __post_init__(self) -> None:
        """Refuse a negative or infinite size."""
        if not (isfinite(self.size) and self.size >= 0):
            raise ConfigurationError(f"A ROPE has a finite size of at least 0, not {self.size}.")

    @classmethod
    def parse(cls, text: str) -> Rope:
        """Read ``1%`` (relative) or ``0.005`` (in the metric's unit).

        Raises:
            ConfigurationError: It is neither.
        """
        number = text.strip().removesuffix("%")
        relative = number != text.strip()
        try:
            size = float(number)
        except ValueError:
            raise ConfigurationError(
                f"'{text}' is no ROPE; write a fraction such as 1%, or a number in the metric's unit."
            ) from None
        return cls(size / 100 if relative else size, relative)

    @property
    def bound(self) -> float:
        """Half its width on the scale of the differences: log(1 + size) where it is relative."""
        return log1p(self.size) if self.relative else self.size

    def __str__(self) -> str:
        return f"{100 * self.size:g}%" if self.relative else f"{self.size:g}"


def verdict(
    interval: Interval,
    rope: Rope,
    *,
    higher_is_better: bool,
    p: float | None = None,
    alpha: float = ALPHA,
) -> Verdict:
    """Return what an interval of first - second allows one to say of the first entry.

    Args:
        interval: Of the difference, or of log(first / second) where the ROPE is relative.
        rope: What counts as no difference. Of size 0, nothing but an interval [0, 0] is equivalent.
        higher_is_better: Whether a positive difference is good.
        p: Adjusted for its family (Holm); with it, improved and regressed also need p < ``alpha``. Few pairs
            cannot reach that (:mod:`deqbench.statistics.power`).
        alpha: Level of that test.
    """
    if not interval.known:
        return Verdict.INCONCLUSIVE
    if -rope.bound <= interval.low and interval.high <= rope.bound:
        return Verdict.EQUIVALENT
    if p is not None and not p < alpha:
        return Verdict.INCONCLUSIVE
    good, bad = (interval.low, -interval.high) if higher_is_better else (-interval.high, interval.low)
    if good > rope.bound:
        return Verdict.IMPROVED
    return Verdict.REGRESSED if bad > rope.bound else Verdict.INCONCLUSIVE


def after_failures(
    found: Verdict, *, first_failed: int, second_failed: int, pairs: int, significant: bool = True
) -> Verdict:
    """Return the verdict that stands when trials failed, which the interval knows nothing of.

    Who alone failed more than half of all pairs is beaten there, whatever the others say. Else who failed
    more often does not win, and nobody is equivalent to someone who fails elsewhere: inconclusive.

    Args:
        found: From the complete pairs.
        first_failed: Pairs that the first alone failed.
        second_failed: Pairs that the second alone failed.
        pairs: All pairs, those that both failed included.
        significant: Whether a test over all pairs allows a difference to be claimed.
    """
    if significant and 2 * first_failed > pairs:
        return Verdict.REGRESSED
    if significant and 2 * second_failed > pairs:
        return Verdict.IMPROVED
    spoiled = {
        Verdict.IMPROVED: first_failed > second_failed,
        Verdict.REGRESSED: second_failed > first_failed,
        Verdict.EQUIVALENT: first_failed + second_failed > 0,
        Verdict.INCONCLUSIVE: False,
    }
    return Verdict.INCONCLUSIVE if spoiled[found] else found

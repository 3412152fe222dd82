"""What a number of pairs can show at best, before anything is run; standard library alone.

The two-sided sign-flip test of n pairs has 2^n equally likely outcomes under its null hypothesis, and the
most extreme one and its mirror are two of them: p can never fall below 2 / 2^n, however large the effect.
Holm's correction multiplies the least p of a family of m tests by m.

Source: own counting; the same bound holds for the exact signed-rank test of Wilcoxon [RECALL].
"""

from __future__ import annotations

ALPHA = 0.05
"""Probability of a false alarm that a test, or a family of tests under Holm, is allowed."""


def least_p(pairs: int) -> float:
    """Return the least two-sided p that a sign-flip test of so many pairs can give; 1 for fewer than two.

    Pairs whose two sides are equal do not count: they have no sign to flip.
    """
    return min(1.0, 2.0 / 2.0 ** min(pairs, 1000))


def pairs_needed(family: int = 1, alpha: float = ALPHA) -> int:
    """Return the least number of pairs with which the first of a family of tests can reach p < ``alpha``.

    Says what is possible, not what is likely: an effect must also be there, and show in every pair.

    Args:
        family: Tests that Holm corrects together, >= 1.
        alpha: Level, in (0, 1).
    """
    pairs = 1
    while family * least_p(pairs) >= alpha:
        pairs += 1
    return pairs


def can_reach(pairs: int, family: int = 1, alpha: float = ALPHA) -> bool:
    """Return whether so many pairs can reach p < ``alpha`` at all, as the first of a family under Holm."""
    return family * least_p(pairs) < alpha


def power_sentence(seeds: int, *, entries: int = 2, datasets: int = 1, alpha: float = ALPHA) -> str:
    """Return what a comparison of entries can show at best with so many seeds, in one or two sentences.

    A pair is a data set and a seed. The family is all pairs of entries: on one data set, and pooled over
    all of them.

    Args:
        seeds: Seeds of every entry on every data set.
        entries: Competitors, >= 2.
        datasets: Data sets or maps.
        alpha: Level of the test.
    """
    family = entries * (entries - 1) // 2
    said = _sentence(seeds, family, alpha, "seed", " on one data set" if datasets > 1 else "")
    if datasets < 2:
        return said
    return f"{said} {_sentence(seeds * datasets, family, alpha, 'pair', f' over all {datasets} data sets')}"


def _sentence(count: int, family: int, alpha: float, noun: str, where: str) -> str:
    test = f"p < {alpha:g} with a two-sided sign-flip test{where}"
    plural = "" if count == 1 else "s"
    alone, holm = pairs_needed(1, alpha), pairs_needed(family, alpha)
    many = f"after Holm's correction over {family} comparisons"
    if not can_reach(count, 1, alpha):
        more = f"{alone} can" if family == 1 else f"{alone} can, {holm} {many}"
        return f"{count} {noun}{plural} cannot reach {test} (its least p is {least_p(count):.2g}); {more}."
    reach = f"{count} {noun}{plural} can reach {test}"
    if can_reach(count, family, alpha):
        return f"{reach}." if family == 1 else f"{reach}, also {many}."
    return f"{reach}, but not {many}; {holm} can."

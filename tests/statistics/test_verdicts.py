from __future__ import annotations

import math

import pytest

from deqbench.errors import ConfigurationError
from deqbench.statistics.equivalence import Rope, Verdict, after_failures, verdict
from deqbench.statistics.intervals import Interval

IMPROVED, REGRESSED, EQUIVALENT, INCONCLUSIVE = Verdict


def interval(low, high):
    return Interval(8, (low + high) / 2, low, high, 0.95, "t")


@pytest.mark.parametrize(
    ("ends", "found"),
    [
        ((0.02, 0.05), IMPROVED),
        ((-0.05, -0.02), REGRESSED),
        ((-0.009, 0.01), EQUIVALENT),
        ((0.001, 0.009), EQUIVALENT),  # different from 0, and not worth speaking of
        ((-0.02, 0.005), INCONCLUSIVE),
        ((0.005, 0.05), INCONCLUSIVE),  # different from 0, and perhaps worth it
        ((-0.5, 0.5), INCONCLUSIVE),
    ],
)
def test_of_an_accuracy_the_verdict_is_where_the_interval_lies(ends, found):
    assert verdict(interval(*ends), Rope(0.01), higher_is_better=True) is found
    mirrored = {IMPROVED: REGRESSED, REGRESSED: IMPROVED}
    assert verdict(interval(*ends), Rope(0.01), higher_is_better=False) is mirrored.get(found, found)


def test_a_difference_is_claimed_only_if_the_family_allows_it():
    found = interval(0.02, 0.05)
    assert verdict(found, Rope(0.01), higher_is_better=True, p=0.04) is IMPROVED
    assert verdict(found, Rope(0.01), higher_is_better=True, p=0.06) is INCONCLUSIVE
    assert verdict(found, Rope(0.01), higher_is_better=True, p=math.nan) is INCONCLUSIVE


def test_equivalence_needs_no_significant_difference():
    assert verdict(interval(-0.001, 0.001), Rope(0.01), higher_is_better=True, p=1.0) is EQUIVALENT


def test_without_an_interval_nothing_follows():
    none = Interval(1, 0.5, math.nan, math.nan, 0.95, "no interval from one value")
    assert verdict(none, Rope(0.01), higher_is_better=True) is INCONCLUSIVE


def test_without_a_region_only_equality_itself_is_equivalent():
    assert verdict(interval(0.0, 0.0), Rope(), higher_is_better=True) is EQUIVALENT
    assert verdict(interval(-1e-9, 1e-9), Rope(), higher_is_better=True) is INCONCLUSIVE


def test_a_relative_region_bounds_a_ratio_alike_on_both_sides():
    rope = Rope.parse("25%")
    assert verdict(interval(math.log(0.8), math.log(1.25)), rope, higher_is_better=False) is EQUIVALENT
    assert verdict(interval(math.log(0.79), math.log(1.25)), rope, higher_is_better=False) is INCONCLUSIVE


@pytest.mark.parametrize(
    ("text", "rope"),
    [
        ("1%", Rope(0.01, relative=True)),
        ("0.005", Rope(0.005)),
        (" 2.5 % ", Rope(0.025, relative=True)),
        ("0", Rope()),
    ],
)
def test_a_region_is_read_as_it_is_written(text, rope):
    assert Rope.parse(text) == rope
    assert Rope.parse(str(rope)) == rope


@pytest.mark.parametrize("text", ["", "%", "one", "-1%", "inf", "nan"])
def test_what_is_no_region_is_refused_in_one_sentence(text):
    with pytest.raises(ConfigurationError, match="ROPE"):
        Rope.parse(text)


@pytest.mark.parametrize(
    ("found", "first", "second", "told"),
    [
        (IMPROVED, 2, 1, INCONCLUSIVE),  # better where it lives, and it dies more often
        (IMPROVED, 1, 2, IMPROVED),
        (IMPROVED, 1, 1, IMPROVED),
        (REGRESSED, 1, 2, INCONCLUSIVE),
        (REGRESSED, 2, 1, REGRESSED),
        (EQUIVALENT, 1, 0, INCONCLUSIVE),
        (EQUIVALENT, 1, 1, INCONCLUSIVE),
        (EQUIVALENT, 0, 0, EQUIVALENT),
        (INCONCLUSIVE, 1, 0, INCONCLUSIVE),
        (IMPROVED, 6, 0, REGRESSED),  # most pairs are lost
        (REGRESSED, 0, 6, IMPROVED),
    ],
)
def test_failures_weaken_a_verdict_and_never_help_who_failed(found, first, second, told):
    assert after_failures(found, first_failed=first, second_failed=second, pairs=10) is told


def test_to_lose_most_pairs_by_failures_must_be_significant_where_a_test_is_asked_for():
    lost = after_failures(INCONCLUSIVE, first_failed=2, second_failed=0, pairs=3, significant=False)
    assert lost is INCONCLUSIVE

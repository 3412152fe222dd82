from __future__ import annotations

import math

import pytest

from deqbench.telling.report.numbers import (
    count,
    duration,
    interval,
    mebibytes,
    metric_title,
    number,
    percent,
    score,
)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.13912, "0.139"),
        (2.4, "2.40"),
        (123.4, "123"),
        (1234.5, "1,234"),
        (0.0000123, "1.23e-5"),
        (0.0, "0"),
        (7.4116e25, "7.41e25"),
        (-2e-4, "-2.00e-4"),
        (math.inf, "failed"),
        (math.nan, "-"),
    ],
)
def test_numbers_have_three_digits(value, written):
    assert number(value) == written


@pytest.mark.parametrize(("value", "written"), [(4800, "4,800"), (123456, "123k"), (2.5e6, "2.5M"), (0, "0")])
def test_counts_are_whole(value, written):
    assert count(value) == written


def test_accuracies_are_percentages_and_other_scores_numbers():
    assert (score("test_accuracy", 0.97531), metric_title("test_accuracy")) == ("97.5", "test accuracy (%)")
    assert (score("test_r2", 0.4567), metric_title("test_r2")) == ("0.457", "test R²")
    assert score("test_accuracy", -math.inf) == "failed"


def test_an_interval_of_one_point_is_left_out():
    assert (interval("1", "2"), interval("1", "1"), interval("-", "-")) == ("[1, 2]", "", "")


def test_bytes_are_shown_in_mebibytes():
    assert mebibytes(3 * 2**20) == "3.00"


@pytest.mark.parametrize(
    ("share", "written"),
    [(1.0, "100"), (0.9999, "99"), (0.0, "0"), (0.0001, "1"), (2 / 3, "67"), (math.nan, "-")],
)
def test_a_share_that_is_neither_none_nor_all_is_written_as_neither(share, written):
    assert percent(share) == written


def test_map_equivalents_have_no_idle_zeros():
    assert [score("map_equivalents", value) for value in (7.0, 12.345, 1234.5)] == ["7", "12.3", "1,234"]


def test_seconds_are_read_in_the_unit_asked_for():
    assert (duration(0.01234, "ms"), duration(2.4, "s")) == ("12.3 ms", "2.40 s")

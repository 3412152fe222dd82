from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from deqbench.statistics.effects import Tally, cliffs_delta, tally

numbers = st.lists(st.integers(-4, 4).map(float) | st.sampled_from([math.inf, -math.inf]), max_size=8)


@given(numbers, numbers)
def test_cliffs_delta_is_the_count_over_all_pairs(first, second):
    counted = [(x > y) - (x < y) for x in first for y in second]
    found = cliffs_delta(first, second)
    assert found == pytest.approx(np.mean(counted)) if counted else math.isnan(found)


def test_cliffs_delta_follows_from_the_statistic_of_mann_and_whitney():
    drawn = np.random.default_rng(4)
    one, two = drawn.normal(1, 1, 13).round(1), drawn.normal(size=9).round(1)
    u = stats.mannwhitneyu(one, two).statistic
    assert cliffs_delta(one, two) == pytest.approx(2 * u / (13 * 9) - 1)


@given(numbers, numbers)
def test_seen_from_the_other_side_it_is_minus_itself(first, second):
    assert cliffs_delta(first, second) == pytest.approx(-cliffs_delta(second, first), nan_ok=True)


def test_ties_count_half():
    told = tally([1.0, 0.0, -1.0, 2.0, math.inf], higher_is_better=True)
    assert told == Tally(better=3, tied=1, worse=1)
    assert told.probability_of_improvement == 0.7


def test_of_a_cost_less_is_better():
    told = tally([1.0, 0.0, -1.0, 2.0, math.inf], higher_is_better=False)
    assert (told.better, told.worse) == (1, 3)
    assert told.probability_of_improvement == 0.3


def test_without_pairs_there_is_no_probability():
    assert math.isnan(tally([], higher_is_better=True).probability_of_improvement)

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from deqbench.statistics.profiles import profile, ratios, share_within
from deqbench.statistics.stability import unstable

inf, nan = math.inf, math.nan

# Four problems by hand: quick wins two, ties one and misses one; slow solves all; broken none.
BY_HAND = pd.DataFrame(
    {
        "quick": [2.0, 5.0, 8.0, inf],
        "slow": [6.0, 20.0, 8.0, 30.0],
        "broken": [inf] * 4,
        "elsewhere": [nan] * 4,
    }
)


def steps(table, label):
    chosen = profile(table).query("label == @label")
    return list(zip(chosen["within"], chosen["share"], strict=True))


def test_a_data_profile_counts_problems_solved_within_each_cost():
    assert steps(BY_HAND, "quick") == [(2.0, 0.25), (5.0, 0.5), (8.0, 0.75)]
    assert steps(BY_HAND, "slow") == [(6.0, 0.25), (8.0, 0.5), (20.0, 0.75), (30.0, 1.0)]


def test_a_performance_profile_counts_problems_within_each_factor_of_the_best():
    assert steps(ratios(BY_HAND), "quick") == [(1.0, 0.75)]
    assert steps(ratios(BY_HAND), "slow") == [(1.0, 0.5), (3.0, 0.75), (4.0, 1.0)]


def test_whoever_ties_is_the_best_as_well():
    assert share_within(ratios(BY_HAND), 1.0)[["quick", "slow"]].tolist() == [0.75, 0.5]


def test_a_solver_that_fails_never_counts_as_solved():
    assert steps(BY_HAND, "broken") == steps(ratios(BY_HAND), "broken") == []
    assert share_within(BY_HAND, inf)["quick"] == 1.0  # infinity is a budget; no finite one is
    assert share_within(BY_HAND, 1e300)["quick"] == 0.75


def test_of_a_problem_that_all_fail_nobody_is_the_best():
    table = pd.DataFrame({"a": [inf, 1.0], "b": [inf, 2.0]})
    assert ratios(table).to_numpy().tolist() == [[inf, inf], [1.0, 2.0]]
    assert steps(ratios(table), "a") == [(1.0, 0.5)]


def test_a_run_in_which_all_fail_has_no_profile():
    table = pd.DataFrame({"a": [inf, inf], "b": [inf, inf]})
    assert profile(table).empty
    assert profile(ratios(table)).empty


def test_a_solve_that_cost_nothing_is_the_only_best():
    assert ratios(pd.DataFrame({"free": [0.0], "paid": [3.0], "failed": [inf]})).iloc[0].tolist() == [
        1,
        inf,
        inf,
    ]


def test_shares_are_of_the_problems_tried_and_profiles_of_all():
    table = pd.DataFrame({"general": [1.0, 2.0, 3.0, inf], "special": [1.0, nan, nan, nan]})
    assert share_within(table, 10).tolist() == [0.75, 1.0]
    assert steps(table, "special") == [(1.0, 0.25)]


def test_who_was_never_tried_has_neither_share_nor_profile():
    assert np.isnan(share_within(BY_HAND, 10)["elsewhere"])
    assert steps(BY_HAND, "elsewhere") == []


@pytest.mark.parametrize("factor", [1.0, 2.0, 5.0])
def test_a_profile_agrees_with_counting_by_hand(factor):
    drawn = np.random.default_rng(3).lognormal(size=(40, 5))
    drawn[drawn > 2.5] = inf
    table = pd.DataFrame(drawn, columns=list("abcde"))
    for place, label in enumerate(table):
        counted = sum(row[place] < inf and row[place] <= factor * min(row) for row in drawn)
        reached = [share for within, share in steps(ratios(table), label) if within <= factor]
        assert (reached or [0.0])[-1] == pytest.approx(counted / 40)


def test_the_field_decides_where_the_best_hides_a_reversal():
    # Beside the leader, a is near on one problem and b on none; without it, b is near on three of four.
    table = pd.DataFrame(
        {"leader": [1.0, 1.0, 1.0, 9.0], "a": [9.0, 9.0, 9.0, 1.0], "b": [4.0, 4.0, 4.0, 4.0]}
    )
    assert unstable(table, 2.0) == ["leader"]


def test_a_field_of_equals_is_stable():
    assert unstable(pd.DataFrame({"a": [1.0, 2.0], "b": [2.0, 1.0], "c": [1.5, 1.5]}), 2.0) == []

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from deqbench.statistics.profiles import profile, ratios
from deqbench.statistics.stability import profile_band, stability

inf = math.inf
DRAWN = pd.DataFrame(np.random.default_rng(3).lognormal(size=(60, 3)), columns=list("abc"))


def test_a_band_holds_the_profile_itself():
    band = profile_band(ratios(DRAWN), seed=1)
    steps = profile(ratios(DRAWN)).merge(band, on=["label", "within"])
    assert steps["share_x"].tolist() == pytest.approx(steps["share_y"].tolist())
    assert (band["low"] <= band["share"]).all()
    assert (band["share"] <= band["high"]).all()


def test_a_band_over_problems_is_that_of_a_binomial_share():
    band = profile_band(DRAWN[["a"]], [1.0], resamples=20_000)
    share = (DRAWN["a"] <= 1).mean()
    low, high = stats.binom.ppf([0.025, 0.975], 60, share) / 60
    assert band[["low", "high"]].iloc[0].tolist() == pytest.approx([low, high], abs=1.01 / 60)
    assert band["problems"].item() == 60


def test_seeds_of_a_problem_are_drawn_together():
    index = pd.MultiIndex.from_product([range(6), range(10)], names=["dataset", "seed"])
    table = pd.DataFrame({"a": np.repeat([1.0, inf, 1.0, 1.0, inf, inf], 10)}, index=index)
    alone = profile_band(table, [1.0]).iloc[0]
    whole = profile_band(table, [1.0], group="dataset").iloc[0]
    assert whole["problems"] == 6
    assert whole["high"] - whole["low"] > 2 * (alone["high"] - alone["low"])


def test_what_was_not_solved_or_not_tried_is_within_no_bound():
    table = pd.DataFrame({"a": [inf, math.nan, 2.0, 4.0]})
    assert profile_band(table)["share"].tolist() == [0.25, 0.5]


def test_a_seed_gives_the_same_band_twice():
    assert profile_band(DRAWN, seed=4).equals(profile_band(DRAWN, seed=4))


def test_the_line_names_who_decides_the_order_and_what_it_is_without():
    table = pd.DataFrame(
        {"leader": [1.0, 1.0, 1.0, 9.0], "a": [9.0, 9.0, 9.0, 1.0], "b": [4.0, 4.0, 4.0, 4.0]}
    )
    found = stability(table, 2.0)
    assert found.order == ("leader", "a", "b")
    assert found.changed_by == {"leader": ("b", "a")}
    assert str(found) == (
        "Order by the share within 2 times the best: leader, a, b. It changes without leader: b, a."
    )


def test_a_stable_order_says_so():
    table = pd.DataFrame({"a": [1.0, 1.0], "b": [3.0, 3.0], "c": [9.0, 9.0]})
    assert str(stability(table, 4.0)).endswith("It stays the same whichever entry leaves.")


@pytest.mark.parametrize("labels", ["a", "ab"])
def test_of_two_entries_nobody_else_is_left_to_reorder(labels):
    assert "none can change" in str(stability(DRAWN[list(labels)], 2.0))

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from deqbench.statistics.detectable import minimal_detectable_effect, pairs_to_detect, power_of
from deqbench.statistics.permutation import sign_flip
from deqbench.statistics.power import least_p, pairs_needed, power_sentence


@pytest.mark.parametrize(
    ("pairs", "p"), [(0, 1.0), (1, 1.0), (2, 0.5), (5, 0.0625), (6, 0.03125), (9, 0.00390625)]
)
def test_the_least_p_is_two_of_all_patterns(pairs, p):
    assert least_p(pairs) == p


@pytest.mark.parametrize(("family", "needed"), [(1, 6), (10, 9), (91, 12)])
def test_so_many_pairs_reach_five_percent_and_one_fewer_does_not(family, needed):
    assert pairs_needed(family) == needed
    unanimous = np.linspace(1, 2, needed)
    assert family * sign_flip(unanimous).p < 0.05
    assert family * sign_flip(unanimous[1:]).p >= 0.05


@pytest.mark.parametrize(
    ("seeds", "facts", "sentence"),
    [
        (
            5,
            {},
            "5 seeds cannot reach p < 0.05 with a two-sided sign-flip test (its least p is 0.062); 6 can.",
        ),
        (6, {}, "6 seeds can reach p < 0.05 with a two-sided sign-flip test."),
        (
            5,
            {"entries": 5},
            (
                "5 seeds cannot reach p < 0.05 with a two-sided sign-flip test (its least p is 0.062); "
                "6 can, 9 after Holm's correction over 10 comparisons."
            ),
        ),
        (
            6,
            {"entries": 5},
            (
                "6 seeds can reach p < 0.05 with a two-sided sign-flip test, "
                "but not after Holm's correction over 10 comparisons; 9 can."
            ),
        ),
        (
            3,
            {"datasets": 4},
            (
                "3 seeds cannot reach p < 0.05 with a two-sided sign-flip test on one data set "
                "(its least p is 0.25); 6 can. "
                "12 pairs can reach p < 0.05 with a two-sided sign-flip test over all 4 data sets."
            ),
        ),
    ],
)
def test_the_sentence_says_what_so_many_seeds_can_show(seeds, facts, sentence):
    assert power_sentence(seeds, **facts) == sentence


def test_the_sentence_needs_no_pandas_numpy_or_scipy():
    told = "import sys, deqbench.statistics.power; print({'pandas', 'numpy', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(("n", "effect"), [(3, 1.0), (5, 0.5), (20, 0.7)])
def test_the_power_of_the_paired_t_test_is_statsmodels(n, effect):
    assert power_of(n, effect) == pytest.approx(TTestPower().power(effect, n, 0.05))


@pytest.mark.parametrize("n", [3, 5, 12])
def test_the_minimal_detectable_effect_is_statsmodels_and_in_units(n):
    theirs = TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8)
    assert minimal_detectable_effect(n, 2.5) == pytest.approx(2.5 * theirs, rel=1e-5)


@pytest.mark.parametrize("ratio", [0.2, 0.8, 3.0])
def test_the_pairs_to_detect_a_difference_are_the_fewest_with_that_power(ratio):
    n = pairs_to_detect(ratio * 2.0, 2.0)
    assert power_of(n, ratio) >= 0.8
    assert power_of(n - 1, ratio) < 0.8


def test_a_difference_without_spread_shows_at_once():
    assert (minimal_detectable_effect(3, 0.0), pairs_to_detect(1.0, 0.0)) == (0.0, 2)


def test_from_one_pair_nothing_is_detected():
    assert minimal_detectable_effect(1, 1.0) == np.inf


@pytest.mark.parametrize("difference", [0.0, 1e-9])
def test_what_no_number_of_pairs_finds_is_said(difference):
    with pytest.raises(ValueError, match="find"):
        pairs_to_detect(difference, 1.0)

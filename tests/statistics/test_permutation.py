from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from deqbench.statistics.permutation import sign_flip, sign_flip_p
from deqbench.statistics.power import least_p

DRAWN = np.random.default_rng(11)
differences = st.lists(
    st.integers(-6, 6).map(float) | st.sampled_from([math.inf, -math.inf]), min_size=1, max_size=9
)


def by_hand(values):
    flipped = [abs(sum(s * v for s, v in zip(signs, values, strict=True))) for signs in flips(len(values))]
    return sum(one >= abs(sum(values)) - 1e-9 for one in flipped) / len(flipped)


def flips(n):
    return list(itertools.product([1, -1], repeat=n))


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_every_pattern_of_signs_is_counted(n):
    values = DRAWN.normal(0.5, 1, size=n).round(2)
    assert sign_flip(values).p == pytest.approx(by_hand(values))


@pytest.mark.parametrize("n", [4, 8, 12])
def test_it_is_scipys_permutation_test_of_paired_samples(n):
    values = DRAWN.normal(0.4, 1, size=n)
    theirs = stats.permutation_test(
        (values, np.zeros(n)), lambda a, b: (a - b).sum(), permutation_type="samples", n_resamples=2**n
    )
    assert sign_flip(values).p == pytest.approx(theirs.pvalue)


@pytest.mark.parametrize("n", [17, 40])
def test_with_many_pairs_random_patterns_come_near_the_normal_law(n):
    values = DRAWN.normal(0.3, 1, size=n)
    found = sign_flip(values)
    near = 2 * stats.norm.sf(abs(values.sum()) / math.sqrt((values**2).sum()))
    assert found.method == "sign flips of the mean, 99999 random patterns"
    assert found.p == pytest.approx(near, abs=0.02)


def test_random_patterns_agree_with_all_of_them():
    values = DRAWN.normal(0.5, 1, size=16)
    exact = sign_flip(values)
    (drawn,) = sign_flip_p(
        np.concatenate([values, np.zeros(10)])[:, None]
    )  # zeros change nothing but the way
    assert exact.method.endswith("exact")
    assert drawn == pytest.approx(exact.p, abs=0.005)


def test_a_random_p_is_never_0():
    assert sign_flip(np.full(60, 1.0)).p == pytest.approx(1 / 100_000)


@pytest.mark.parametrize("n", [5, 6, 9, 12])
def test_unanimous_pairs_reach_the_least_p_that_the_power_sentence_names(n):
    assert sign_flip(1.0 + DRAWN.random(n)).p == least_p(n)


def test_where_pairs_were_lost_it_is_wilcoxons_test():
    lost = np.array([1.0, -2.0, 3.5, 4.5, 6.0, -0.5, math.inf])
    theirs = stats.wilcoxon(np.where(np.isinf(lost), 100.0, lost), method="exact")
    found = sign_flip(lost)
    assert found.p == pytest.approx(theirs.pvalue)
    assert found.method == "sign flips of the signed ranks, exact"


def test_failures_on_both_sides_cancel():
    assert sign_flip([math.inf, -math.inf, 1.0, -1.0]).p == 1.0


def test_a_failure_counts_the_same_however_bad_numbers_get():
    assert sign_flip([math.inf, 1.0, 2.0, -3.0]).p == sign_flip([math.inf, 10.0, 20.0, -30.0]).p


def test_ties_have_no_sign_and_add_no_power():
    found = sign_flip([0.0, 1.0, 0.0, 2.0, 3.0])
    assert (found.n, found.nonzero, found.p) == (5, 3, least_p(3))


def test_of_ties_alone_nothing_follows():
    assert sign_flip([0.0, 0.0]).p == 1.0


def test_without_pairs_there_is_no_p():
    assert math.isnan(sign_flip([]).p)


def test_a_nan_is_refused():
    with pytest.raises(ValueError, match="sign"):
        sign_flip([1.0, math.nan])


def test_rounding_does_not_part_equal_sums():
    assert sign_flip([0.1, 0.2, 0.3]).p == sign_flip([1.0, 2.0, 3.0]).p == 0.25


@given(differences, st.randoms(use_true_random=False))
def test_neither_the_order_of_pairs_nor_of_the_two_entries_matters(values, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    found = sign_flip(values)
    assert sign_flip(shuffled) == found
    assert sign_flip([-value for value in values]) == found


@given(st.lists(st.integers(-6, 6).map(float), min_size=1, max_size=9))
def test_the_unit_does_not_matter(values):
    assert sign_flip([0.37 * value for value in values]).p == sign_flip(values).p


def test_many_columns_share_their_patterns():
    table = DRAWN.normal(size=(8, 5))
    assert sign_flip_p(table).tolist() == [sign_flip(column).p for column in table.T]


def test_when_nothing_differs_p_is_uniform():
    p = sign_flip_p(np.random.default_rng(2).normal(size=(10, 4000)))
    for level in (0.05, 0.2, 0.5):
        assert (p <= level).mean() == pytest.approx(level, abs=0.02)

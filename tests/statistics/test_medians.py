from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from deqbench.statistics.failures import failures_last, higher_is_better
from deqbench.statistics.medians import coverage, median_interval


@pytest.mark.parametrize(
    ("n", "expected"),
    [(2, 0.5), (3, 0.75), (5, 0.9375), (6, 0.96875), (10, 0.978515625), (20, 0.9586105346679688)],
)
def test_the_attained_coverage_is_that_of_the_binomial_distribution(n, expected):
    interval = median_interval(np.arange(n))
    rank = int(interval.low) + 1
    assert interval.coverage == pytest.approx(expected)
    assert interval.coverage == pytest.approx(1 - 2 * stats.binom.cdf(rank - 1, n, 0.5))


@pytest.mark.parametrize("n", [3, 4, 7, 10])
def test_the_stated_coverage_is_met_on_a_skewed_distribution(n):
    generator = np.random.default_rng(7)
    intervals = [median_interval(sample) for sample in generator.lognormal(size=(4000, n))]
    hits = np.mean([one.low <= 1.0 <= one.high for one in intervals])  # a lognormal's median is 1
    error = 4 * math.sqrt(0.25 / 4000)
    assert abs(hits - coverage(n, 1 if n < 10 else 2)) < error


def test_with_enough_values_the_interval_is_narrower_than_their_range():
    interval = median_interval(range(10))
    assert (interval.low, interval.high) == (1, 8)


@pytest.mark.parametrize("values", [[3.0, 1.0, 2.0], [4.0, 1.0, 3.0, 2.0], [5.0], [1.0, 1.0, 9.0, 2.0, 4.0]])
def test_the_median_of_finite_values_is_numpys(values):
    assert median_interval(values).median == np.median(values)


def test_one_value_has_a_median_but_no_coverage():
    one = median_interval([0.5])
    assert (one.n, one.median, one.coverage) == (1, 0.5, 0.0)


def test_no_value_has_no_median():
    assert math.isnan(median_interval([]).median)


def test_a_nan_is_refused_for_it_has_no_rank():
    with pytest.raises(ValueError, match="rank"):
        median_interval([1.0, math.nan])


def test_one_failure_of_three_leaves_a_median_and_moves_the_low_end():
    scores = failures_last([0.9, 0.8, 0.99], [True, True, False], higher_is_better=True)
    interval = median_interval(scores)
    assert interval.median == 0.8
    assert interval.low == -math.inf
    assert interval.high == 0.9


def test_when_most_trials_fail_the_median_is_a_failure():
    seconds = failures_last([1.0, 2.0, math.nan], [True, False, True], higher_is_better=False)
    assert median_interval(seconds).median == math.inf


def test_failing_on_a_hard_seed_never_improves_a_median():
    scores = np.array([0.7, 0.8, 0.9, 0.95])
    honest = median_interval(failures_last(scores, [True] * 4, higher_is_better=True))
    for crashed in range(4):
        ok = np.arange(4) != crashed
        assert median_interval(failures_last(scores, ok, higher_is_better=True)).median <= honest.median


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("test_accuracy", True),
        ("test_r2", True),
        ("test_loss", False),
        ("train_seconds", False),
        ("residual", False),
        ("map_equivalents", False),
        ("overhead", False),
        ("error_inputs", False),
        ("cosine_inputs", True),
        ("solved", True),
    ],
)
def test_the_direction_of_a_metric_follows_from_its_name(name, better):
    assert higher_is_better(name) is better

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from deqbench.statistics.hierarchical import hierarchical_interval
from deqbench.statistics.intervals import grouped_interval, mean_interval

DRAWN = np.random.default_rng(5)
samples = arrays(np.float64, st.integers(2, 14), elements=st.integers(-50, 50).map(lambda k: k / 4))


def ends(interval):
    return interval.low, interval.high


@pytest.mark.parametrize("n", [2, 3, 5, 9])
def test_below_ten_values_it_is_students_interval(n):
    values = DRAWN.normal(size=n)
    found = mean_interval(values)
    assert ends(found) == pytest.approx(DescrStatsW(values).tconfint_mean(0.05))
    assert (found.n, found.method) == (n, "t")


def test_two_groups_have_welchs_interval():
    one, two = DRAWN.normal(size=4), DRAWN.normal(3, 5, size=7)
    found = grouped_interval([one, -two])  # its mean is half the difference of the two
    welch = stats.ttest_ind(one, two, equal_var=False).confidence_interval()
    assert ends(found) == pytest.approx((welch.low / 2, welch.high / 2))


def test_from_ten_values_it_is_the_studentised_bootstrap():
    values = DRAWN.lognormal(size=12)
    found = mean_interval(values, resamples=9999, seed=3)
    generator, ratios = np.random.default_rng(8), []
    for _ in range(9999):  # by the book, with other random numbers
        again = generator.choice(values, 12)
        ratios.append((again.mean() - values.mean()) / (again.std(ddof=1) / math.sqrt(12)))
    error = values.std(ddof=1) / math.sqrt(12)
    low, high = values.mean() - error * np.quantile(ratios, [0.975, 0.025])
    assert found.method == "bootstrap-t"
    assert found.low == pytest.approx(low, abs=0.1 * error)
    assert found.high == pytest.approx(high, abs=0.25 * error)  # the long tail


def test_the_bootstrap_follows_the_skew_that_t_cannot():
    values = np.array([1.0, 1.1, 1.2, 1.2, 1.3, 1.4, 1.5, 1.7, 2.1, 3.0, 5.0])
    found = mean_interval(values)
    assert found.high - found.estimate > 1.5 * (found.estimate - found.low)


def test_without_a_value_there_is_nothing():
    none = mean_interval([])
    assert (none.n, none.known) == (0, False)
    assert math.isnan(none.estimate)


def test_one_value_has_a_mean_but_no_interval_and_says_so():
    one = mean_interval([0.5])
    assert (one.n, one.estimate, one.known, one.method) == (1, 0.5, False, "no interval from one value")
    assert not one.holds(0.5)


def test_equal_values_give_an_interval_without_width_and_say_so():
    found = mean_interval([2.0] * 12)
    assert (*ends(found), found.method) == (2.0, 2.0, "values without spread")


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_failed_cannot_be_averaged(bad):
    with pytest.raises(ValueError, match="finite"):
        mean_interval([1.0, bad])


def test_of_few_distinct_values_no_bootstrap_is_taken():
    values = [0.0] * 11 + [1.0]  # a third of the resamples have no spread
    assert mean_interval(values).method == "t"
    assert ends(mean_interval(values)) == pytest.approx(DescrStatsW(values).tconfint_mean(0.05))


def test_a_seed_gives_the_same_interval_twice_and_another_seed_another():
    values = DRAWN.normal(size=15)
    assert mean_interval(values, seed=1) == mean_interval(values, seed=1)
    assert mean_interval(values, seed=1) != mean_interval(values, seed=2)


def test_the_resamples_are_drawn_in_pieces_when_there_are_many_values():
    values = DRAWN.normal(size=5000)
    assert ends(mean_interval(values, resamples=999)) == pytest.approx(
        DescrStatsW(values).tconfint_mean(0.05), abs=0.005
    )


@given(samples, st.randoms(use_true_random=False))
def test_the_order_of_the_values_does_not_matter(values, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    assert mean_interval(shuffled, resamples=199) == mean_interval(values, resamples=199)


@given(samples)
def test_b_minus_a_has_minus_the_interval_of_a_minus_b(values):
    one, two = mean_interval(values, resamples=199), mean_interval(-values, resamples=199)
    if one.estimate != 0:  # at 0 there is no orientation to choose by
        assert (-two.high, -two.low) == pytest.approx(ends(one), abs=1e-9)


@given(samples, st.floats(0.01, 100))
def test_the_interval_scales_with_its_values(values, scale):
    one, two = mean_interval(values, resamples=199), mean_interval(scale * values, resamples=199)
    assert ends(two) == pytest.approx((scale * one.low, scale * one.high), rel=1e-6, abs=1e-9)


@given(samples)
def test_the_mean_lies_in_its_interval(values):
    found = mean_interval(values, resamples=199)
    assert found.low <= found.estimate + 1e-12
    assert found.estimate <= found.high + 1e-12


def test_through_an_exponential_the_mean_logarithm_is_a_ratio():
    found = mean_interval(np.log([2.0, 8.0, 4.0])).through(math.exp)
    assert found.estimate == pytest.approx(4.0)
    assert found.low < 4.0 < found.high


def frame(groups):
    return pd.DataFrame([{"task": t, "value": v} for t, values in groups.items() for v in values])


def test_every_task_weighs_the_same_however_many_seeds_it_has():
    found = hierarchical_interval(frame({"a": [1.0, 3.0], "b": [10.0] * 5 + [16.0]}))
    assert found.estimate == pytest.approx((2 + 11) / 2)
    assert (found.n, found.tasks, found.method) == (8, 2, "t, tasks fixed")


def test_drawn_tasks_have_the_interval_of_their_means():
    groups = {task: DRAWN.normal(DRAWN.normal(0, 5), 1, size=6) for task in "abcd"}
    means = [values.mean() for values in groups.values()]
    found = hierarchical_interval(frame(groups), resample_tasks=True)
    assert ends(found) == pytest.approx(DescrStatsW(means).tconfint_mean(0.05))
    assert (found.n, found.tasks, found.method) == (24, 4, "t, tasks drawn")
    fixed = hierarchical_interval(frame(groups))
    assert found.high - found.low > fixed.high - fixed.low


def test_one_seed_a_task_speaks_of_other_tasks_only():
    table = frame({"a": [1.0], "b": [2.0], "c": [4.0]})
    assert hierarchical_interval(table, resample_tasks=True).known
    fixed = hierarchical_interval(table)
    assert not fixed.known
    assert "one value" in fixed.method


def test_no_row_has_no_interval():
    assert hierarchical_interval(frame({}).reindex(columns=["task", "value"])).n == 0


def test_the_order_of_the_rows_does_not_matter_to_the_bootstrap_within_tasks():
    table = frame({"a": DRAWN.normal(size=11), "b": DRAWN.normal(size=10)})
    found = hierarchical_interval(table, resamples=499)
    assert found.method == "bootstrap-t, tasks fixed"
    assert hierarchical_interval(table.sample(frac=1, random_state=1), resamples=499) == found

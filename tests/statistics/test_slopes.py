"""Measured rates of convergence and exponents of scaling."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deqbench.statistics.rates import against_bound, measured_rate
from deqbench.statistics.scaling import scaling_exponent
from deqbench.statistics.slopes import MOST_POINTS, theil_sen

CALLS = np.arange(60)
FLOORED = 3.0 * 0.5**CALLS + 1e-12 * (1 + np.random.default_rng(2).random(60))


@given(st.floats(0.05, 0.98))
def test_a_geometric_trace_has_its_own_factor(factor):
    assert measured_rate(2.0 * factor ** np.arange(25.0)).factor == pytest.approx(factor)


def test_the_floor_is_found_and_left_out():
    found = measured_rate(FLOORED)
    assert found.factor == pytest.approx(0.5, rel=1e-4)
    assert 30 <= found.floor <= 40  # 3 * 0.5^k falls to ten floors at k = 38
    assert found.slope.n == found.floor


def test_a_slope_through_the_floor_as_well_would_be_wrong():
    assert np.exp(np.polyfit(CALLS, np.log(FLOORED), 1)[0]) > 0.55


def test_wild_points_do_not_move_the_rate():
    wild = 0.8 ** np.arange(40.0)
    wild[[7, 20]] *= 50
    assert measured_rate(wild).factor == pytest.approx(0.8, rel=0.01)


def test_the_unit_of_work_is_the_callers():
    found = measured_rate(0.5 ** np.arange(20.0), 4.0 * np.arange(20))
    assert found.factor == pytest.approx(0.5**0.25)


def test_an_exact_zero_is_at_the_floor():
    found = measured_rate([1.0, 0.1, 0.01, 0.001, 0.0])
    assert found.factor == pytest.approx(0.1)
    assert found.floor <= 4


def test_a_divergence_ends_the_trace():
    assert measured_rate([1.0, 2.0, 4.0, 8.0, math.nan, 1.0]).factor == pytest.approx(2.0)
    assert measured_rate([1.0, 2.0, 4.0, math.inf]).factor == pytest.approx(2.0)
    assert measured_rate([1.0, 0.9, 2.0, 4.0, 8.0, 16.0]).factor > 1.5  # a dip is no convergence


@pytest.mark.parametrize("trace", [[], [1.0], [0.0], [math.nan, 1.0]])
def test_a_point_has_no_slope(trace):
    found = measured_rate(trace)
    assert math.isnan(found.slope.estimate)
    assert math.isnan(against_bound(found, 0.5))


def test_a_superlinear_leap_still_has_a_slope_and_two_points_no_interval():
    found = measured_rate([1.0, 1e-9])
    assert found.factor == pytest.approx(1e-9)
    assert not found.slope.known


def test_as_fast_as_promised_is_one_and_twice_as_fast_a_half():
    found = measured_rate(0.9 ** np.arange(30.0))
    assert against_bound(found, 0.9) == pytest.approx(1.0)
    assert against_bound(found, math.sqrt(0.9)) == pytest.approx(0.5)
    assert against_bound(found, 0.81) == pytest.approx(2.0)  # slower than the bound: an assumption failed


def test_who_does_not_converge_needs_for_ever_and_a_bound_of_one_promises_nothing():
    assert against_bound(measured_rate(1.1 ** np.arange(9.0)), 0.9) == math.inf
    assert math.isnan(against_bound(measured_rate(0.9 ** np.arange(9.0)), 1.0))


@given(st.floats(-1, 4))
def test_a_power_law_has_its_own_exponent(exponent):
    sizes = np.array([8.0, 16, 32, 64, 128])
    found = scaling_exponent(sizes, 3.0 * sizes**exponent)
    assert found.exponent.estimate == pytest.approx(exponent, abs=1e-9)
    assert (found.sizes, found.smallest, found.largest) == (5, 8, 128)


def test_the_interval_of_an_exponent_covers_it_at_its_level():
    generator, hits = np.random.default_rng(8), 0
    sizes = np.repeat([10.0, 20, 40, 80], 3)
    for _ in range(400):
        costs = sizes**1.5 * generator.lognormal(0, 0.3, 12)
        found = scaling_exponent(sizes, costs).exponent
        hits += found.holds(1.5)
    assert hits / 400 >= 0.92


def test_failures_are_counted_beside_the_exponent():
    found = scaling_exponent([1.0, 2.0, 4.0, 8.0], [1.0, 4.0, 16.0, math.nan])
    assert found.exponent.estimate == pytest.approx(2.0)
    assert (found.lost, found.largest) == (1, 4.0)


@pytest.mark.parametrize("sizes", [[], [3.0], [3.0, 3.0]])
def test_one_size_has_no_exponent(sizes):
    assert math.isnan(scaling_exponent(sizes, [1.0] * len(sizes)).exponent.estimate)


def test_a_power_law_is_of_positive_numbers():
    with pytest.raises(ValueError, match="> 0"):
        scaling_exponent([1.0, 2.0], [0.0, 1.0])


def test_many_points_are_thinned_and_counted_whole():
    x = np.linspace(0, 1, 3 * MOST_POINTS)
    found = theil_sen(x, 5 * x, 0.95)
    assert found.estimate == pytest.approx(5)
    assert found.n == 3 * MOST_POINTS

"""What every solver of the registry keeps on every random contraction: truth, isolation and honest counts."""

from collections import Counter as Tally
from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_problems import (
    CURVED,
    CURVED_STEPWISE,
    EXTERNAL,
    OFFERED,
    STEPWISE,
    Problem,
    problems,
    served,
    stops,
)

from deqbench.equilibria.maps import Map, flat_rows
from deqbench.equilibria.solving import SolveStatus, drive
from deqbench.errors import InapplicableError

EXAMPLES = settings(
    derandomize=True,
    deadline=None,
    max_examples=6,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
EVERY = pytest.mark.parametrize("name", [*STEPWISE, *EXTERNAL])
EVERY_CURVED = pytest.mark.parametrize("name", CURVED_STEPWISE)  # what serves maps that are not affine
EVERY_STEPWISE = pytest.mark.parametrize("name", STEPWISE)


def unit(dtype):
    return torch.finfo(dtype).eps


@EVERY
@EXAMPLES
@given(data=st.data())
def test_converged_means_that_the_true_residual_meets_the_tolerance(name, data):
    problem = data.draw(problems(name))
    stop = data.draw(stops(problem.dtype))
    f, z0 = problem.map()
    solution = drive(OFFERED[name], f, z0, stop)
    assert solution.z.shape == z0.shape
    assert solution.z.dtype == z0.dtype
    assert torch.isfinite(solution.z).all()
    assert solution.converged.all() or name in EXTERNAL, solution
    true = problem.true_residual(solution.z, stop.norm)
    assert (true <= 1.1 * stop.tolerance)[solution.converged].all()


@EVERY
@EXAMPLES
@given(data=st.data())
def test_the_residual_on_record_is_true_also_where_it_is_missed(name, data):
    problem = data.draw(problems(name))
    stop = data.draw(stops(problem.dtype, max_calls=5))
    solution = drive(OFFERED[name], *problem.map(), stop)
    true = problem.true_residual(solution.z, stop.norm)
    size = 1 if stop.norm == "relative" else 1 + flat_rows(solution.z.double()).norm(dim=1)
    slack = 20 * unit(problem.dtype) * size  # of the rounding of f itself
    assert ((solution.residual.double() - true).abs() <= 0.1 * true + slack).all()
    met = solution.residual <= stop.tolerance
    assert torch.equal(met, solution.converged)


@EVERY
@EXAMPLES
@given(data=st.data())
def test_nothing_untrue_is_said_of_a_map_that_does_not_contract(name, data):
    drawn = data.draw(problems(name))
    problem = replace(drawn, norm=data.draw(st.floats(1.0, 8.0)))
    stop = data.draw(stops(problem.dtype, max_calls=60))
    try:
        solution = drive(OFFERED[name], *problem.map(), stop)
    except InapplicableError:  # it needs a contraction, or a monotone map, and says so
        return
    assert torch.isfinite(solution.z).all()
    true = problem.true_residual(solution.z, stop.norm)
    size = 1 if stop.norm == "relative" else 1 + flat_rows(solution.z.double()).norm(dim=1)
    slack = 100 * unit(problem.dtype) * size
    known = torch.isfinite(solution.residual)  # else no iterate was, and z is the start
    assert ((solution.residual.double() - true).abs() <= 0.1 * true + slack)[known].all()
    assert (solution.status[~known] == SolveStatus.NON_FINITE).all()
    assert torch.equal(solution.residual <= stop.tolerance, solution.converged)


@EVERY_CURVED
@EXAMPLES
@given(data=st.data())
def test_calls_charged_are_calls_made(name, data):
    problem = data.draw(problems(name, families=CURVED))
    stop = data.draw(stops(problem.dtype))
    matrix, x, z0 = problem.parts()
    function, seen = problem.function(matrix), Tally()

    def witnessed(z, x):
        seen.update(calls=1, samples=len(z))
        return function(z, x)

    f = Map(witnessed, (x,))
    solution = drive(OFFERED[name], f, z0, stop, trace=True)
    assert (f.counter.calls, f.counter.sample_calls) == (seen["calls"], seen["samples"])
    assert (solution.calls <= f.counter.calls).all()
    assert solution.calls.sum() <= f.counter.sample_calls
    assert [point.calls for point in solution.trace] == sorted(point.calls for point in solution.trace)


@EVERY_STEPWISE
@EXAMPLES
@given(data=st.data())
def test_a_sample_does_not_feel_its_batch_mates(name, data):
    problem = data.draw(problems(name, dtypes=(torch.float64,), batches=(2, 7)))
    stop = data.draw(stops(problem.dtype))
    matrix, x, z0 = problem.parts()
    whole = drive(OFFERED[name], Map(problem.function(matrix), (x,)), z0, stop)
    row = data.draw(st.integers(0, len(z0) - 1))
    own = slice(row, row + 1)
    alone = drive(OFFERED[name], Map(problem.function(matrix), (x[own],)), z0[own], stop)
    assert torch.equal(whole.status[own], alone.status)
    assert torch.equal(whole.calls[own], alone.calls)
    # A product with another number of rows rounds otherwise, which mixing of dependent columns magnifies.
    slack = 0.1 * stop.tolerance
    torch.testing.assert_close(whole.z[own], alone.z, rtol=slack, atol=slack)


@EVERY_STEPWISE
@EXAMPLES
@given(data=st.data())
def test_a_nan_row_changes_no_other_rows_value_or_calls(name, data):
    family = data.draw(st.sampled_from(served(name)))
    norm = data.draw(st.floats(0.0, 0.9))
    problem = Problem(family, (64, 3), norm, data.draw(st.integers(0, 2**16)))
    stop = data.draw(stops(problem.dtype))
    matrix, x, z0 = problem.parts()
    bad = data.draw(st.integers(0, 63))
    spoilt = x.clone()
    spoilt[bad] = torch.nan
    clean = drive(OFFERED[name], Map(problem.function(matrix), (x,)), z0, stop)
    found = drive(OFFERED[name], Map(problem.function(matrix), (spoilt,)), z0, stop)
    others = torch.arange(64) != bad
    assert torch.equal(found.status[others], clean.status[others])
    assert torch.equal(found.calls[others], clean.calls[others])
    slack = 0.1 * stop.tolerance  # the batch shrinks earlier: its products round otherwise
    torch.testing.assert_close(found.z[others], clean.z[others], rtol=slack, atol=slack)
    assert found.status[bad] == SolveStatus.NON_FINITE
    assert torch.equal(found.z[bad], z0[bad])  # no iterate of that row was finite but its start
    assert found.residual[bad] == torch.inf


@EVERY_CURVED
@EXAMPLES
@given(data=st.data())
def test_the_unit_of_the_state_does_not_matter(name, data):
    problem = data.draw(problems(name, dtypes=(torch.float64,), families=CURVED))
    scale = 2.0 ** data.draw(st.sampled_from((-20, 20)))
    stop = replace(data.draw(stops(problem.dtype)), norm="relative")
    matrix, x, z0 = problem.parts()
    f = problem.function(matrix)
    plain = drive(OFFERED[name], Map(f, (x,)), z0, stop)
    scaled = drive(OFFERED[name], Map(lambda z, x: scale * f(z / scale, x), (x,)), scale * z0, stop)
    assert ((plain.calls - scaled.calls).abs() <= 1).all()
    assert torch.equal(plain.status, scaled.status)


@EVERY_CURVED
@EXAMPLES
@given(data=st.data())
def test_the_best_finite_iterate_is_returned_by_a_row_that_turns_nan_on_its_way(name, data):
    family = data.draw(st.sampled_from(CURVED))
    problem = Problem(family, (4, 3), 0.8, data.draw(st.integers(0, 2**16)))
    matrix, x, z0 = problem.parts()
    f = problem.function(matrix)
    least = 10.0 ** data.draw(st.integers(-6, -1))

    def breaks_near(z, x):
        fz = f(z, x)
        return torch.where((fz - z).norm(dim=1, keepdim=True) < least, torch.nan, fz)

    stop = replace(data.draw(stops(problem.dtype)), tolerance=1e-3 * least)
    solution = drive(OFFERED[name], Map(breaks_near, (x,)), z0, stop)
    assert torch.isfinite(solution.z).all()
    assert not solution.converged.any()
    known = torch.isfinite(solution.residual)
    true = problem.true_residual(solution.z, stop.norm)
    torch.testing.assert_close(solution.residual[known], true[known])


@EVERY_STEPWISE
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@EXAMPLES
@given(data=st.data())
def test_half_precision_states_converge_to_what_half_precision_allows(name, dtype, data):
    problem = data.draw(problems(name, dtypes=(dtype,), batches=(0, 1, 7)))
    # An absolute tolerance may ask for less than the rounding of a large state.
    stop = replace(data.draw(stops(dtype)), norm="relative")
    solution = drive(OFFERED[name], *problem.map(), stop)
    assert solution.z.dtype == dtype
    assert solution.converged.all(), solution
    assert (problem.true_residual(solution.z) <= 1.1 * stop.tolerance + 4 * unit(dtype)).all()

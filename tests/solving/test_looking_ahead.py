"""Steps that nobody looks at: they end where looking at each would have, and what is late is charged."""

import itertools
import math

import pytest
import torch
from equilibrium_families import affine_softmax, family, tanh_map
from hypothesis import given
from hypothesis import strategies as st

from deqbench.equilibria.looking_ahead import CLOSE, MOST, Outlook
from deqbench.equilibria.maps import Map
from deqbench.equilibria.single_judge import SingleJudge
from deqbench.equilibria.solving import SolveStatus, Stop, drive
from deqbench_plugins.solvers.anderson import Anderson
from deqbench_plugins.solvers.picard import Picard


def looks(residual, tolerance, most=10_000):
    """Return the steps at which an outlook has a search looked at, until it is solved."""
    outlook, steps, seen = Outlook(tolerance), 0, [0]
    while residual(steps) > tolerance and steps < most:
        steps += outlook.ahead(residual(steps), steps)
        seen.append(steps)
    return seen


@given(st.floats(0.05, 0.99), st.integers(2, 12))
def test_a_linear_fall_is_met_at_its_very_step(rate, digits):
    tolerance = 10.0**-digits
    seen = looks(lambda steps: rate**steps, tolerance)
    first = next(steps for steps in range(3_000) if rate**steps <= tolerance)
    assert seen[-1] == first
    assert max(after - before for before, after in itertools.pairwise(seen)) <= MOST


def test_a_slow_fall_is_looked_at_once_in_eight_steps():
    seen = looks(lambda steps: 0.99**steps, 1e-6)
    assert len(seen) < seen[-1] / MOST + CLOSE + MOST


def test_a_fall_that_ends_is_not_passed_by():
    seen = looks(lambda steps: max(0.5**steps, 1e-3), 1e-6, most=200)
    after = [steps for steps in seen if steps > 20]
    assert after == list(range(after[0], after[-1] + 1))


@pytest.mark.parametrize("residual", [math.nan, math.inf, 1.0])
def test_without_a_fall_the_next_step_is_looked_at(residual):
    outlook = Outlook(1e-6)
    assert [outlook.ahead(residual, steps) for steps in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("map_", [affine_softmax, tanh_map])
@pytest.mark.parametrize("rate", [0.5, 0.9, 0.99])
def test_a_sample_ends_where_it_would_have_at_a_fraction_of_the_looks(map_, rate, monkeypatch):
    looked = []
    plain = SingleJudge.observe
    monkeypatch.setattr(SingleJudge, "observe", lambda self, *given: looked.append(1) or plain(self, *given))
    f, x = map_(1, 24, rate, dtype=torch.float64)
    found, looks_at = {}, {}
    for every in (1, "auto"):
        looked.clear()
        found[every] = drive(Picard(), Map(f, (x,)), torch.zeros_like(x), Stop(1e-9, 3000, check_every=every))
        looks_at[every] = len(looked)
    assert found[1].converged.all()
    assert torch.equal(found["auto"].calls, found[1].calls)
    assert torch.equal(found["auto"].z, found[1].z)
    assert looks_at["auto"] < looks_at[1] / 2 + CLOSE


def test_a_batch_is_looked_at_after_every_step():
    f, z0 = family("lin", 4, 24, 0.9, torch.float64)
    ends = [drive(Picard(), f, z0, Stop(1e-9, 1000, check_every=every)) for every in (1, "auto")]
    assert torch.equal(ends[0].calls, ends[1].calls)
    assert torch.equal(ends[0].z, ends[1].z)


def test_a_sudden_end_is_found_late_and_charged():
    # Nilpotent: the residual halves while entries are shifted out, and is zero once they are.
    shift = torch.diag(torch.full((11,), 0.5, dtype=torch.float64), 1)
    f = Map(lambda z, x: z @ shift.T + x, (torch.ones(1, 12, dtype=torch.float64),))
    solution = drive(Picard(), f, torch.zeros(1, 12, dtype=torch.float64), Stop(1e-12, 100))
    exact = 12 + 1  # the shift's twelfth power is zero, and a call more shows it
    assert solution.converged.all()
    assert exact <= int(solution.calls[0]) < exact + MOST
    assert f.counter.calls == int(solution.calls[0])
    torch.testing.assert_close(solution.z[0], 2 - 0.5 ** torch.arange(11.0, -1, -1, dtype=torch.float64))


def test_a_map_that_runs_away_is_given_up_as_soon():
    ends = {}
    for every in (1, "auto"):
        f = Map(lambda z: -190 * z + 1)
        z0 = torch.full((1, 3), 0.5, dtype=torch.float64)
        ends[every] = drive(Picard(), f, z0, Stop(1e-9, 500, check_every=every))
    assert (ends["auto"].status == SolveStatus.DIVERGED).all()
    assert int(ends["auto"].calls[0]) <= int(ends[1].calls[0]) + MOST


def test_a_trace_has_every_step_and_other_solvers_are_looked_at_each():
    f, z0 = family("tanhsym", 1, 16, 0.9, torch.float64)
    traced = drive(Picard(), f, z0, Stop(1e-9, 1000), trace=True)
    assert len(traced.trace) == traced.steps + 1
    ends = []
    for every in (1, "auto"):
        g, start = family("tanhsym", 1, 16, 0.9, torch.float64)
        ends.append(drive(Anderson(), g, start, Stop(1e-9, 1000, check_every=every)))
    assert torch.equal(ends[0].z, ends[1].z)
    assert torch.equal(ends[0].calls, ends[1].calls)

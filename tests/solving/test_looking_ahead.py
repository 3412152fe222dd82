"""Steps that nobody looks at: they end where looking at each would have, and what is late is charged."""

import itertools
import math

import pytest
import torch
from equilibrium_families import affine_softmax, family, tanh_map
from hypothesis import given
from hypothesis import strategies as st

from deqbench.equilibria.host_judge import HostJudge
from deqbench.equilibria.looking_ahead import CLOSE, LONG, MOST, Outlook
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


@given(st.floats(0.05, 0.99), st.floats(1, 8 / 7), st.integers(0, 60))
def test_a_fall_that_becomes_faster_by_less_than_a_seventh_is_met_at_its_very_step(rate, faster, turn):
    def residual(steps):
        return rate ** (steps + (faster - 1) * max(steps - turn, 0))

    seen = looks(residual, 1e-8)
    assert seen[-1] == next(steps for steps in range(3_000) if residual(steps) <= 1e-8)


def test_a_rate_that_is_relied_on_leads_to_the_end_at_once():
    outlook = Outlook(1e-3, 1.0, 0)
    assert outlook.ahead(10**-1.5, LONG) == 4  # as many steps again, less an eighth, rounded up
    assert outlook.ahead(10**-2.9, 2 * LONG) == 1


def test_an_adjoint_equation_is_looked_at_once_less(monkeypatch):
    looked = []
    plain = SingleJudge.observe
    monkeypatch.setattr(
        SingleJudge, "observe", lambda self, *given: looked.append(given[-1]) or plain(self, *given)
    )
    f, unit = map_of_unit_start(0.5)
    seen = []
    for unit_start in (False, True):
        looked.clear()
        found = drive(Picard(), f, unit, Stop(1e-6, norm="absolute"), unit_start=unit_start)
        seen.append((list(looked), int(found.calls)))
    (plainly, calls), (knowing, same) = seen
    assert same == calls
    assert len(knowing) < len(plainly)


def map_of_unit_start(rate):
    """Return u -> rate u Q + g with Q orthogonal, and its start g of unit length: an adjoint equation."""
    g = torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn(24, 24, generator=g, dtype=torch.float64))[0]
    start = torch.nn.functional.normalize(torch.randn(1, 24, generator=g, dtype=torch.float64))
    return Map(lambda u, gradient: rate * u @ turn + gradient, (start,)), start


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


@pytest.fixture
def looked(monkeypatch):
    """Counts the looks at a batch, at all of its samples or at some."""
    made = []
    for name in ("observe", "glance"):
        plain = getattr(HostJudge, name)
        monkeypatch.setattr(
            HostJudge, name, lambda self, *given, plain=plain: made.append(1) or plain(self, *given)
        )
    return made


@pytest.mark.parametrize("norm", ["relative", "absolute", "l1"])
@pytest.mark.parametrize(("name", "rate"), [("lin", 0.5), ("lin", 0.9), ("tanh", 0.9), ("tanhsym", 0.99)])
def test_every_sample_of_a_batch_ends_where_it_would_have_at_fewer_looks(name, rate, norm, looked):
    ends, looks_at = [], []
    for every in (1, "auto"):
        f, z0 = family(name, 16, 24, rate, torch.float64)
        looked.clear()
        ends.append(drive(Picard(), f, z0, Stop(1e-9, 3000, norm, check_every=every)))
        looks_at.append(len(looked))
    assert ends[0].converged.all()
    assert torch.equal(ends[0].calls, ends[1].calls)
    # A batch that is narrowed at another step is rounded otherwise.
    torch.testing.assert_close(ends[0].residual, ends[1].residual, rtol=1e-5, atol=0.0)
    torch.testing.assert_close(ends[0].z, ends[1].z, rtol=1e-14, atol=1e-14)
    assert looks_at[1] < 0.8 * looks_at[0]


@given(st.lists(st.floats(0.05, 0.98), min_size=2, max_size=6), st.floats(0.05, 0.98))
def test_no_samples_end_depends_on_the_others_in_its_batch(rates, other):
    def ends(rates):
        slopes = torch.tensor(rates, dtype=torch.float64).unsqueeze(1)
        f = Map(lambda z, slope: torch.tanh(slope * z) + 0.1 * slope, (slopes,))
        return drive(Picard(), f, torch.zeros(len(rates), 3, dtype=torch.float64), Stop(1e-8, 2000))

    alone, beside = ends(rates), ends([*rates, other])
    assert torch.equal(alone.calls, beside.calls[:-1])
    assert torch.equal(alone.status, beside.status[:-1])
    assert torch.equal(alone.z, beside.z[:-1])


def test_a_batch_whose_calls_are_spent_returns_the_best_of_its_last_step():
    f, z0 = family("lin", 4, 24, 0.9, torch.float64)
    every, auto = (drive(Picard(), f, z0, Stop(1e-12, 21, check_every=check)) for check in (1, "auto"))
    assert (auto.status == SolveStatus.MAX_CALLS).all()
    assert torch.equal(auto.z, every.z)
    assert torch.equal(auto.calls, every.calls)


@pytest.mark.parametrize("limit", [3, 100])
def test_a_sample_that_is_not_finite_leaves_the_others_as_they_are(limit):
    rates = torch.full((3, 1), 0.5, dtype=torch.float64)
    z0 = torch.zeros(3, 2, dtype=torch.float64)

    def f(z, rate):
        return torch.where(z > 1.2, torch.nan, rate * z + 1)

    clean = drive(Picard(), Map(lambda z, rate: rate * z + 1, (rates,)), z0, Stop(1e-6, limit))
    spoilt = rates.clone()
    spoilt[1] = 0.05  # its equilibrium lies under 1.2, those of the others above
    found = drive(Picard(), Map(f, (spoilt,)), z0, Stop(1e-6, limit))
    assert found.status[[0, 2]].tolist() == [SolveStatus.NON_FINITE] * 2
    assert torch.isfinite(found.z).all()
    assert torch.equal(clean.calls[0], clean.calls[2])
    alone = drive(Picard(), Map(f, (spoilt[[1, 1]],)), z0[:2], Stop(1e-6, limit))
    assert torch.equal(found.z[1], alone.z[0])
    assert torch.equal(found.calls[1], alone.calls[0])


@pytest.mark.parametrize(("every", "first"), [(1, 0), (2, 2), (8, 8)])
def test_who_looks_seldom_does_not_look_at_the_start(every, first):
    f, z0 = family("lin", 3, 8, 0.9, torch.float64)
    solved = drive(Picard(), f, z0, Stop(1e-9, 1000)).z
    again = drive(Picard(), f, solved, Stop(1e-6, 1000, check_every=every))
    assert again.converged.all()
    assert (again.calls == first + 1).all()
    traced = drive(Picard(), f, solved, Stop(1e-6, 1000, check_every=every), trace=True)
    assert (traced.calls == 1).all()


@pytest.mark.parametrize("batch", [1, 3])
def test_a_sudden_end_is_found_late_and_charged(batch):
    # Nilpotent: the residual halves while entries are shifted out, and is zero once they are.
    shift = torch.diag(torch.full((11,), 0.5, dtype=torch.float64), 1)
    f = Map(lambda z, x: z @ shift.T + x, (torch.ones(batch, 12, dtype=torch.float64),))
    solution = drive(Picard(), f, torch.zeros(batch, 12, dtype=torch.float64), Stop(1e-12, 100))
    exact = 12 + 1  # the shift's twelfth power is zero, and a call more shows it
    assert solution.converged.all()
    assert exact <= int(solution.calls[0]) < exact + MOST
    assert f.counter.calls == int(solution.calls[0])
    torch.testing.assert_close(solution.z[0], 2 - 0.5 ** torch.arange(11.0, -1, -1, dtype=torch.float64))


@pytest.mark.parametrize("batch", [1, 3])
def test_a_map_that_runs_away_is_given_up_as_soon(batch):
    ends = {}
    for every in (1, "auto"):
        f = Map(lambda z: -190 * z + 1)
        z0 = torch.full((batch, 3), 0.5, dtype=torch.float64)
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

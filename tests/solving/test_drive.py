"""What the core sees to for every solver: residuals, freezing, isolation, statuses, limits."""

from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from equilibrium_families import affine_softmax, family, tanh_map
from torch import Tensor

from deqbench.equilibria import solving
from deqbench.equilibria.host_judge import HostJudge
from deqbench.equilibria.solving import AffineMap, Map, SolveStatus, Stop, drive
from deqbench.errors import ConfigurationError
from deqbench.interfaces import Iterate
from deqbench_plugins.solvers.anderson import Anderson
from deqbench_plugins.solvers.broyden import Broyden
from deqbench_plugins.solvers.picard import Picard

ITERATIVE = [Picard(), Picard(damping=0.5), Anderson(), Anderson(damping=0.7), Broyden()]


def relative_residual(f, z):
    z, inputs = z.double(), [part.double() for part in f.inputs]
    fz = f.function(z, *inputs)
    return (fz - z).norm(dim=1) / fz.norm(dim=1)


def wide_tanh(batch=8, d=16, norm=0.9, dtype=torch.float64):
    f, x = tanh_map(batch, d, norm, dtype=dtype)
    return Map(f, (x,)), torch.zeros_like(x)


@pytest.mark.parametrize("solver", ITERATIVE, ids=repr)
def test_the_reported_residual_is_that_of_the_returned_point(solver):
    f, z0 = wide_tanh()
    solution = drive(solver, f, z0, Stop(1e-6, 2000))
    assert solution.converged.all()
    torch.testing.assert_close(solution.residual, relative_residual(f, solution.z), rtol=1e-6, atol=0)


@pytest.mark.parametrize("solver", ITERATIVE, ids=repr)
def test_an_unsolved_point_is_returned_with_its_true_residual(solver):
    f, z0 = wide_tanh()
    solution = drive(solver, f, z0, Stop(1e-12, 6))
    assert not solution.converged.any()
    assert (solution.status == SolveStatus.MAX_CALLS).all()
    torch.testing.assert_close(solution.residual, relative_residual(f, solution.z), rtol=1e-6, atol=0)


@pytest.mark.parametrize("norm", ["absolute", "l1"])
def test_absolute_norms_bound_what_they_name(norm):
    f, z0 = wide_tanh()
    solution = drive(Picard(), f, z0, Stop(1e-7, 200, norm))
    gap = f.function(solution.z, *f.inputs) - solution.z
    exact = gap.norm(dim=1, p=1 if norm == "l1" else 2)
    torch.testing.assert_close(solution.residual, exact)
    assert (exact <= 1e-7).all()


@pytest.mark.parametrize("solver", ITERATIVE, ids=repr)
def test_samples_do_not_influence_each_other(solver):
    f, z0 = wide_tanh()
    together = drive(solver, f, z0, Stop(1e-8, 500))
    for row in range(len(z0)):
        alone = drive(solver, f.rows(torch.tensor([row])), z0[row : row + 1], Stop(1e-8, 500))
        assert alone.calls.item() == together.calls[row].item()
        torch.testing.assert_close(alone.z[0], together.z[row], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("solver", ITERATIVE, ids=repr)
def test_a_row_of_nan_changes_no_other_row(solver):
    f, z0 = wide_tanh()
    clean = drive(solver, f, z0, Stop(1e-8, 500))
    x = f.inputs[0].clone()
    x[3] = torch.nan
    dirty = drive(solver, Map(f.function, (x,)), z0, Stop(1e-8, 500))
    others = torch.arange(len(z0)) != 3
    assert torch.equal(dirty.calls[others], clean.calls[others])
    torch.testing.assert_close(dirty.z[others], clean.z[others], rtol=1e-12, atol=1e-14)
    assert dirty.status[3] == SolveStatus.NON_FINITE
    assert torch.isfinite(dirty.z[3]).all()


class Clock(NamedTuple):
    """A state with a counter of its own, so that one row can be spoilt at a given step."""

    z: Tensor
    fz: Tensor
    steps: int


class SpoiltLater:
    """Picard that turns its second row into NaN at the fifth step."""

    def init(self, f, z0):
        return Clock(z0, f(z0), 0)

    def step(self, f, state):
        z = state.fz.clone()
        if state.steps == 4:
            z[1] = torch.nan
        return Clock(z, f(z), state.steps + 1)


def test_a_row_that_turns_nan_returns_its_best_finite_iterate():
    f, z0 = wide_tanh()
    spoilt = drive(SpoiltLater(), f, z0, Stop(1e-10, 200))
    before = drive(Picard(), f, z0, Stop(1e-10, 5))
    assert spoilt.status[1] == SolveStatus.NON_FINITE
    torch.testing.assert_close(spoilt.z[1], before.z[1], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(spoilt.residual[1], before.residual[1])


def test_one_slow_sample_costs_its_own_calls_only():
    slow, phi = affine_softmax(64, 32, 0.5, torch.float64)
    level = torch.full((64, 1), 0.5, dtype=torch.float64)
    level[7] = 0.99
    f = Map(lambda z, x, level: 2 * level * (z @ slow.matrix.T) + x, (phi, level))
    solution = drive(Picard(), f, torch.zeros_like(phi), Stop(1e-3, 1000))
    assert solution.converged.all()
    assert solution.calls[7] > 10 * solution.calls.median()
    # Half of the batch at most is computed in vain.
    assert f.counter.sample_calls <= 1.3 * int(solution.calls.sum())


@pytest.mark.parametrize(("every", "small", "calls"), [(1, 2**16, 1), (1, 0, 0), (4, 2**16, 0)])
def test_a_small_batch_is_narrowed_a_step_later_and_no_later(every, small, calls, monkeypatch):
    monkeypatch.setattr(solving, "SMALL", small)
    rates = torch.tensor([[0.0], [0.0], [0.0], [0.5]], dtype=torch.float64)
    seen = []

    def f(z, rates):
        seen.append(len(z))
        return rates * z + 1

    z0 = torch.zeros(4, 1, dtype=torch.float64)
    assert drive(Picard(), Map(f, (rates,)), z0, Stop(1e-6, 100, check_every=every)).converged.all()
    fast = 2 if every == 1 else 1 + every  # calls until a look finds three of the four done
    assert seen == [4] * (fast + calls) + [1] * (len(seen) - fast - calls)
    assert len(seen) > fast + calls


def test_a_map_without_inputs_is_never_narrowed():
    x = torch.linspace(0.1, 0.9, 16, dtype=torch.float64).reshape(16, 1)
    solution = drive(Picard(), Map(lambda z: torch.tanh(x * z + 1)), torch.zeros_like(x), Stop(1e-9, 200))
    assert solution.converged.all()
    assert solution.calls.unique().numel() > 3


class LyingResidual:
    """Claims that f(z) = z."""

    def init(self, f, z0):
        f(z0)
        return Iterate(z0, z0)

    def step(self, f, state):
        fz = f(state.z)
        return Iterate(fz, fz)


def test_a_solver_that_lies_about_f_is_evaluated_again_and_charged():
    f, z0 = wide_tanh()
    solution = drive(LyingResidual(), f, z0, Stop(1e-6, 100))
    torch.testing.assert_close(solution.residual, relative_residual(f, solution.z), rtol=1e-6, atol=0)
    assert (solution.calls > drive(Picard(), f, z0, Stop(1e-6, 100)).calls).all()


class Idle:
    """Never calls the map again."""

    def init(self, f, z0):
        return Iterate(z0, f(z0))

    def step(self, f, state):
        return state


def test_a_solver_that_calls_nothing_ends_at_the_limit():
    f, z0 = wide_tanh()
    solution = drive(Idle(), f, z0, Stop(1e-6, 25))
    assert (solution.status == SolveStatus.MAX_CALLS).all()
    assert solution.steps == 25


def test_a_map_that_runs_away_is_called_diverged():
    x = torch.ones(3, 2, dtype=torch.float64)
    f = Map(lambda z, x: -1.5 * z + x, (x,))
    for limit in (30, 500):
        solution = drive(Picard(), f, torch.zeros_like(x), Stop(1e-6, limit))
        assert (solution.status == SolveStatus.DIVERGED).all()
        assert torch.isfinite(solution.z).all()


def test_overflow_is_called_diverged_not_converged():
    x = torch.ones(2, 2)
    f = Map(lambda z, x: 1e15 * z + x, (x,))
    solution = drive(Picard(), f, torch.zeros_like(x), Stop(1e-6, 50))
    assert (solution.status == SolveStatus.DIVERGED).all()


def test_a_search_stuck_on_rounding_is_called_stalled():
    f, z0 = wide_tanh(dtype=torch.float32)
    solution = drive(Picard(), f, z0, Stop(1e-12, 500))
    left = solution.status != SolveStatus.CONVERGED
    assert left.any()
    assert (solution.status[left] == SolveStatus.STALLED).all()
    assert solution.calls.max() < 80
    assert (solution.residual[left] < 1e-6).all()


@pytest.mark.parametrize("every", [1, 3, 8])
def test_checking_less_often_costs_less_than_one_interval(every):
    f, z0 = wide_tanh()
    often = drive(Picard(), f, z0, Stop(1e-8, 500))
    seldom = drive(Picard(), f, z0, Stop(1e-8, 500, check_every=every))
    assert seldom.converged.all()
    assert (seldom.calls - often.calls).max() < every


def test_the_limit_of_calls_holds_between_checks():
    f, z0 = wide_tanh()
    drive(Picard(), f, z0, Stop(1e-12, 10, check_every=8))
    assert f.counter.calls == 10


def test_the_trace_has_as_many_rows_as_samples_searched():
    f, z0 = wide_tanh()
    solution = drive(Picard(), f, z0, Stop(1e-8, 500), trace=True)
    assert [point.calls for point in solution.trace] == list(range(1, int(solution.calls.max()) + 1))
    first, last = solution.trace[0], solution.trace[-1]
    assert first.residual.shape == (8,)
    assert last.rows.numel() <= 4
    for row, calls in enumerate(solution.calls.tolist()):
        point = solution.trace[calls - 1]
        assert point.residual[point.rows == row] == solution.residual[row]


@pytest.mark.parametrize("solver", ITERATIVE, ids=repr)
def test_an_empty_batch_costs_nothing(solver):
    f = Map(lambda z, x: torch.tanh(z + x), (torch.empty(0, 3),))
    solution = drive(solver, f, torch.empty(0, 3), Stop())
    assert solution.z.shape == (0, 3)
    assert f.counter.calls == 0


@pytest.mark.parametrize("shape", [(5,), (5, 2, 3), (5, 1, 2, 2)])
@pytest.mark.parametrize("solver", ITERATIVE, ids=repr)
def test_states_of_any_shape_are_solved(solver, shape):
    x = torch.linspace(-1, 1, torch.Size(shape).numel(), dtype=torch.float64).reshape(shape)
    solution = drive(solver, Map(lambda z, x: 0.5 * torch.cos(z) + x, (x,)), torch.zeros_like(x), Stop(1e-9))
    assert solution.converged.all()
    torch.testing.assert_close(0.5 * torch.cos(solution.z) + x, solution.z, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_short_types_are_solved_to_their_digits(dtype):
    f, z0 = wide_tanh(norm=0.5, dtype=torch.float32)
    weight = f.inputs[0].to(dtype)
    half = Map(lambda z, x: torch.tanh(0.5 * z + x), (weight,))
    solution = drive(Picard(), half, z0.to(dtype), Stop(2e-2 if dtype != torch.float32 else 1e-6))
    assert solution.converged.all()
    assert solution.residual.dtype == torch.float32


class Outsider:
    """Somebody else's loop: keeps going for ever, and swallows exceptions."""

    def solve(self, f, z0, stop):
        z = z0
        while True:
            try:
                z = f(z)
            except Exception:  # noqa: BLE001 -- the point: it must not catch the core's signal
                return z0


def test_an_external_solver_is_interrupted_when_all_is_solved():
    f, z0 = wide_tanh()
    solution = drive(Outsider(), f, z0, Stop(1e-8, 500))
    own = drive(Picard(), wide_tanh()[0], z0, Stop(1e-8, 500))
    assert solution.converged.all()
    assert torch.equal(solution.calls, own.calls)


def test_an_external_solver_is_interrupted_at_its_limit():
    f, z0 = wide_tanh()
    solution = drive(Outsider(), f, z0, Stop(1e-12, 7))
    assert f.counter.calls == 7
    assert (solution.status == SolveStatus.MAX_CALLS).all()


class GivesUp:
    """Returns a point it never evaluated."""

    def solve(self, f, z0, stop):
        return f(z0) * 0.5


def test_an_external_solver_that_gives_up_is_judged_by_its_answer():
    f, z0 = wide_tanh()
    solution = drive(GivesUp(), f, z0, Stop(1e-8))
    assert (solution.status == SolveStatus.STALLED).all()
    torch.testing.assert_close(solution.residual, relative_residual(f, solution.z))


@pytest.mark.parametrize(("every", "due"), [(1, [1, 2, 3, 4, 5, 6, 7]), (3, [3, 6, 7]), (None, [7])])
@pytest.mark.parametrize("answer", ["evaluated", "new"])
def test_an_external_solver_is_judged_as_often_as_is_asked_and_at_its_answer(every, due, answer, monkeypatch):
    class SevenCalls:
        def solve(self, f, z0, stop):
            z = fz = z0
            for _ in range(7 if answer == "evaluated" else 6):
                z, fz = fz, f(fz)
            return z if answer == "evaluated" else fz

    judged, plain = [], HostJudge.observe
    observe = lambda self, *given: judged.append(given[-1]) or plain(self, *given)  # noqa: E731
    monkeypatch.setattr(HostJudge, "observe", observe)
    f, z0 = wide_tanh()
    solution = drive(SevenCalls(), f, z0, Stop(1e-12, 100, check_every=every))
    assert judged == due
    assert (solution.status == SolveStatus.STALLED).all()
    assert (solution.calls == 7).all()
    torch.testing.assert_close(solution.residual, relative_residual(f, solution.z))


def test_an_external_solver_cannot_be_unrolled():
    f, z0 = wide_tanh()
    with pytest.raises(ConfigurationError, match="external solver"):
        drive(GivesUp(), f, z0, Stop(), differentiable=True)


def test_every_mistake_in_a_stop_is_named_at_once():
    with pytest.raises(ConfigurationError) as caught:
        Stop(tolerance=0, max_calls=0, norm="l2", check_every=0)
    assert len(caught.value.mistakes) == 4


@pytest.mark.parametrize("scale", [1e-6, 1e6])
@pytest.mark.parametrize("solver", [Anderson(), Broyden(), Picard()], ids=repr)
@pytest.mark.parametrize("name", ["lin", "tanh"])
def test_the_units_of_the_state_change_nothing(solver, scale, name):
    plain = drive(solver, *family(name, 8, 32, 0.9), Stop(1e-5, 300))
    scaled = drive(solver, *family(name, 8, 32, 0.9, scale=scale), Stop(1e-5, 300))
    assert (plain.calls - scaled.calls).abs().max() <= 1
    assert plain.converged.all()
    assert scaled.converged.all()


def test_a_solved_start_takes_one_call():
    f = Map(AffineMap(torch.zeros(2, 2)), (torch.ones(3, 2),))
    solution = drive(Anderson(), f, torch.ones(3, 2), Stop(1e-6))
    assert solution.calls.tolist() == [1, 1, 1]


def test_a_parameter_called_steps_is_no_way_to_take_several():
    @dataclass(frozen=True)
    class Numbered(Picard):
        steps: int = 3

    f, x = tanh_map(2, 8, 0.5)
    solution = drive(Numbered(), Map(f, (x,)), torch.zeros_like(x), Stop(1e-5, 100, check_every=4))
    assert solution.converged.all()

"""Anderson on a batch on the CPU, where what is remembered lies on a tape."""

import warnings

import numpy as np
import pytest
import torch
from equilibrium_families import family, tanh_weights

from deqbench.equilibria.solving import Map, SolveStatus, Stop, drive
from deqbench_plugins.solvers import history
from deqbench_plugins.solvers.anderson import Anderson, mixing_weights
from deqbench_plugins.solvers.tape import Tape

SOLVERS = [Anderson(), Anderson(1), Anderson(2), Anderson(3, 0.5)]


def states_of(solver, f, z0, count):
    found = [solver.init(f, z0)]
    for _ in range(count):
        found.append(solver.step(f, found[-1]))
    return found


def taped(columns, most=9):
    """The columns (k, B, d) on a tape, each as a change from zero."""
    tape = Tape()
    for column in columns:
        tape = tape.changed(column, torch.zeros_like(column), most)
    return tape


@pytest.mark.parametrize("name", ["lin", "tanh", "tanhsym"])
@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_a_tape_and_tensors_take_the_same_steps(solver, name):
    f, z0 = family(name, 5, 24, 0.9, torch.float64)
    with torch.no_grad():
        tapes = states_of(solver, f, z0, 12)
    with torch.enable_grad():
        tensors = states_of(solver, f, z0, 12)
    assert isinstance(tapes[2].bends, Tape)
    assert isinstance(tensors[2].bends, tuple)
    for one, other in zip(tapes, tensors, strict=True):
        torch.testing.assert_close(one.z, other.z, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("memory", [1, 3, 6])
def test_anderson_solves_its_least_squares_from_a_tape(memory):
    f, z0 = family("tanh", 3, 12, 0.9, torch.float64)
    with torch.no_grad():
        *_, state, following = states_of(Anderson(memory), f, z0, 9)
    bends, moves = (torch.from_numpy(part.columns).permute(1, 2, 0) for part in (state.bends, state.moves))
    assert bends.shape == (3, 12, memory)
    weights = torch.linalg.lstsq(bends, state.gap.unsqueeze(2)).solution
    expected = state.fz - (moves @ weights).squeeze(2)
    torch.testing.assert_close(following.z, expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_a_step_changes_no_state_and_can_be_taken_again_from_any(solver):
    f, z0 = family("tanh", 3, 8, 0.9, torch.float64)
    with torch.no_grad():
        first = states_of(solver, f, z0, 14)
        solver.step(f, first[2])  # a fork, in between
        second = [solver.step(f, state) for state in first[:-1]]
    for one, other in zip(first[1:], second, strict=True):
        assert torch.equal(one.z, other.z)
        assert torch.equal(one.fz, other.fz)
        np.testing.assert_array_equal(one.bends.columns, other.bends.columns)


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_each_sample_ends_as_it_does_alone_while_others_leave_the_batch(solver):
    rates = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9, 0.97], dtype=torch.float64).unsqueeze(1)
    w = tanh_weights(9, 1.0, symmetric=True, dtype=torch.float64)
    x = torch.linspace(-0.05, 0.08, 54, dtype=torch.float64).reshape(6, 9)

    def f(z, x, rates):
        return torch.tanh(rates * (z @ w) + x)

    together = drive(solver, Map(f, (x, rates)), torch.zeros_like(x), Stop(1e-9, 500))
    assert together.converged.all()
    assert together.calls.unique().numel() > 2, "some leave before others"
    for place in range(6):
        row = slice(place, place + 1)
        alone = drive(solver, Map(f, (x[row], rates[row])), torch.zeros_like(x[row]), Stop(1e-9, 500))
        torch.testing.assert_close(together.z[row], alone.z, rtol=1e-6, atol=1e-8)
        assert abs(int(together.calls[place]) - int(alone.calls)) <= 1


def test_weights_on_a_tape_are_those_of_least_squares_however_they_came():
    g = torch.Generator().manual_seed(0)
    columns = torch.randn(7, 3, 9, generator=g, dtype=torch.float64)
    target = torch.randn(3, 9, generator=g, dtype=torch.float64)
    tape, known = Tape(), None
    for place, column in enumerate(columns):  # five at most: the oldest two are dropped
        tape = tape.changed(column, torch.zeros_like(column), 5)
        found, known = mixing_weights(tape, target, known, 1 + 1e-15)
        kept = columns[max(0, place - 4) : place + 1].permute(1, 2, 0)
        exact = torch.linalg.lstsq(kept, target.unsqueeze(2)).solution.squeeze(2)
        torch.testing.assert_close(torch.from_numpy(found), exact, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("spoil", ["equal", "zero", "nan", "infinite"])
def test_a_singular_system_costs_no_exception_and_no_other_sample(spoil):
    g = torch.Generator().manual_seed(0)
    columns, target = torch.randn(3, 2, 8, generator=g), torch.randn(2, 8, generator=g)

    def weights_of(columns):
        known = None
        for count in range(1, 4):
            found, known = mixing_weights(taped(columns[:count]), target, known, 1 + 1e-6)
        return found

    clean = weights_of(columns)[1]
    values = {"equal": columns[:1, 0].expand(3, 8), "zero": 0.0, "nan": torch.nan, "infinite": 3e38}
    columns[:, 0] = values[spoil]
    weights = weights_of(columns)
    np.testing.assert_allclose(weights[1], clean)
    assert np.isfinite(weights).all() or spoil in {"nan", "infinite"}


def test_a_system_that_lapack_refuses_is_solved_for_the_other_samples():
    columns = torch.eye(3).repeat(2, 1, 1).transpose(0, 1).contiguous()
    columns[:, 0] = 0
    found, _ = taped(columns).weights(torch.ones(2, 3), torch.zeros(2, 2, 2).double(), 1.0, 0.0)
    assert found.shape == (2, 3)


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
@pytest.mark.parametrize("rate", [-1e20, 1e30])
def test_a_search_that_overflows_warns_of_nothing(solver, rate):
    f = Map(lambda z: rate * z * z.abs() + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        solution = drive(solver, f, torch.ones(4, 5), Stop(1e-6, 30))
    assert not (solution.status == SolveStatus.CONVERGED).any()
    assert torch.isfinite(solution.z).all()


def test_a_tape_of_some_samples_is_theirs():
    columns = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0))
    tape = taped(columns, most=3)
    some = tape.rows(torch.tensor([4, 1]))
    np.testing.assert_array_equal(some.columns, columns[1:, [4, 1]].numpy())
    longer = some.changed(torch.ones(2, 3), torch.zeros(2, 3), 3)
    np.testing.assert_array_equal(longer.columns[:2], columns[2:, [4, 1]].numpy())
    np.testing.assert_array_equal(some.columns, columns[1:, [4, 1]].numpy())


def test_a_tape_is_for_batches_that_torch_need_not_see():
    rows = torch.ones(3, 4)
    assert isinstance(history.no_columns(rows), tuple), "a graph is recorded"
    with torch.no_grad():
        assert isinstance(history.no_columns(rows), Tape)
        assert isinstance(history.no_columns(rows.expand(history.TAPED, 3, 4)[:, 0]), tuple), "too large"
        assert isinstance(history.no_columns(rows.to("meta")), tuple)
        assert isinstance(history.no_columns(np.ones(4)), tuple), "one small sample has arrays"
        asked = []
        torch.func.vmap(lambda x: asked.append(history.no_columns(x)) or x)(rows[None])
        assert asked == [()]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_states_of_any_type_and_shape_are_solved_on_a_tape(dtype):
    x = torch.linspace(-1, 1, 24).reshape(2, 3, 4).to(dtype)
    f = Map(lambda z, x: torch.tanh(0.7 * z.mT.contiguous().mT + x), (x,))
    with torch.no_grad():
        assert isinstance(states_of(Anderson(), f, x, 2)[-1].bends, Tape)
    solution = drive(Anderson(), f, x, Stop())
    assert solution.converged.all()
    assert solution.z.shape == x.shape
    assert solution.z.dtype == dtype

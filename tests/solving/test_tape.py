"""Anderson on a batch on the CPU, where what is remembered lies on a tape."""

import warnings

import numpy as np
import pytest
import torch
from equilibrium_families import family, tanh_weights

from deqbench.equilibria.solving import Map, SolveStatus, Stop, drive
from deqbench_plugins.solvers import anderson
from deqbench_plugins.solvers.anderson import Anderson, TapedState
from deqbench_plugins.solvers.small_systems import eliminated, solution
from deqbench_plugins.solvers.tape import Tape

SOLVERS = [Anderson(), Anderson(1), Anderson(2), Anderson(3, 0.5)]


def states_of(solver, f, z0, count):
    found = [solver.init(f, z0)]
    for _ in range(count):
        found.append(solver.step(f, found[-1]))
    return found


def taped(columns, target, most=9, moves=None):
    """The bends (k, B, d) on a tape whose gap is the target; the moves are the bends unless given."""
    moves = columns if moves is None else moves
    zero = np.zeros_like(columns[0].numpy())
    tape = Tape(zero, zero)
    for bend, move in zip(columns, moves, strict=True):
        gram = None if tape.loop is None else tape.weights(1 + 1e-15)[1]
        value = torch.from_numpy(tape.value) + move
        tape = tape.followed(value - torch.from_numpy(tape.gap) - bend, value, gram, most)
    return Tape(target.numpy(), tape.value, tape.gram, tape.loop, tape.first, tape.last)


@pytest.mark.parametrize("name", ["lin", "tanh", "tanhsym"])
@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_a_tape_and_tensors_take_the_same_steps(solver, name):
    f, z0 = family(name, 5, 24, 0.9, torch.float64)
    with torch.no_grad():
        tapes = states_of(solver, f, z0, 12)
    with torch.enable_grad():
        tensors = states_of(solver, f, z0, 12)
    assert isinstance(tapes[2], TapedState)
    assert isinstance(tensors[2].bends, tuple)
    for one, other in zip(tapes, tensors, strict=True):
        torch.testing.assert_close(one.z, other.z, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("memory", [1, 3, 6])
def test_anderson_solves_its_least_squares_from_a_tape(memory):
    f, z0 = family("tanh", 3, 12, 0.9, torch.float64)
    with torch.no_grad():
        *_, state, following = states_of(Anderson(memory), f, z0, 9)
    tape = state.tape
    bends, moves = (tape.in_order(part).transpose(1, 2, 0) for part in (tape.loop.bends, tape.loop.moves))
    assert bends.shape == (3, 12, memory)
    torch.testing.assert_close(torch.from_numpy(tape.gap), state.fz - state.z, rtol=0, atol=0)
    weights = torch.linalg.lstsq(torch.from_numpy(bends), torch.from_numpy(tape.gap).unsqueeze(2)).solution
    expected = state.fz - (torch.from_numpy(moves) @ weights).squeeze(2)
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
        for name in ("bends", "moves"):
            pair = (tape.in_order(getattr(tape.loop, name)) for tape in (one.tape, other.tape))
            np.testing.assert_array_equal(*pair)


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
    columns, moves = torch.randn(2, 7, 3, 9, generator=g, dtype=torch.float64)
    target = torch.randn(3, 9, generator=g, dtype=torch.float64)
    for count in range(1, 8):  # five at most: the oldest two are dropped
        tape = taped(columns[:count], target, 5, moves[:count])
        found = tape.weights(1 + 1e-15)[0]
        kept = np.arange(max(0, count - 5), count)
        exact = torch.linalg.lstsq(columns[kept].permute(1, 2, 0), target.unsqueeze(2)).solution.squeeze(2)
        torch.testing.assert_close(torch.from_numpy(found[:, kept % 6]), exact, rtol=1e-9, atol=1e-10)
        assert (np.delete(found, kept % 6, 1) == 0).all()
        mixed = tape.mixed(1.0, 1 + 1e-15)[0]
        expected = torch.from_numpy(tape.value) - torch.einsum("kbd,bk->bd", moves[kept], exact)
        torch.testing.assert_close(mixed, expected)


@pytest.mark.parametrize("spoil", ["equal", "zero", "nan", "infinite"])
def test_a_singular_system_costs_no_exception_and_no_other_sample(spoil):
    g = torch.Generator().manual_seed(0)
    columns, target = torch.randn(3, 2, 8, generator=g), torch.randn(2, 8, generator=g)
    clean = taped(columns, target).weights(1 + 1e-6)[0][1]
    values = {"equal": columns[:1, 0].expand(3, 8), "zero": 0.0, "nan": torch.nan, "infinite": 3e38}
    columns[:, 0] = values[spoil]
    with np.errstate(all="ignore"):
        weights = taped(columns, target).weights(1 + 1e-6)[0]
    np.testing.assert_allclose(weights[1], clean)
    assert np.isfinite(weights).all() or spoil in {"nan", "infinite"}


def test_a_system_that_lapack_refuses_is_solved_for_the_other_samples():
    gram, right = np.stack((np.zeros((2, 2)), np.eye(2))), np.ones((2, 2))
    np.testing.assert_array_equal(solution(gram, right)[1], right[1])


@pytest.mark.parametrize("k", [1, 2, 6])
def test_many_systems_are_solved_as_one_by_one(k):
    g = np.random.default_rng(0)
    columns, target = g.standard_normal((40, k, 9)), g.standard_normal((40, 9))
    gram, right = columns @ columns.transpose(0, 2, 1), np.vecdot(columns, target[:, None])
    for row in range(40):
        exact = np.linalg.lstsq(columns[row].T, target[row], rcond=None)[0]
        np.testing.assert_allclose(eliminated(gram, right)[row], exact, rtol=1e-8)


def test_a_column_that_depends_on_others_gets_no_weight_among_many_systems():
    g = np.random.default_rng(0)
    columns, target = g.standard_normal((3, 4, 9)), g.standard_normal((3, 9))
    columns[1, 2], columns[2, 3] = columns[1, :2].sum(0), 0
    gram, right = columns @ columns.transpose(0, 2, 1), np.vecdot(columns, target[:, None])
    gram[:, range(4), range(4)] += 1e-300
    found = eliminated(gram, right)
    for row, left in ((0, [0, 1, 2, 3]), (1, [0, 1, 3]), (2, [0, 1, 2])):
        exact = np.linalg.lstsq(columns[row, left].T, target[row], rcond=None)[0]
        np.testing.assert_allclose(found[row, left], exact, rtol=1e-8)
    assert found[1, 2] == 0
    assert found[2, 3] == 0


def test_memory_is_used_again_only_once_nobody_holds_what_lies_there():
    def followed(tape, value):
        point = torch.full((2, 3), float(value))
        return tape.followed(torch.zeros(2, 3), torch.from_numpy(tape.value) + point, None, 3)

    def kept(tape):
        return [float(column[0, 0]) for column in tape.in_order(tape.loop.moves)]

    tape, held = Tape(*np.zeros((2, 2, 3), np.float32)), {}
    for value in range(12):
        tape = followed(tape, value)
        if value in {4, 9}:
            held[value] = tape
    assert kept(tape) == [9, 10, 11]
    assert kept(held[4]) == [2, 3, 4]
    assert kept(held[9]) == [7, 8, 9]
    del held
    loop = tape.loop
    for value in range(12, 40):
        tape = followed(tape, value)
        assert tape.loop is loop, "nobody else holds a tape of it"


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
    g = torch.Generator().manual_seed(0)
    columns, target = torch.randn(4, 5, 3, generator=g), torch.randn(5, 3, generator=g)
    tape, index = taped(columns, target, most=3), torch.tensor([4, 1])
    some = tape.rows(index)
    np.testing.assert_array_equal(some.in_order(some.loop.bends), tape.in_order(tape.loop.bends)[:, index])
    np.testing.assert_array_equal(some.gap, target[index])
    np.testing.assert_array_equal(some.weights(1 + 1e-6)[0], tape.weights(1 + 1e-6)[0][index])
    longer = some.followed(torch.zeros(2, 3), torch.ones(2, 3), some.weights(1 + 1e-6)[1], 3)
    np.testing.assert_array_equal(longer.in_order(longer.loop.bends)[:2], some.in_order(some.loop.bends)[1:])


def test_a_tape_is_for_batches_that_torch_need_not_see():
    rows = torch.ones(3, 4)
    assert not anderson.readable(rows), "a graph is recorded"
    with torch.no_grad():
        assert anderson.readable(rows)
        assert not anderson.readable(rows.to("meta"))
        asked = []
        torch.func.vmap(lambda x: asked.append(anderson.readable(x)) or x)(rows[None])
        assert asked == [False]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_states_of_any_type_and_shape_are_solved_on_a_tape(dtype):
    x = torch.linspace(-1, 1, 24).reshape(2, 3, 4).to(dtype)
    f = Map(lambda z, x: torch.tanh(0.7 * z.mT.contiguous().mT + x), (x,))
    with torch.no_grad():
        assert isinstance(states_of(Anderson(), f, x, 2)[-1], TapedState)
    solution = drive(Anderson(), f, x, Stop())
    assert solution.converged.all()
    assert solution.z.shape == x.shape
    assert solution.z.dtype == dtype

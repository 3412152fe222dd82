"""Anderson and Broyden on one small sample alone, where the algebra is that of arrays."""

import numpy as np
import pytest
import torch
from equilibrium_families import family

from deqbench.equilibria.solving import Map, SolveStatus, Stop, drive
from deqbench_plugins.solvers import history, one_sample
from deqbench_plugins.solvers.anderson import Anderson
from deqbench_plugins.solvers.broyden import Broyden

SOLVERS = [Anderson(), Anderson(1), Anderson(3, 0.5), Broyden(), Broyden(2)]


def states_of(solver, f, z0, count):
    found = [solver.init(f, z0)]
    for _ in range(count):
        found.append(solver.step(f, found[-1]))
    return found


def remembers_arrays(state):
    return isinstance(state.bends if hasattr(state, "bends") else state.steps, np.ndarray)


@pytest.mark.parametrize("name", ["tanh", "tanhsym"])
@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_arrays_and_tensors_take_the_same_steps(solver, name):
    f, z0 = family(name, 1, 12, 0.9, torch.float64)
    with torch.no_grad():
        arrays = states_of(solver, f, z0, 8)
    with torch.enable_grad():
        tensors = states_of(solver, f, z0, 8)
    assert remembers_arrays(arrays[2])
    assert not remembers_arrays(tensors[2])
    for one, other in zip(arrays, tensors, strict=True):
        torch.testing.assert_close(one.z, other.z, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_a_state_of_any_shape_is_solved_and_keeps_it(solver):
    x = torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(1, 3, 4)
    solution = drive(
        solver, Map(lambda z, x: torch.tanh(0.7 * z.mT.contiguous().mT + x), (x,)), x, Stop(1e-10)
    )
    assert solution.converged.all()
    assert solution.z.shape == x.shape
    torch.testing.assert_close(torch.tanh(0.7 * solution.z + x), solution.z, rtol=1e-9, atol=1e-9)


def test_the_inverse_that_arrays_share_is_that_of_tensors():
    f, z0 = family("tanh", 1, 6, 0.9, torch.float64)
    v = torch.linspace(-1, 1, 6, dtype=torch.float64)[None]
    with torch.no_grad():
        arrays = states_of(Broyden(), f, z0, 6)[-1]
    tensors = states_of(Broyden(), f, z0, 6)[-1]
    torch.testing.assert_close(
        Broyden().inverse_transposed(arrays, v),
        Broyden().inverse_transposed(tensors, v),
        rtol=1e-7,
        atol=1e-9,
    )


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_a_step_changes_no_state_and_can_be_taken_again(solver):
    f, z0 = family("tanh", 1, 8, 0.9, torch.float64)
    with torch.no_grad():
        first = states_of(solver, f, z0, 6)
        solver.step(f, first[2])  # a fork, in between
        second = [solver.step(f, state) for state in first[:-1]]
    for one, other in zip(first[1:], second, strict=True):
        assert torch.equal(one.z, other.z)
        assert torch.equal(one.fz, other.fz)


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
@pytest.mark.parametrize("rate", [-1e20, 1e30])
def test_a_search_that_overflows_warns_of_nothing(solver, rate):
    f = Map(lambda z: rate * z * z.abs() + 1)
    with torch.no_grad():
        states = states_of(solver, f, torch.ones(1, 5), 6)
        solution = drive(solver, f, torch.ones(1, 5), Stop(1e-6, 30))
    assert not torch.isfinite(states[-1].fz).all() or solution.status.item() != SolveStatus.CONVERGED
    assert torch.isfinite(solution.z).all()


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_a_start_that_solves_it_is_never_left(solver):
    with torch.no_grad():
        states = states_of(solver, Map(lambda z: z.clone()), torch.ones(1, 5), 5)
    assert torch.equal(states[-1].z, torch.ones(1, 5))


def test_arrays_are_for_one_small_sample_without_a_graph():
    row = torch.ones(1, 4)
    assert not history.alone(row), "a graph is recorded"
    with torch.no_grad():
        assert history.alone(row)
        assert not history.alone(torch.ones(1, history.SMALL + 1))
        assert not history.alone(row.bfloat16())
        assert not history.alone(torch.ones(2, 4))
        asked = []
        torch.func.vmap(lambda x: asked.append(history.alone(x)) or x)(row[None])
        assert asked == [False]


def test_a_singular_system_gives_the_plain_step():
    assert one_sample.solution(np.zeros((2, 2)), np.ones(2)).tolist() == [0, 0]

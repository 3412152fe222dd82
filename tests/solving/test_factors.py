"""Broyden on a batch on the CPU, where its steps lie in one piece of memory."""

import warnings

import numpy as np
import pytest
import torch
from equilibrium_families import family, tanh_weights

from deqbench.equilibria.solving import Map, SolveStatus, Stop, drive
from deqbench_plugins.solvers import factors
from deqbench_plugins.solvers.broyden import Broyden, BroydenState, FactoredState


@pytest.fixture(params=["at once", "growing", "block by block"])
def room(request, monkeypatch):
    """All memory at once, or as it is needed; all samples together, or each alone."""
    if request.param == "growing":
        monkeypatch.setattr(factors, "ROOM_BYTES", 0)
        monkeypatch.setattr(factors, "FIRST", 2)
    if request.param == "block by block":
        monkeypatch.setattr(factors, "BLOCK_BYTES", 1)
    return request.param


def states_of(solver, f, z0, count):
    found = [solver.init(f, z0)]
    for _ in range(count):
        found.append(solver.step(f, found[-1]))
    return found


@pytest.mark.parametrize("name", ["lin", "tanh", "tanhsym"])
@pytest.mark.parametrize("memory", [1, 3, 12])
def test_one_piece_of_memory_and_tensors_take_the_same_steps(room, memory, name):
    f, z0 = family(name, 5, 12, 0.9, torch.float64)
    with torch.no_grad():
        ours = states_of(Broyden(memory), f, z0, 10)
    with torch.enable_grad():
        tensors = states_of(Broyden(memory), f, z0, 10)
    assert isinstance(ours[2], FactoredState)
    assert isinstance(tensors[2], BroydenState)
    v = torch.linspace(-1, 1, 60, dtype=torch.float64).reshape(5, 12)
    for one, other in zip(ours, tensors, strict=True):
        torch.testing.assert_close(one.z, other.z, rtol=1e-7, atol=1e-9)
        pair = (Broyden(memory).inverse_transposed(state, v) for state in (one, other))
        torch.testing.assert_close(*pair, rtol=1e-6, atol=1e-8)


def test_a_step_changes_no_state_and_can_be_taken_again_from_any(room):
    f, z0 = family("tanh", 3, 8, 0.9, torch.float64)
    solver = Broyden(5)
    with torch.no_grad():
        first = states_of(solver, f, z0, 14)
        other = Map(lambda z: torch.tanh(z + 0.1))
        solver.step(other, first[3])  # a fork, in between
        second = [solver.step(f, state) for state in first[:-1]]
    for one, again in zip(first[1:], second, strict=True):
        assert torch.equal(one.z, again.z)
        np.testing.assert_array_equal(one.factors.steps, again.factors.steps)


def test_a_sample_that_forgets_begins_anew_and_no_other_does():
    f, z0 = family("tanh", 3, 8, 0.9, torch.float64)
    solver = Broyden(8)
    with torch.no_grad():
        *_, state = states_of(solver, f, z0, 4)
        spoilt = state._replace(least=state.least * torch.tensor([[1.0], [1e-12], [1.0]]))
        following, clean = solver.step(f, spoilt), solver.step(f, state)
        gap = following.fz - following.z
    assert torch.equal(torch.from_numpy(following.factors.newest[1]), gap[1])
    assert (following.factors.shares[1] == 0).all()
    np.testing.assert_array_equal(following.factors.newest[[0, 2]], clean.factors.newest[[0, 2]])
    np.testing.assert_array_equal(following.factors.shares[[0, 2]], clean.factors.shares[[0, 2]])


def test_each_sample_ends_as_it_does_alone_while_others_leave_the_batch(room):
    rates = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9, 0.97], dtype=torch.float64).unsqueeze(1)
    w = tanh_weights(9, 1.0, symmetric=True, dtype=torch.float64)
    x = torch.linspace(-0.05, 0.08, 54, dtype=torch.float64).reshape(6, 9)

    def f(z, x, rates):
        return torch.tanh(rates * (z @ w) + x)

    solver = Broyden(6)
    together = drive(solver, Map(f, (x, rates)), torch.zeros_like(x), Stop(1e-9, 500))
    assert together.converged.all()
    assert together.calls.unique().numel() > 2, "some leave before others"
    for place in range(6):
        row = slice(place, place + 1)
        alone = drive(solver, Map(f, (x[row], rates[row])), torch.zeros_like(x[row]), Stop(1e-9, 500))
        torch.testing.assert_close(together.z[row], alone.z, rtol=1e-6, atol=1e-8)
        assert abs(int(together.calls[place]) - int(alone.calls)) <= 1


@pytest.mark.parametrize("rate", [-1e20, 1e30])
def test_a_search_that_overflows_warns_of_nothing(room, rate):
    f = Map(lambda z: rate * z * z.abs() + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        solution = drive(Broyden(4), f, torch.ones(4, 5), Stop(1e-6, 30))
    assert not (solution.status == SolveStatus.CONVERGED).any()
    assert torch.isfinite(solution.z).all()


def test_short_states_keep_tensors_for_their_chain_would_be_longer():
    f, z0 = family("tanh", 3, 8, 0.9, torch.float64)
    with torch.no_grad():
        assert isinstance(states_of(Broyden(9), f, z0, 2)[-1], BroydenState)
        assert isinstance(states_of(Broyden(8), f, z0, 2)[-1], FactoredState)

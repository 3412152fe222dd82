"""SHINE against inverses written down, and against what it falls back to."""

from dataclasses import dataclass

import pytest
import torch

from deqbench.equilibria.binding import bound, equilibrium
from deqbench.equilibria.maps import Map
from deqbench.equilibria.solving import Stop, drive
from deqbench.errors import InapplicableError
from deqbench.plugin import Iterate
from deqbench_plugins.gradients.implicit import Implicit
from deqbench_plugins.gradients.one_step import OneStep
from deqbench_plugins.gradients.shine import Shine
from deqbench_plugins.solvers.anderson import Anderson
from deqbench_plugins.solvers.broyden import Broyden
from deqbench_plugins.solvers.picard import Picard


def random(*shape, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=g, dtype=torch.float64)


WEIGHT = random(5, 5) * (0.7 / torch.linalg.matrix_norm(random(5, 5), 2))
X, INCOMING = random(3, 5, seed=1), random(3, 5, seed=2)


def gradients(gradient, solver):
    weight, x = WEIGHT.clone().requires_grad_(), X.clone().requires_grad_()
    with bound(solver=solver, gradient=gradient, stop=Stop(1e-12, 200)) as ledger:
        z = equilibrium(lambda z, x: torch.tanh(z @ weight.mT + x), torch.zeros_like(X), x)
        found = torch.autograd.grad(z, (weight, x), INCOMING)
    return z.detach(), *found, ledger


def error(found, exact):
    return float((found - exact).norm() / exact.norm())


@pytest.mark.parametrize("steps", [1, 3, 8])
def test_broydens_transposed_inverse_is_the_transpose_of_what_it_steps_by(steps):
    solver, f = Broyden(memory=20), Map(lambda z, x: torch.tanh(z @ WEIGHT.mT + x), (X,))
    state = solver.init(f, torch.zeros_like(X))
    for _ in range(steps):
        state = solver.step(f, state)
    columns = [solver.inverse_transposed(state, e.expand(3, 5)) for e in torch.eye(5, dtype=torch.float64)]
    inverse = torch.stack(columns, 1)  # row k of H is H^T e_k
    gap = f(state.z) - state.z
    following = solver.step(f, state)
    torch.testing.assert_close((inverse @ gap.unsqueeze(2)).squeeze(2), following.z - state.z)


def test_an_exact_inverse_gives_the_exact_gradient():
    @dataclass(frozen=True)
    class Newton:
        def init(self, f, z0):
            return Iterate(z0, f(z0))

        def step(self, f, state):
            z = state.z + torch.linalg.solve(self.system(state), (state.fz - state.z).unsqueeze(2)).squeeze(2)
            return Iterate(z, f(z))

        def system(self, state):
            slope = 1 - torch.tanh(state.z @ WEIGHT.mT + X) ** 2
            return torch.eye(5, dtype=torch.float64) - slope.unsqueeze(2) * WEIGHT

        def inverse_transposed(self, state, v):
            return torch.linalg.solve(self.system(state).mT, v.unsqueeze(2)).squeeze(2)

    found, exact = gradients(Shine(fallback=None), Newton()), gradients(Implicit(), Anderson())
    for a, b in zip(found[1:3], exact[1:3], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-9)


def test_it_costs_one_call_and_no_product():
    shine, jfb = gradients(Shine(), Broyden())[-1], gradients(OneStep(), Broyden())[-1]
    assert shine.backward.vjps == 0
    assert shine.forward.map_calls - jfb.forward.map_calls <= 2  # held samples spare no batch calls


def test_samples_whose_adjoint_is_too_long_fall_back_to_the_one_step_gradient():
    strict, jfb = gradients(Shine(fallback=1.0), Broyden()), gradients(OneStep(), Broyden())
    loose = gradients(Shine(fallback=None), Broyden())
    u = loose[2]
    slope = 1 - loose[0] ** 2
    longer = (u / slope).norm(dim=1) > INCOMING.norm(dim=1)
    assert 0 < int(longer.sum()) < 3
    torch.testing.assert_close(strict[2][longer], jfb[2][longer], rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(strict[2][~longer], loose[2][~longer])


def test_refinement_brings_it_to_the_exact_gradient():
    exact = gradients(Implicit(), Anderson())
    errors = [error(gradients(Shine(refinement=k), Broyden())[2], exact[2]) for k in (0, 5, 60)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-8


def test_a_solver_without_an_inverse_is_refused():
    with pytest.raises(InapplicableError, match="use the solver 'broyden'"):
        gradients(Shine(), Picard())


def test_a_held_state_solves_what_a_plain_solve_does():
    f = lambda z, x: torch.tanh(z @ WEIGHT.mT + x)  # noqa: E731
    x = torch.cat((0.01 * X, 3 * X))
    plain = drive(Broyden(), Map(f, (x,)), torch.zeros_like(x), Stop(1e-10, 200))
    held = drive(Broyden(), Map(f, (x,)), torch.zeros_like(x), Stop(1e-10, 200), keep_state=True)
    torch.testing.assert_close(plain.z, held.z)
    assert plain.calls.tolist() == held.calls.tolist()
    assert held.state is not None


def test_an_empty_batch_passes():
    x = torch.zeros(0, 5, dtype=torch.float64, requires_grad=True)
    with bound(solver=Broyden(), gradient=Shine(), stop=Stop(1e-10, 50)):
        equilibrium(
            lambda z, x: torch.tanh(z + x), torch.zeros(0, 5, dtype=torch.float64), x
        ).sum().backward()
    assert x.grad.shape == (0, 5)

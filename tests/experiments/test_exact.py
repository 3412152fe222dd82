"""The exact gradient, against finite differences and a dense solve that autograd differentiates."""

import pytest
import torch

from deqbench.equilibria.affine import AffineMap
from deqbench.equilibria.binding import bound, equilibrium
from deqbench.equilibria.maps import Map
from deqbench.errors import ConfigurationError, NonFiniteError
from deqbench.experiments import exact
from deqbench.experiments.gradient import compared, derivatives, exact_gradient
from deqbench.experiments.ground import Glance, Ground
from deqbench_plugins.maps.affine import Affine
from deqbench_plugins.maps.monotone import Monotone
from deqbench_plugins.maps.tanh import Tanh, TanhSymmetric

FAMILIES = [
    Affine(gamma=0.95, batch=2, dimension=3),
    Tanh(batch=2, dimension=3),
    TanhSymmetric(norm=0.99, batch=2, dimension=3),
    Monotone(m=0.5, batch=2, dimension=3),
]


def ground_of(family, seed=0):
    drawn = family.draw(seed)
    return Ground(drawn.module, drawn.x, drawn.module, drawn.x, drawn.loss)


class Newton:
    """Finds the equilibrium in ``init``; no gradient of it is ever taken."""

    def init(self, f, z0):
        z = exact.newton(f, z0)
        return type("State", (), {"z": z, "fz": f(z)})()

    def step(self, f, state):
        return state


def differences(ground, tensor, h=1e-5):
    """Return central differences of the loss in each entry of a tensor of the problem."""
    found = torch.zeros_like(tensor).reshape(-1)
    flat = tensor.detach().view(-1)
    for place in range(flat.numel()):
        sides = []
        for sign in (1, -1):
            flat[place] += sign * h
            with torch.no_grad(), bound(solver=Newton(), gradient=exact.Exact()):
                sides.append(float(ground.loss(ground.exact_module(ground.exact_x))))
            flat[place] -= sign * h
        found[place] = (sides[0] - sides[1]) / (2 * h)
    return found


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
def test_it_is_the_slope_of_the_loss(family):
    ground = ground_of(family)
    found = exact_gradient(ground)
    by_inputs = differences(ground, ground.exact_x)
    by_parameters = torch.cat([differences(ground, one) for one in ground.exact_module.parameters()])
    assert torch.allclose(found.inputs, by_inputs, rtol=1e-5, atol=1e-8)
    assert torch.allclose(found.parameters, by_parameters, rtol=1e-5, atol=1e-8)


def test_on_an_affine_map_it_is_autograds_through_a_dense_solve():
    ground = ground_of(Affine(gamma=0.999, batch=5, dimension=12))
    x = ground.x.clone().requires_grad_()
    phi = torch.cat((x, x.new_ones(5, 1)), 1)
    system = torch.eye(12, dtype=torch.float64) - 0.999 * torch.softmax(ground.module.A, 0)
    truth = derivatives(ground.loss(torch.linalg.solve(system, phi.mT).mT), ground.module, x)
    values = compared(exact_gradient(ground), truth)
    assert max(values["error_parameters"], values["error_inputs"]) < 1e-11


def test_a_state_of_any_shape_is_served():
    weight = torch.tensor([[0.5, 0.2], [-0.1, 0.3]], dtype=torch.float64, requires_grad=True)
    x = torch.ones(3, 2, 2, dtype=torch.float64)
    with bound(solver=Glance(), gradient=exact.Exact()):
        z = equilibrium(lambda z, x: torch.tanh(z @ weight + x), torch.zeros_like(x), x)
    (found,) = torch.autograd.grad(z.sum(), weight)
    unrolled = torch.zeros_like(x)
    for _ in range(200):
        unrolled = torch.tanh(unrolled @ weight + x)
    (truth,) = torch.autograd.grad(unrolled.sum(), weight)
    assert torch.allclose(found, truth, rtol=1e-12)


def test_newton_reaches_rounding_from_a_far_start():
    matrix = torch.tensor([[0.0, 0.999], [0.0, 0.999]], dtype=torch.float64)
    f = Map(AffineMap(matrix), (torch.ones(2, 2, dtype=torch.float64),))
    z = exact.newton(f, torch.full((2, 2), 1e6, dtype=torch.float64))
    truth = torch.full((2, 2), 1000.0, dtype=torch.float64)
    assert torch.allclose(z, truth, rtol=1e-12)


def test_a_map_without_an_equilibrium_is_refused():
    f = Map(lambda z, x: z + torch.exp(-z * z) + x, (torch.ones(1, 1, dtype=torch.float64),))
    with pytest.raises((NonFiniteError, torch.linalg.LinAlgError)):
        exact.newton(f, torch.zeros(1, 1, dtype=torch.float64))


def test_jacobians_that_do_not_fit_are_refused(monkeypatch):
    monkeypatch.setattr(exact, "MOST_BYTES", 100)
    with pytest.raises(ConfigurationError, match="3 Jacobians of 4 x 4, more than a gibibyte"):
        exact_gradient(ground_of(Tanh(batch=3, dimension=4)))

"""Phantom and Neumann gradients against the series they are, written with dense Jacobians in float64."""

import pytest
import torch

from deqbench.equilibria.binding import AffineMap, bound, equilibrium
from deqbench.equilibria.solving import Stop
from deqbench.errors import InapplicableError
from deqbench_plugins.gradients.implicit import Implicit
from deqbench_plugins.gradients.neumann import Neumann
from deqbench_plugins.gradients.one_step import OneStep
from deqbench_plugins.gradients.phantom import Phantom
from deqbench_plugins.solvers.picard import Picard

TIGHT = Stop(1e-14, 2000)


def random(*shape, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=g, dtype=torch.float64)


WEIGHT = random(5, 5) * (0.8 / torch.linalg.matrix_norm(random(5, 5), 2))
X, INCOMING = random(3, 5, seed=1), random(3, 5, seed=2)


def tanh_gradients(gradient, incoming=INCOMING):
    """Return z*, dL/dW and dL/dx for L = <incoming, z*>."""
    weight, x = WEIGHT.clone().requires_grad_(), X.clone().requires_grad_()
    with bound(solver=Picard(), gradient=gradient, stop=TIGHT) as ledger:
        z = equilibrium(lambda z, x: torch.tanh(z @ weight.mT + x), torch.zeros_like(X), x)
        found = torch.autograd.grad(z, (weight, x), incoming)
    return z.detach(), *found, ledger


def by_series(z, steps, damping):
    """Return dL/dW and dL/dx of u = tau sum_{i<k} B^i g, from Jacobians written down."""
    slope = 1 - torch.tanh(z @ WEIGHT.mT + X) ** 2
    u = torch.zeros_like(z)
    for row in range(len(z)):
        jacobian = slope[row].unsqueeze(1) * WEIGHT
        factor = damping * jacobian.T + (1 - damping) * torch.eye(5, dtype=z.dtype)
        power = torch.eye(5, dtype=z.dtype)
        for _ in range(steps):
            u[row] += damping * power @ INCOMING[row]
            power = power @ factor
    return (u * slope).T @ z, u * slope


@pytest.mark.parametrize("form", ["unrolled", "neumann"])
@pytest.mark.parametrize("damping", [0.5, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_a_phantom_gradient_is_its_damped_series(form, damping, steps):
    z, *found, _ = tanh_gradients(Phantom(steps, damping, form))
    for a, b in zip(found, by_series(z, steps, damping), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("terms", [1, 2, 7])
def test_a_neumann_gradient_is_its_truncated_series(terms):
    z, *found, _ = tanh_gradients(Neumann(terms))
    for a, b in zip(found, by_series(z, terms, 1.0), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_one_neumann_term_is_the_one_step_gradient():
    for a, b in zip(tanh_gradients(Neumann(1))[:3], tanh_gradients(OneStep())[:3], strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    "gradient", [Neumann(150), Phantom(300, 0.5), Phantom(300, 0.5, "neumann")], ids=repr
)
def test_enough_terms_reach_the_exact_gradient(gradient):
    for a, b in zip(tanh_gradients(gradient)[:3], tanh_gradients(Implicit())[:3], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)


def test_every_call_and_product_is_charged():
    solve = tanh_gradients(OneStep())[-1].forward.map_calls - 1
    unrolled, series = tanh_gradients(Phantom(4))[-1], tanh_gradients(Neumann(4))[-1]
    assert (unrolled.forward.map_calls, unrolled.backward.vjps) == (solve + 4, 0)
    assert (series.forward.map_calls, series.backward.vjps) == (solve + 1, 3)


def test_an_affine_map_gives_its_products_itself():
    matrix, offset = WEIGHT.clone(), X.clone().requires_grad_()
    with bound(solver=Picard(), gradient=Neumann(3), stop=TIGHT):
        z = equilibrium(AffineMap(matrix), torch.zeros_like(X), offset)
        (found,) = torch.autograd.grad(z, offset, INCOMING)
    expected = INCOMING + INCOMING @ matrix + INCOMING @ matrix @ matrix
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("gradient", [OneStep(), Neumann(), Phantom(), Phantom(form="neumann")], ids=repr)
def test_a_second_derivative_is_refused_rather_than_wrong(gradient):
    x = X.clone().requires_grad_()
    with bound(solver=Picard(), gradient=gradient, stop=TIGHT):
        z = equilibrium(lambda z, x: 0.5 * torch.cos(z) + x, torch.zeros_like(X), x)
    with pytest.raises(InapplicableError, match="first derivatives only"):
        torch.autograd.grad(z.sum(), x, create_graph=True)

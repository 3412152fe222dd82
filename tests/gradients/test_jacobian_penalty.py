"""The Jacobian penalty as an option of a model that any trainer can use."""

import pytest
import torch

from deqbench.equilibria.binding import bound
from deqbench.equilibria.solving import Stop
from deqbench.interfaces import Penalised, Split
from deqbench.learning.losses import Loss
from deqbench.learning.objective import Objective
from deqbench_plugins.gradients.implicit import Implicit
from deqbench_plugins.models.deq_mlp import DeqMlp
from deqbench_plugins.solvers.anderson import Anderson


@pytest.fixture(autouse=True)
def served():
    with bound(solver=Anderson(), gradient=Implicit(), stop=Stop(1e-12, 500)):
        yield


def objective(weight):
    g = torch.Generator().manual_seed(1)
    x = torch.randn(12, 4, generator=g, dtype=torch.float64)
    torch.manual_seed(0)
    module = DeqMlp(width=5, jacobian_penalty=weight).build((4,), 3).double()
    return Objective(module, Loss("cross-entropy"), Split(x, torch.arange(12) % 3))


@torch.no_grad()
def frobenius(problem):
    """Mean ||J||_F^2 / width at the equilibria, from slopes and weights."""
    cell = problem.module.cell
    injected = cell.injected(problem.x)
    z, f = torch.zeros_like(injected), cell.map()
    for _ in range(200):
        z = f(z, injected)
    slope = 1 - z**2
    return float((slope.unsqueeze(2) * cell.weight()).square().sum((1, 2)).mean() / 5)


def test_without_a_weight_nothing_is_penalised():
    assert not isinstance(objective(0.0).module, Penalised)


def test_the_objective_adds_the_penalty_everywhere_alike():
    plain, penalised = objective(0.0), objective(0.5)
    assert torch.equal(plain.vector, penalised.vector)
    extra = penalised.value() - plain.value()
    assert 0.2 < float(extra / (0.5 * frobenius(penalised))) < 5  # one random probe a sample
    torch.testing.assert_close(penalised.value_and_gradient()[0], penalised.value())
    torch.testing.assert_close(penalised.at(penalised.vector).detach(), penalised.value())


def test_its_gradient_is_that_of_finite_differences_with_equilibria_held():
    # z* is held constant in the penalty, so differences of the penalty are taken at a frozen z*.
    problem = objective(1.0)
    module = problem.module
    module(problem.x)
    module.penalty().backward()
    weight, direction = module.cell.free, torch.randn(5, 5, dtype=torch.float64)
    found = float((weight.grad * direction).sum())
    values = []
    for step in (1e-5, -1e-5):
        with torch.no_grad():
            weight += step * direction
            values.append(float(module.penalty()))
            weight -= step * direction
    assert found == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-7)


def test_training_with_it_makes_the_jacobian_smaller():
    def trained(weight):
        problem = objective(weight)
        for _ in range(15):
            _, gradient = problem.value_and_gradient()
            problem.set_vector(problem.vector - 0.6 * gradient)
        return frobenius(problem)

    assert trained(1.0) < 0.7 * trained(0.0)


def test_hessian_products_include_it():
    problem = objective(1.0)
    direction = torch.randn(problem.size, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    with_it = problem.hessian_product()(direction)
    without = objective(0.0).hessian_product()(direction)
    assert float((with_it - without).norm()) > 1e-3 * float(without.norm())

"""The DELM: theory.md section 1, items 1, 7 and 8, in float64."""

import pytest
import torch

from deqbench.equilibria.binding import bound
from deqbench.equilibria.solving import Map, Stop, drive
from deqbench_plugins.gradients.implicit import Implicit
from deqbench_plugins.models.deq_linear import DeqLinear
from deqbench_plugins.solvers.anderson import Anderson
from deqbench_plugins.solvers.direct import Direct
from deqbench_plugins.solvers.picard import Picard

GAMMAS = [0.5, 0.9, 0.99]


@pytest.fixture
def served():
    with bound(solver=Direct(), gradient=Implicit(), stop=Stop(1e-12)) as ledger:
        yield ledger


def case(gamma, m=20, outputs=3, n=15):
    torch.manual_seed(0)
    module = DeqLinear(gamma).build((m - 1,), outputs).double()
    return module, torch.randn(n, m - 1, dtype=torch.float64)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_the_state_sums_to_that_of_the_features_over_one_minus_gamma(gamma, served):
    module, x = case(gamma)
    expected = module.features(x).sum(1) / (1 - gamma)
    error = (module.state(x).sum(1) - expected).abs() / expected.abs()
    assert error.max() <= 1e-12


@pytest.mark.parametrize("gamma", GAMMAS)
def test_column_sums_of_the_inverse_are_one_over_one_minus_gamma(gamma):
    module, _ = case(gamma)
    inverse = torch.linalg.inv(torch.eye(20, dtype=torch.float64) - module.map().matrix.detach())
    torch.testing.assert_close(
        inverse.sum(0) * (1 - gamma), torch.ones(20, dtype=torch.float64), rtol=1e-12, atol=0
    )


@pytest.mark.parametrize("gamma", GAMMAS)
def test_unrolling_errs_by_gamma_to_the_depth(gamma, served):
    module, x = case(gamma)
    phi = module.features(x.abs()).detach()  # non-negative, so the bound is attained
    exact = module.state(x.abs()).detach()
    f, z = Map(module.map(), (phi,)), torch.zeros_like(phi)
    start = exact.sum(1)
    for depth in range(1, 13):
        z = f(z).detach()
        signed, length = (exact - z).sum(1) / start, (exact - z).abs().sum(1) / start
        torch.testing.assert_close(signed, torch.full_like(signed, gamma**depth), rtol=1e-11, atol=1e-12)
        torch.testing.assert_close(length, signed, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_gradients_equal_autograd_through_the_solve(gamma, served):
    module, x = case(gamma)
    system = torch.eye(20, dtype=torch.float64) - gamma * torch.softmax(module.A, 0)
    exact = torch.linalg.solve(system, module.features(x).mT).mT @ module.B.mT
    weights = (module.A, module.B)
    expected = torch.autograd.grad((exact**2).sum(), weights)
    found = torch.autograd.grad((module(x) ** 2).sum(), weights)
    for a, b in zip(found, expected, strict=True):
        assert (a - b).norm() <= 1e-10 * b.norm()


@pytest.mark.parametrize("gamma", GAMMAS)
def test_gradients_of_a_have_columns_that_sum_to_zero(gamma, served):
    module, x = case(gamma)
    (gradient,) = torch.autograd.grad((module(x) ** 2).sum(), module.A)
    assert gradient.sum(0).abs().max() <= 1e-12 * gradient.abs().max() * 20


def test_gradients_match_the_closed_form(served):
    module, x = case(0.9)
    targets = torch.randn(15, 3, dtype=torch.float64)
    loss = ((module(x) - targets) ** 2).sum()
    found_a, found_b = torch.autograd.grad(loss, (module.A, module.B))
    share, b = torch.softmax(module.A, 0).detach(), module.B.detach()
    inverse = torch.linalg.inv(torch.eye(20, dtype=torch.float64) - 0.9 * share)
    w, phi = b @ inverse, module.features(x).mT
    p = 2 * (w @ phi - targets.mT) @ phi.mT @ inverse.mT  # G U^-T
    m = 0.9 * w.mT @ p
    torch.testing.assert_close(found_b, p, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found_a, share * (m - (share * m).sum(0)), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("solver", [Picard(), Anderson()], ids=repr)
def test_iterative_solvers_reach_the_direct_answer(solver, served):
    module, x = case(0.9)
    phi = module.features(x).detach()
    found = drive(solver, Map(module.map(), (phi,)), phi, Stop(1e-12, 500)).z
    torch.testing.assert_close(found, module.state(x), rtol=1e-9, atol=1e-9)


def test_a_trained_batch_reuses_one_factorisation_for_both_directions(served):
    module, x = case(0.9)
    module(x).sum().backward()
    assert served.forward.map_calls == 2  # the check of the residual, and the graph
    assert served.backward.vjps == 1


def test_predictions_start_small(served):
    module, x = case(0.5, m=65, outputs=10, n=200)
    assert module(x).std() < 0.3

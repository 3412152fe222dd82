"""C22 and C23 of theory.md: how wrong the one-step gradient may be, and when it still descends."""

import math

import pytest
import torch

from deqbench.equilibria.binding import Ledger, equilibrium
from deqbench.equilibria.solving import Stop
from deqbench_plugins.gradients.implicit import Implicit
from deqbench_plugins.gradients.one_step import OneStep
from deqbench_plugins.solvers.picard import Picard

SIZE = 5
TIGHT = Stop(1e-14, 1500)


def normal(*shape, seed):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=g, dtype=torch.float64)


def jacobian_of(gradient, function, theta):
    """dz*/dtheta, (d, p), row by row as the engine's gradient gives it; theta is one sample, (1, p)."""
    theta = theta.clone().requires_grad_()
    start = torch.zeros(1, SIZE, dtype=torch.float64)
    z = equilibrium(function, start, theta, solver=Picard(), gradient=gradient, stop=TIGHT, ledger=Ledger())
    rows = [torch.autograd.grad(z[0, i], theta, retain_graph=True)[0][0] for i in range(SIZE)]
    return z.detach(), torch.stack(rows)


def tanh_map(weight, inward):
    return lambda z, theta: torch.tanh(z @ weight.mT + theta @ inward.mT)


def facts_at(z, theta, function):
    """d f/dz and d f/dtheta at a point, by autograd: what the bound is written in."""
    return torch.autograd.functional.jacobian(lambda z, t: function(z, t)[0], (z, theta))


@pytest.mark.parametrize("norm", [0.3, 0.7, 0.95])
@pytest.mark.parametrize("seed", range(5))
def test_one_step_errs_by_no_more_than_rho_over_one_minus_rho(norm, seed):
    weight = normal(SIZE, SIZE, seed=seed)
    weight = weight * (norm / torch.linalg.matrix_norm(weight, 2))
    function = tanh_map(weight, normal(SIZE, 3, seed=10 + seed))
    theta = normal(1, 3, seed=20 + seed)
    z, by_one_step = jacobian_of(OneStep(), function, theta)
    by_z, by_theta = (part.squeeze(1) for part in facts_at(z, theta, function))
    truth = torch.linalg.solve(torch.eye(SIZE, dtype=torch.float64) - by_z, by_theta)
    torch.testing.assert_close(jacobian_of(Implicit(), function, theta)[1], truth)
    rho = float(torch.linalg.matrix_norm(by_z, 2))
    assert rho < 1
    bound = rho / (1 - rho) * torch.linalg.matrix_norm(by_theta, 2)
    assert torch.linalg.matrix_norm(truth - by_one_step, 2) <= bound * (1 + 1e-10)


@pytest.mark.parametrize("rho", [0.1, 0.5, 0.9])
def test_the_bound_is_attained_where_the_jacobian_is_a_multiple_of_one(rho):
    inward = normal(SIZE, 3, seed=1)
    _, by_one_step = jacobian_of(OneStep(), lambda z, t: rho * z + t @ inward.mT, normal(1, 3, seed=2))
    error = torch.linalg.matrix_norm(inward / (1 - rho) - by_one_step, 2)
    bound = rho / (1 - rho) * torch.linalg.matrix_norm(inward, 2)
    torch.testing.assert_close(error, bound)  # so no smaller factor is true: 0.99 of it is exceeded
    assert error > 0.99 * bound


def test_control_with_the_spectral_radius_for_rho_the_bound_is_false():
    by_z = 0.1 * torch.eye(SIZE, dtype=torch.float64)
    by_z[0, 1] = 2.0  # radius 0.1, norm above 2
    identity = torch.eye(SIZE, dtype=torch.float64)
    _, by_one_step = jacobian_of(OneStep(), lambda z, t: z @ by_z.mT + t, torch.ones(1, SIZE).double())
    error = torch.linalg.matrix_norm(torch.linalg.inv(identity - by_z) - by_one_step, 2)
    assert error > 10 * 0.1 / (1 - 0.1)


def rotation(angle):
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s], [s, c]], dtype=torch.float64)


def worst_case(gamma, condition):
    """J of norm gamma, M with cond(M M^T) as given, and dL/dz that turn the two gradients farthest apart.

    With A = M M^T and w = (I - J^T)^-1 g, <one-step, exact> = <A g, w>. A turns g by at most
    arccos(2 sqrt(c) / (c + 1)) (Kantorovich), J turns g from w by at most arcsin(gamma); here both do,
    in opposite directions.
    """
    spread = torch.diag(torch.tensor([condition, 1.0], dtype=torch.float64))
    g = torch.tensor([1.0, math.sqrt(condition)], dtype=torch.float64)
    turned = spread @ g
    side = 1.0 if g[0] * turned[1] - g[1] * turned[0] < 0 else -1.0
    w = rotation(side * math.asin(gamma)) @ g / math.sqrt(1 - gamma**2)
    step = w - g  # J^T w, of length gamma ||w||
    angle = math.atan2(float(w[0] * step[1] - w[1] * step[0]), float(w @ step))
    return gamma * rotation(angle).mT, spread.sqrt(), g


def cosine(gamma, condition):
    """Cosine of the engine's one-step gradient with its implicit one, at the worst case."""
    jacobian, inward, g = worst_case(gamma, condition)
    assert float(torch.linalg.matrix_norm(jacobian, 2)) == pytest.approx(gamma)
    found = []
    for gradient in (OneStep(), Implicit()):
        theta = torch.ones(1, 2, dtype=torch.float64, requires_grad=True)
        start = torch.zeros(1, 2, dtype=torch.float64)
        z = equilibrium(
            lambda z, t: z @ jacobian.mT + t @ inward.mT,
            start,
            theta,
            solver=Picard(),
            gradient=gradient,
            stop=TIGHT,
            ledger=Ledger(),
        )
        found.append(torch.autograd.grad((z @ g).sum(), theta)[0][0])
    return float(torch.nn.functional.cosine_similarity(*found, dim=0))


def threshold(gamma):
    root = math.sqrt(1 - gamma**2)
    return (1 + root) / (1 - root)


GAMMAS = [0.3, 0.6, 0.9]


@pytest.mark.parametrize("gamma", GAMMAS)
def test_one_step_descends_where_the_published_condition_holds(gamma):
    assert 1 / gamma < threshold(gamma)  # the published condition is the stronger one
    assert cosine(gamma, 0.99 / gamma) > 0.3


@pytest.mark.parametrize("gamma", GAMMAS)
def test_one_step_descends_up_to_the_sharp_threshold(gamma):
    assert cosine(gamma, 0.98 * threshold(gamma)) > 1e-3


@pytest.mark.parametrize("gamma", GAMMAS)
def test_control_just_beyond_the_threshold_one_step_may_climb(gamma):
    assert cosine(gamma, 1.02 * threshold(gamma)) < -1e-3


@pytest.mark.parametrize("gamma", GAMMAS)
def test_no_random_case_below_the_threshold_is_worse_than_the_worst_case(gamma):
    g = torch.Generator().manual_seed(0)
    condition = 0.98 * threshold(gamma)
    spread = torch.diag(torch.tensor([condition, 1.0], dtype=torch.float64))
    for _ in range(300):
        angles = 6.283 * torch.rand(2, generator=g, dtype=torch.float64)
        incoming = torch.randn(2, generator=g, dtype=torch.float64)
        jacobian, basis = gamma * rotation(float(angles[0])), rotation(float(angles[1]))
        exact = torch.linalg.solve(torch.eye(2, dtype=torch.float64) - jacobian.mT, incoming)
        assert float((basis @ spread @ basis.mT @ incoming) @ exact) > 0

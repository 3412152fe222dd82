"""Steihaug's and the exact subproblem against dense linear algebra and the optimality conditions."""

from __future__ import annotations

import pytest
import torch

from deqbench.errors import InapplicableError, NonFiniteError
from deqbench_plugins.trainers.trust_region.exact_subproblem import exact
from deqbench_plugins.trainers.trust_region.steihaug import steihaug

SIZE = 12


def problem(spectrum, seed=0):
    """Return H with the given spectrum, g, and a metric M, all dense and float64."""
    generator = torch.Generator().manual_seed(seed)
    basis, _ = torch.linalg.qr(torch.randn(SIZE, SIZE, dtype=torch.float64, generator=generator))
    h = basis @ torch.diag(spectrum) @ basis.T
    g = torch.randn(SIZE, dtype=torch.float64, generator=generator)
    root = torch.randn(SIZE, SIZE, dtype=torch.float64, generator=generator) / 3
    return h, g, root @ root.T + torch.eye(SIZE, dtype=torch.float64)


CONVEX = torch.logspace(-1, 2, SIZE, dtype=torch.float64)
INDEFINITE = torch.linspace(-3, 5, SIZE, dtype=torch.float64)


def solve(method, h, g, m, radius):
    return method(g, lambda v: h @ v, lambda r: torch.linalg.solve(m, r), radius, 1e-12)


def model(h, g, p):
    return (g @ p + p @ h @ p / 2).item()


@pytest.mark.parametrize("method", [steihaug, exact])
def test_a_large_ball_gives_the_newton_step(method):
    h, g, m = problem(CONVEX)
    step = solve(method, h, g, m, 1e6)
    torch.testing.assert_close(step.p, -torch.linalg.solve(h, g), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("method", [steihaug, exact])
@pytest.mark.parametrize("spectrum", [CONVEX, INDEFINITE])
@pytest.mark.parametrize("radius", [1e-3, 0.3, 2.0])
def test_the_reported_length_is_the_norm_in_the_metric_and_inside_the_ball(method, spectrum, radius):
    h, g, m = problem(spectrum)
    step = solve(method, h, g, m, radius)
    assert step.length == pytest.approx((step.p @ m @ step.p).sqrt().item(), rel=1e-10)
    assert step.length <= radius * (1 + 1e-12)


@pytest.mark.parametrize("method", [steihaug, exact])
@pytest.mark.parametrize("spectrum", [CONVEX, INDEFINITE])
@pytest.mark.parametrize("radius", [1e-3, 0.3, 100.0])
def test_the_predicted_reduction_is_the_models(method, spectrum, radius):
    h, g, m = problem(spectrum)
    step = solve(method, h, g, m, radius)
    assert step.predicted == pytest.approx(-model(h, g, step.p), rel=1e-9)


@pytest.mark.parametrize("spectrum", [CONVEX, INDEFINITE])
@pytest.mark.parametrize("radius", [1e-3, 0.3, 2.0, 100.0])
def test_the_exact_step_meets_the_optimality_conditions(spectrum, radius):
    h, g, m = problem(spectrum)
    p = solve(exact, h, g, m, radius).p
    # More and Sorensen's conditions, with the multiplier that the first of them leaves no choice of
    lam = (-(p @ (h @ p + g)) / (p @ m @ p)).item()
    torch.testing.assert_close((h + lam * m) @ p, -g, rtol=1e-8, atol=1e-9)
    assert lam >= -1e-10
    assert torch.linalg.eigvalsh(h + lam * m).min() >= -1e-8
    assert abs(lam * ((p @ m @ p).sqrt().item() - radius)) <= 1e-8 * max(1.0, lam)


def test_the_exact_step_reaches_the_edge_in_the_hard_case():
    h = torch.diag(torch.tensor([-2.0, 1.0, 3.0], dtype=torch.float64))
    g = torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64)
    step = exact(g, lambda v: h @ v, lambda r: r, 2.0, 0.0)
    # the multiplier is 2, so that the last two entries follow and the first one fills the ball
    assert step.p[1:].tolist() == pytest.approx([-1 / 3, -1 / 5])
    assert step.p[0].abs().item() == pytest.approx((4 - 1 / 9 - 1 / 25) ** 0.5)


@pytest.mark.parametrize("radius", [1e-3, 0.1, 0.5, 2.0])
def test_truncated_cg_gets_half_of_the_optimal_reduction_in_a_convex_model(radius):
    # a theorem: Yuan, Mathematical Programming 87
    h, g, m = problem(CONVEX)
    assert solve(steihaug, h, g, m, radius).predicted >= solve(exact, h, g, m, radius).predicted / 2


def test_truncated_cg_stops_at_its_tolerance():
    h, g, m = problem(CONVEX)
    calls = []

    def hessian(v):
        calls.append(1)
        return h @ v

    p = steihaug(g, hessian, lambda r: torch.linalg.solve(m, r), 1e6, 0.1).p
    residual = h @ p + g
    ratio = (residual @ torch.linalg.solve(m, residual)) / (g @ torch.linalg.solve(m, g))
    assert ratio.sqrt() <= 0.1
    assert len(calls) < SIZE


@pytest.mark.parametrize("method", [steihaug, exact])
def test_a_hessian_that_is_not_a_number_is_an_error(method):
    g = torch.ones(4, dtype=torch.float64)
    with pytest.raises(NonFiniteError):
        method(g, lambda v: v * torch.nan, lambda r: r, 1.0, 0.1)


def test_a_product_that_turns_nan_midway_leaves_the_step_so_far():
    h, g, _ = problem(CONVEX)
    calls = []

    def hessian(v):
        calls.append(1)
        return h @ v * (torch.nan if len(calls) > 2 else 1.0)

    step = steihaug(g, hessian, lambda r: r, 1e6, 1e-12)
    assert torch.isfinite(step.p).all()
    assert step.predicted == pytest.approx(-model(h, g, step.p), rel=1e-9)


def test_a_dense_hessian_of_a_large_model_is_refused():
    with pytest.raises(InapplicableError, match="3000 parameters"):
        exact(torch.ones(3000), lambda v: v, lambda r: r, 1.0, 0.0)

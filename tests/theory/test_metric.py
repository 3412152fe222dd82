"""D without being formed, against its definition; the certificate of its least eigenvalue."""

from __future__ import annotations

import math
import time

import pytest
import torch

from deqbench_plugins.claims.cases import draw, normal, random_case, random_loss, random_state, relative
from deqbench_plugins.theory.metric import Metric, dense, floor, largest, paper_floor


def by_definition(state):
    """D from the Jacobian of W with respect to (A, B), by autograd: d vec W / d theta times its transpose."""

    def function(a, b):
        u = torch.eye(len(a), dtype=torch.float64) - state.gamma * torch.softmax(a, 0)
        return (b @ torch.linalg.inv(u)).reshape(-1)

    a, b = torch.autograd.functional.jacobian(function, (state.A, state.B))
    jacobian = torch.cat([a.flatten(1), b.flatten(1)], 1)
    return jacobian @ jacobian.T


def test_d_is_the_jacobians_square():
    for seed in range(30):
        state, _ = random_case(seed)
        metric = Metric(state)
        assert relative(dense(metric.apply, metric.shape), by_definition(state)) <= 1e-12


def test_the_inverse_undoes_it_and_the_root_squares_to_it():
    for seed in range(30):
        state, _ = random_case(seed)
        metric, v = Metric(state), normal(draw(seed), *state.B.shape)
        assert relative(metric.solve(metric.apply(v)), v) <= 1e-10
        assert relative(metric.root(metric.root_transposed(v)), metric.apply(v)) <= 1e-12


def test_the_flows_speed_is_the_gradients_norm_in_d():
    for seed in range(20):
        state, loss = random_case(seed, "cross-entropy")
        outer = loss.gradient(state.W)
        speed = float((outer * Metric(state).apply(outer)).sum())
        assert state.gradient(outer).squared_norm() == pytest.approx(speed, rel=1e-12)


@pytest.mark.parametrize("case", range(200))
def test_the_least_eigenvalue_lies_in_its_certificate(case):
    state, _ = random_case(case)
    metric = Metric(state)
    least = float(torch.linalg.eigvalsh(dense(metric.apply, metric.shape))[0])
    size, gamma = len(state.A), state.gamma
    assert metric.sandwich.low <= least * (1 + 1e-10)
    assert least <= metric.sandwich.high * (1 + 1e-10)
    assert paper_floor(size, gamma) <= floor(size, gamma) * (1 + 1e-14)
    assert floor(size, gamma) <= metric.sandwich.low * (1 + 1e-14)


@pytest.mark.parametrize("case", range(20))
def test_the_lower_end_is_exact_where_the_rank_is_below_the_outputs(case):
    state = random_state(case, 3, 6, 0.8, scale=2.0)
    metric = Metric(state)
    least = float(torch.linalg.eigvalsh(dense(metric.apply, metric.shape))[0])
    assert least == pytest.approx(metric.sandwich.low, rel=1e-10)


@pytest.mark.parametrize("m", [20, 64, 256])
def test_the_certificate_is_narrow_and_lanczos_is_inside(m):
    metric = Metric(random_state(0, m, 10, 0.9))
    assert metric.sandwich.width <= 0.05
    least = metric.least(tolerance=1e-10)
    assert metric.sandwich.low * (1 - 1e-8) <= least <= metric.sandwich.high * (1 + 1e-8)


def test_the_certificate_of_784_features_is_narrow(capsys):
    begun = time.perf_counter()
    metric = Metric(random_state(0, 784, 10, 0.9))
    assert metric.sandwich.width <= 0.05
    with capsys.disabled():
        print(f"\n[784 x 10: width {metric.sandwich.width:.3%}, {time.perf_counter() - begun:.1f} s]")


@pytest.mark.parametrize("name", ["square", "logistic", "cross-entropy"])
@pytest.mark.parametrize(("m", "outputs"), [(4, 3), (12, 8)])
def test_the_reach_is_one_over_the_largest_eigenvalue_of_d_times_h(name, m, outputs):
    state, loss = random_state(1, m, outputs, 0.9), random_loss(1, name, (30, m, outputs))
    metric, hessian = Metric(state), loss.hessian(state.W)
    product = dense(metric.apply, metric.shape) @ dense(hessian, metric.shape)
    truth = float(torch.linalg.eigvals(product).real.max())
    assert metric.reach(hessian) == pytest.approx(1 / truth, rel=1e-9)


def test_without_curvature_the_reach_is_infinite():
    for m in (3, 20):
        assert Metric(random_state(0, m, 4, 0.5)).reach(torch.zeros_like) == math.inf


def test_the_condition_is_of_the_preconditioned_hessian():
    state, loss = random_state(1, 4, 2, 0.9), random_loss(1, "square", (30, 4, 2))
    metric, hessian = Metric(state), loss.hessian(state.W)
    values, vectors = torch.linalg.eigh(dense(metric.apply, metric.shape))
    root = vectors @ torch.diag(values.sqrt()) @ vectors.T
    truth = torch.linalg.cond(root @ dense(hessian, metric.shape) @ root)
    assert metric.condition(hessian) == pytest.approx(float(truth), rel=1e-9)


def test_krylov_and_dense_agree_on_a_known_spectrum():
    values = torch.linspace(-3, 7, 120, dtype=torch.float64).view(12, 10)
    assert largest(lambda v: values * v, values.shape) == pytest.approx(7.0, rel=1e-12)

"""Theorem 2 against solvers that know nothing of it."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch

from deqbench_plugins.claims.cases import random_case, relative
from deqbench_plugins.theory.equivalence import Equivalence, by_secular_equation, by_slsqp
from deqbench_plugins.theory.flow import delm_flow
from deqbench_plugins.theory.metric import Metric

SHARES = (0.01, 0.1, 0.5, 0.9)
LOSSES = ("square", "logistic", "cross-entropy")


def instances(count, first=0):
    for seed in range(first, first + count):
        state, loss = random_case(seed, LOSSES[seed % 3], largest=1.5)
        metric, hessian = Metric(state), loss.hessian(state.W)
        yield metric, hessian, loss.gradient(state.W), metric.reach(hessian)


def distance(v, other):
    return float(np.linalg.norm(v - other) / np.linalg.norm(other))


def test_the_flows_step_solves_the_subproblem_in_200_states():
    worst = {"kkt": 0.0, "step": 0.0, "multiplier": 0.0}
    control = 0.0
    for metric, hessian, gradient, reach in instances(200):
        for share in SHARES:
            case = Equivalence(metric, hessian, gradient, share * reach)
            whole, inside, g = case.dense()
            solved = by_secular_equation(whole, inside, g, case.radius)
            step = case.step.reshape(-1).numpy()
            worst["kkt"] = max(worst["kkt"], case.kkt_residual)
            worst["step"] = max(worst["step"], distance(step, solved.v))
            worst["multiplier"] = max(worst["multiplier"], abs(solved.multiplier * case.delta - 1))
            ball = by_secular_equation(whole, np.eye(len(g)), g, float(np.linalg.norm(step)))
            control = max(control, distance(step, ball.v))
    assert worst["kkt"] <= 1e-9
    assert worst["step"] <= 1e-9
    assert worst["multiplier"] <= 1e-9
    assert control > 1e-2


def test_slsqp_finds_the_same_step():
    for metric, hessian, gradient, reach in instances(4):
        case = Equivalence(metric, hessian, gradient, 0.5 * reach)
        found = by_slsqp(*case.dense(), case.radius)
        assert distance(found, case.step.reshape(-1).numpy()) <= 1e-5


def test_no_feasible_point_is_better():
    generator = np.random.default_rng(0)
    for metric, hessian, gradient, reach in instances(6):
        case = Equivalence(metric, hessian, gradient, 0.5 * reach)
        whole, inside, g = case.dense()
        step = case.step.reshape(-1).numpy()
        points = generator.standard_normal((2000, len(g)))
        lengths = np.sqrt(np.einsum("ki,ij,kj->k", points, inside, points))
        points *= (case.radius * generator.random(2000) / lengths)[:, None]
        models = points @ g + np.einsum("ki,ij,kj->k", points, whole, points) / 2
        assert models.min() >= g @ step + step @ whole @ step / 2


def test_beyond_its_reach_the_metric_is_indefinite():
    for metric, hessian, gradient, reach in instances(20):
        for factor, definite in ((0.99, True), (1.01, False)):
            _, inside, _ = Equivalence(metric, hessian, gradient, factor * reach).dense()
            assert (scipy.linalg.eigvalsh(inside)[0] > 0) == definite


def test_a_large_ball_holds_the_newton_step():
    metric, hessian, gradient, reach = next(instances(1, first=0))
    whole, inside, g = Equivalence(metric, hessian, gradient, 0.5 * reach).dense()
    whole += np.eye(len(g)) * whole.trace()
    solved = by_secular_equation(whole, inside, g, 1e9)
    assert solved.multiplier == 0.0
    assert distance(solved.v, -np.linalg.solve(whole, g)) <= 1e-9


@pytest.mark.parametrize("name", LOSSES)
def test_a_flow_of_length_delta_differs_from_the_step_in_first_order(name):
    state, loss = random_case(3, name)
    metric, hessian = Metric(state), loss.hessian(state.W)
    reach, errors = metric.reach(hessian), []
    for share in (1e-1, 1e-2, 1e-3, 1e-4):
        step = Equivalence(metric, hessian, loss.gradient(state.W), share * reach).step
        moved = delm_flow(state, loss, share * reach).at(share * reach).W - state.W
        errors.append(relative(moved, step))
    slope = np.polyfit(np.log10([1e-1, 1e-2, 1e-3, 1e-4]), np.log10(errors), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.1)
    assert torch.isfinite(step).all()

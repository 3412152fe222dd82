"""C7, C11, C12, C17, C24 and P15: what they compute, against closed forms and other programs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.optimize
import torch

from deqbench.claims import Outcome
from deqbench.equilibria.binding import Ledger, equilibrium
from deqbench.equilibria.monotone import LinearPart, MonotoneMap, Relu, monotone_blocks
from deqbench.equilibria.solving import Stop
from deqbench.experiments.claim import examined
from deqbench_plugins.claims import descent_rate, diagonal_bias, linear_deq_rate, lipschitz, one_step_on_delm
from deqbench_plugins.claims.cases import draw, normal, random_loss, random_state, relative
from deqbench_plugins.claims.monotone import solved
from deqbench_plugins.claims.near_one import EXPONENTS, NearOne
from deqbench_plugins.gradients.one_step import OneStep
from deqbench_plugins.solvers.picard import Picard
from deqbench_plugins.theory.metric import Metric
from deqbench_plugins.theory.optimum import optimum


def test_c7_the_heuristic_step_itself_is_too_long_to_be_certified():
    claim = descent_rate.DescentRate(regime="narrow", gamma=0.8, share=1.0, steps=20)
    evidence, verdict, _ = examined(claim, 0)
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert 1 < evidence.assumptions[0].value < 1.1


def test_c7_its_curvature_is_that_of_the_loss_by_finite_differences():
    loss, state = random_loss(3, "square", (8, 3, 2), scale=1 / 8), random_state(3, 3, 2, 0.7, 0.3)
    size, step = len(state.vector), 1e-6

    def gradient(x):
        moved = state.at(x)
        a, b = moved.gradient(loss.gradient(moved.W))
        return torch.cat([a.reshape(-1), b.reshape(-1)])

    basis = torch.eye(size, dtype=torch.float64)
    rows = [gradient(state.vector + step * e) - gradient(state.vector - step * e) for e in basis]
    whole = torch.stack(rows) / (2 * step)
    truth = float(torch.linalg.eigvalsh((whole + whole.T) / 2)[-1])
    assert descent_rate._curvature(state, loss) == pytest.approx(truth, rel=1e-7)
    # The Gauss-Newton part alone, whose eigenvalue is lambda_max(D H), is what the heuristic knows.
    assert truth == pytest.approx(1 / Metric(state).reach(loss.hessian(state.W)), rel=0.5)


def test_c7_one_step_of_its_descent_is_that_of_torch():
    loss, state = random_loss(4, "square", (8, 3, 2), scale=1 / 8), random_state(4, 3, 2, 0.7, 0.3)
    a, b = (one.clone().requires_grad_() for one in (state.A, state.B))
    system = torch.eye(3, dtype=torch.float64) - state.gamma * torch.softmax(a, 0)
    value = (loss.features @ torch.linalg.solve(system.T, b.T) - loss.y).square().sum() / 8
    by_a, by_b = torch.autograd.grad(value, (a, b))
    point, *_ = descent_rate.contraction(state, loss, 0.1, 1)
    moved = state.at(state.vector - 0.1 * torch.cat([by_a.reshape(-1), by_b.reshape(-1)]))
    before, after = (loss.value(one.W) - optimum(loss).value for one in (state, moved))
    assert point.quantity == pytest.approx(after / before, rel=1e-9)


def test_c11_one_unit_moves_on_a_circle_to_its_known_end():
    one = torch.ones(1, 1, dtype=torch.float64)
    seen = linear_deq_rate.followed(linear_deq_rate.Case(0 * one, 0 * one, one, one, 30 * one), 0)
    assert seen[-1].least == pytest.approx(1 / math.sqrt(1 + 30**2), rel=1e-8)  # 1 - w = cos, u = sin
    assert seen[-1].gap < 1e-12


def test_c11_the_gap_is_that_of_the_loss_and_its_least_squares():
    case = linear_deq_rate.drawn(1)
    inverse = torch.linalg.inv(torch.eye(6, dtype=torch.float64) - case.W)
    missed = (case.C @ inverse @ case.U @ case.x - case.y).square().sum() / 24
    best = np.linalg.lstsq(case.x.numpy().T, case.y.numpy().T, rcond=None)[1].sum() / 24
    assert case.gap(case.W, case.U) == pytest.approx(float(missed) - best, rel=1e-10)


def test_c11_its_gradient_is_that_of_autograd():
    case = linear_deq_rate.drawn(2)
    w, u = (one.clone().requires_grad_() for one in (case.W, case.U))
    z = torch.linalg.solve(torch.eye(6, dtype=torch.float64) - w, u) @ case.x
    truth = torch.autograd.grad((case.C @ z - case.y).square().sum() / 24, (w, u))
    for found, known in zip(case.gradient(case.W, case.U), truth, strict=True):
        torch.testing.assert_close(found, known, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("readout", ["trained", "frozen"])
def test_c12_the_flow_ends_where_scipy_minimises_the_potential(readout):
    case = diagonal_bias.drawn(0, readout)
    w, u = diagonal_bias.followed(case, diagonal_bias._ACCURACY, trained=readout == "trained")
    end, radius, start = u / (1 - w), (1 - case.w).numpy() ** 2, (1 / (1 - case.w)).numpy()

    def potential(beta):
        if readout == "trained":
            return float(np.sum(radius * beta * np.arctan(beta)) / 2)
        return float(np.sum(1 / (6 * beta**2) + beta / (3 * start**3)))

    features, y = case.X.numpy(), case.y.numpy()
    first = np.linalg.pinv(features) @ y if readout == "trained" else end.numpy() * 1.01
    found = scipy.optimize.minimize(
        potential,
        first,
        method="SLSQP",
        constraints={"type": "eq", "fun": lambda beta: features @ beta - y, "jac": lambda _: features},
        options={"ftol": 1e-15, "maxiter": 500},
    )
    assert relative(torch.from_numpy(found.x), end) < 1e-5


def test_c17_a_local_slope_is_the_engines_own():
    generator = draw(3)
    factor, skew = normal(generator, 2, 9, 9) / 3
    part, inward = LinearPart(monotone_blocks(factor, skew, 0.3)), normal(generator, 9, 5)
    map_, x = MonotoneMap(part, Relu()), normal(generator, 1, 5)
    steps = 1e-6 * torch.eye(5, dtype=torch.float64)
    ends = [solved(map_, (x + side * steps) @ inward.T, torch.zeros(5, 9).double()) for side in (1, -1)]
    jacobian = ((ends[0] - ends[1]) / 2e-6).T
    active = tuple((solved(map_, x @ inward.T, torch.zeros(1, 9).double())[0] > 0).int().tolist())
    known = dict(lipschitz.slopes(part.blocks, inward))[active]
    assert float(torch.linalg.matrix_norm(jacobian, 2)) == pytest.approx(known, rel=1e-6)


def test_c17_the_bound_is_attained_where_w_is_a_multiple_of_one():
    inward = normal(draw(4), 4, 3)
    worst = max(norm for _, norm in lipschitz.slopes(0.7 * torch.eye(4, dtype=torch.float64), inward))
    assert worst == pytest.approx(float(torch.linalg.matrix_norm(inward, 2)) / 0.3)


def test_c24_is_inconclusive_and_tells_how_often_the_one_step_gradient_climbs():
    evidence, verdict, _ = examined(one_step_on_delm.OneStepOnDelm(states=300), 3)
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert "M M' is regular" in verdict.reason
    assert verdict.control_fired
    told = {one.name: one.value for one in evidence.assumptions}
    assert told["singular_share"] < 1e-14
    assert told["counterexamples"] == sum(point.ratio > 1 for point in evidence.points) / 300
    assert 0 < told["counterexamples"] < 0.02


def test_c24_its_angle_is_that_of_the_engines_gradients():
    state, loss = random_state(5, 5, 2, 0.9), random_loss(5, "square", (7, 5, 2))
    free = state.A.clone().requires_grad_()
    matrix = state.gamma * torch.softmax(free, 0)

    z = equilibrium(
        lambda z, x: z @ matrix.T + x,
        torch.zeros_like(loss.features),
        loss.features,
        solver=Picard(),
        gradient=OneStep(),
        stop=Stop(1e-14, 2000),
        ledger=Ledger(),
    )
    one_step = torch.autograd.grad((z @ state.B.T - loss.y).square().sum(), free)[0]
    exact = state.gradient(loss.gradient(state.W)).A
    cosine = torch.nn.functional.cosine_similarity(one_step.reshape(-1), exact.reshape(-1), dim=0)
    found = math.cos(one_step_on_delm.angle_in_a(state, loss.gradient(state.W)))
    assert found == pytest.approx(float(cosine), rel=1e-9)


def test_p15_plain_lu_loses_a_digit_a_step_and_the_known_sum_none():
    evidence, verdict, _ = examined(NearOne(m=6), 1)
    assert verdict.verdict is Outcome.HOLDS
    assert max(point.quantity for point in evidence.points) < 3e-14
    lost = [math.log10(point.quantity / 2.2e-16) - point.t for point in evidence.control]
    assert len(lost) == len(EXPONENTS)
    assert all(abs(one) < 2.5 for one in lost[3:])

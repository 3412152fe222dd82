"""The DELM in 50 digits agrees with the float64 code, which shares no arithmetic with it."""

import mpmath
import pytest
import torch

from deqbench_plugins.claims.cases import draw, normal, random_loss, random_state, relative
from deqbench_plugins.theory.delm import Delm
from deqbench_plugins.theory.exact_digits import (
    ExactDelm,
    ExactSquare,
    column_softmax,
    context,
    from_digits,
    to_digits,
)
from deqbench_plugins.theory.losses import Hull
from deqbench_plugins.theory.metric import Metric, dense, paper_floor
from deqbench_plugins.theory.optimum import optimum

SHAPES = [(3, 6), (5, 2), (6, 1), (4, 4)]
"""(m, m_y)."""


@pytest.fixture(params=SHAPES, ids=lambda shape: f"m={shape[0]},m_y={shape[1]}")
def pair(request):
    """A state, and the same in 50 digits."""
    state = random_state(3, *request.param, 0.9)
    return state, ExactDelm.of(state, context())


def close(found, truth):
    return relative(from_digits(found), truth) <= 1e-13


def test_equilibrium_and_function_agree(pair):
    state, exact = pair
    features = normal(draw(1), 4, len(state.A))
    assert close(exact.S, state.S)
    assert close(exact.inverse, state.inverse)
    assert close(exact.W, state.W)
    assert close(exact.equilibrium(features), state.equilibrium(features))


def test_d_agrees_applied_and_whole(pair):
    state, exact = pair
    metric, v = Metric(state), normal(draw(2), *state.B.shape)
    assert close(exact.apply(to_digits(exact.own, v)), metric.apply(v))
    assert close(exact.dense, dense(metric.apply, metric.shape))


def test_the_least_eigenvalue_and_its_floor_agree(pair):
    state, exact = pair
    assert float(exact.least) == pytest.approx(Metric(state).least(), rel=1e-12)
    assert float(exact.paper_floor) == pytest.approx(paper_floor(len(state.A), state.gamma), rel=1e-14)


@pytest.mark.parametrize("rank", [None, 2])
def test_gap_gradient_and_kappa_of_the_square_loss_agree(rank):
    state, loss = random_state(4, 5, 3, 0.8), random_loss(4, "square", (12, 5, 3), rank=rank, scale=1 / 12)
    own = context()
    exact, square = ExactDelm.of(state, own), ExactSquare.of(loss, own)
    gradient = square.gradient(exact.W)
    assert float(square.gap(exact.W)) == pytest.approx(loss.value(state.W) - optimum(loss).value, rel=1e-12)
    assert close(gradient, loss.gradient(state.W))
    assert float(square.kappa) == pytest.approx(Hull(loss).kappa, rel=1e-12)
    norm = state.gradient(loss.gradient(state.W)).squared_norm()
    assert float(exact.squared_gradient(gradient)) == pytest.approx(norm, rel=1e-12)


def test_columns_of_the_inverse_sum_to_what_is_known_at_gamma_near_one():
    state = Delm(random_state(5, 4, 2, 0.0).A, torch.ones(2, 4, dtype=torch.float64), 1e-14)
    own = context()
    sums = ExactDelm.of(state, own).inverse.T * own.ones(4, 1)
    assert all(abs(value * own.mpf(1e-14) - 1) < own.mpf("1e-30") for value in sums)


def test_a_gap_that_float64_cancels_away_is_still_there():
    loss = random_loss(6, "square", (30, 3, 2))
    off = optimum(loss).weights + 1e-12
    assert loss.value(off) - optimum(loss).value < 1e-15 * loss.value(off)  # rounding, of either sign
    own = context()
    square = ExactSquare.of(loss, own)
    away = from_digits(to_digits(own, off) - square.weights)
    known = float((away @ loss.features.T).square().sum())
    assert float(square.gap(to_digits(own, off))) == pytest.approx(known, rel=1e-6)
    assert known > 1e-24


def test_softmax_has_the_digits_that_are_asked_for():
    own, free = context(40), normal(draw(7), 3, 3)
    found = column_softmax(own, free)
    with mpmath.workdps(80):
        exps = [[mpmath.exp(mpmath.mpf(value)) for value in row] for row in free.tolist()]
        truth = exps[0][1] / mpmath.fsum(row[1] for row in exps)
        assert abs(mpmath.mpf(found[0, 1]) - truth) < mpmath.mpf("1e-39")


def test_no_context_changes_the_global_precision():
    before = mpmath.mp.dps
    assert ExactDelm.of(random_state(8, 3, 2, 0.5), context(70)).least > 0
    assert mpmath.mp.dps == before

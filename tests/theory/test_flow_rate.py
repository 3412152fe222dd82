"""Theorem 1 on live flows: the bound, its sharpness, its control; classification; what is vacuous."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import torch

from deqbench.plugin import NonFiniteError
from deqbench_plugins.claims.cases import draw, normal, random_loss, random_state, relative
from deqbench_plugins.datasets.flipped_labels import FlippedLabels
from deqbench_plugins.theory.delm import Delm, column_sums
from deqbench_plugins.theory.flow import Accuracy, delm_flow, explicit_flow, integrate
from deqbench_plugins.theory.losses import ConvexLoss
from deqbench_plugins.theory.optimum import optimum
from deqbench_plugins.theory.rate import rate_along

REGIMES = {
    "m<m_y": (3, 6, 20, None),
    "m<n": (6, 2, 30, None),
    "n<m": (9, 2, 5, None),
    "m=m_y": (5, 5, 20, None),
    "m_y=1": (7, 1, 20, None),
    "rank-deficient": (7, 2, 20, 3),
    "m<m_y and n<m": (6, 8, 4, None),
}
"""(m, m_y, n, rank of the features)."""
GAMMAS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 0.6)
SQUARES = [
    pytest.param(shape, gamma, scale, id=f"{name}-gamma {gamma}-scale {scale}")
    for scale in (0.3, 1.0)
    for (name, shape), gamma in zip(REGIMES.items(), GAMMAS, strict=True)
]


@pytest.mark.parametrize(("shape", "gamma", "scale"), SQUARES)
def test_theorem_1_holds_for_the_square_loss_in_every_regime(shape, gamma, scale):
    m, outputs, n, rank = shape
    loss = random_loss(7, "square", (n, m, outputs), rank=rank)
    start = random_state(7, m, outputs, gamma, scale)
    flow = delm_flow(start, loss, horizon=3.0 / loss.kappa())
    rate = rate_along(flow, loss, optimum(loss), points=40)
    assert rate.checkpoints
    assert not rate.vacuous
    assert rate.worst <= 1 + 1e-6
    assert rate.worst_certified <= 1 + 1e-6
    assert rate.floor_ratio >= 1.0
    assert rate.a_priori <= rate.least
    drift = column_sums(flow.at(flow.trajectory.horizon)) - column_sums(start)
    assert float(drift.abs().max()) <= 1e-10


def sharp(epsilon, m=4, gamma=0.8):
    """Orthonormal features orthogonal to 1, targets of size epsilon, A = B = 0: the proof loses nothing."""
    ones = np.ones((m, 1)) / math.sqrt(m)
    basis = scipy.linalg.null_space(ones.T)
    features = torch.from_numpy(basis.T.copy())  # (m - 1, m)
    y = epsilon * normal(draw(0), m - 1, 2)
    zero = torch.zeros(m, m, dtype=torch.float64)
    return Delm(zero, torch.zeros(2, m, dtype=torch.float64), 1 - gamma), ConvexLoss("square", features, y, 2)


def rate_of_sharp(epsilon, factor=1.0):
    start, loss = sharp(epsilon)
    flow = delm_flow(start, loss, horizon=3.0)
    return rate_along(flow, loss, optimum(loss), points=50, kappa_factor=factor)


def test_the_bound_is_attained_by_the_sharp_instance():
    rate = rate_of_sharp(0.01)
    assert rate.worst <= 1 + 1e-6
    assert rate.checkpoints[-1].gap / rate.checkpoints[-1].bound >= 0.999


def test_a_kappa_two_per_cent_too_large_is_refuted():
    assert rate_of_sharp(0.1, factor=1.02).worst > 1.05


@pytest.mark.parametrize("name", ["logistic", "cross-entropy"])
def test_theorem_1_holds_for_classes_that_are_not_separable(name):
    loss = random_loss(1, name, (60, 5, 3), scale=1 / 60)
    flow = delm_flow(random_state(1, 5, 3, 0.8, 0.3), loss, horizon=60.0)
    rate = rate_along(flow, loss, optimum(loss), points=40)
    assert rate.attained
    assert not rate.vacuous
    assert rate.worst <= 1 + 1e-6
    assert rate.predicted / rate.observed >= 1e-3


@pytest.mark.parametrize(("name", "outputs"), [("logistic", 1), ("cross-entropy", 2)])
def test_on_tumours_with_flipped_labels_the_bound_predicts_a_twentieth_of_the_rate_at_least(name, outputs):
    train = FlippedLabels(components=5).load(0).train
    features = torch.cat([train.x, torch.ones(len(train), 1, dtype=torch.float64)], 1)
    loss = ConvexLoss.mean(name, features, train.y, outputs)
    rate = rate_along(delm_flow(random_state(0, 6, outputs, 0.8, 0.3), loss, 80.0), loss, optimum(loss), 40)
    assert rate.attained
    assert rate.worst <= 1 + 1e-6
    assert rate.predicted / rate.observed >= 0.05
    uniform = loss.kappa(rate.tau) * rate.least  # what the least curvature of all samples would predict
    assert uniform / rate.observed < 0.01


def test_separable_classes_have_no_optimum_so_that_the_bound_claims_nothing():
    loss = random_loss(1, "logistic", (5, 8, 1))
    flow = delm_flow(random_state(1, 8, 1, 0.8), loss, horizon=500.0, accuracy=Accuracy(rtol=1e-8))
    assert not rate_along(flow, loss, optimum(loss), points=20).attained


def test_tighter_tolerances_move_the_flow_less_than_the_first_ones_say():
    start, loss = random_state(2, 5, 2, 0.95), random_loss(2, "square", (20, 5, 2))
    flows = [delm_flow(start, loss, 0.05, accuracy) for accuracy in (Accuracy(), Accuracy().tighter())]
    assert relative(flows[0].at(0.05).W, flows[1].at(0.05).W) <= 1e-7


@pytest.mark.parametrize("method", ["Radau", "DOP853"])
def test_integrators_agree(method):
    start, loss = random_state(2, 4, 2, 0.9), random_loss(2, "square", (10, 4, 2))
    ends = [delm_flow(start, loss, 0.02, Accuracy(kind)).at(0.02).W for kind in ("LSODA", method)]
    assert relative(ends[1], ends[0]) <= 1e-7


def test_the_explicit_flow_is_the_matrix_exponential():
    loss, start = random_loss(2, "square", (10, 4, 2)), normal(draw(0), 2, 4)
    best = optimum(loss)
    gram = (loss.features.T @ loss.features).numpy()
    truth = best.weights + (start - best.weights) @ torch.from_numpy(scipy.linalg.expm(-2 * gram * 0.05))
    assert relative(explicit_flow(start, loss, 0.1).at(0.05).view(2, 4), truth) <= 1e-8


def test_only_a_moving_stalls_and_only_b_moving_does_not():
    loss, start = random_loss(2, "square", (20, 5, 2)), random_state(2, 5, 2, 0.8)
    best = optimum(loss).value
    first = loss.value(start.W) - best
    rough = Accuracy(rtol=1e-7)
    ends = {part: delm_flow(start, loss, 2.0, rough, part).at(2.0).W for part in ("A", "B", "both")}
    ratio = {part: (loss.value(w) - best) / first for part, w in ends.items()}
    assert ratio["A"] > 0.01
    assert ratio["B"] < 1e-8
    assert ratio["both"] < 1e-8


def test_a_flow_that_blows_up_is_an_error():
    with pytest.raises(NonFiniteError, match="could not be followed"):
        integrate(lambda x: x**2, torch.ones(1, dtype=torch.float64), 2.0, Accuracy("RK45"))


def test_without_checkpoints_there_is_no_worst():
    loss = random_loss(2, "square", (20, 5, 2))
    best = optimum(loss)
    start = random_state(2, 5, 2, 0.8).read_as(best.weights)
    rate = rate_along(delm_flow(start, loss, horizon=1e-3), loss, best, points=5)
    assert rate.checkpoints == ()
    assert math.isnan(rate.worst)

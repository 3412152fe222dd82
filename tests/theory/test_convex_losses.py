"""Gradients, Hessians and kappa of convex losses of W, and their optimum."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import torch

from deqbench.learning.losses import Loss
from deqbench_plugins.claims.cases import draw, normal, random_loss, relative
from deqbench_plugins.theory.losses import ConvexLoss, Hull, singular_values
from deqbench_plugins.theory.optimum import optimum, separates

LOSSES = ["square", "logistic", "cross-entropy"]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("outputs", [2, 4])
def test_value_gradient_and_hessian_are_autograds(name, outputs):
    loss, w, v = (
        random_loss(0, name, (15, 4, outputs)),
        normal(draw(1), outputs, 4),
        normal(draw(2), outputs, 4),
    )

    def value(w):
        return 15 * Loss(name)(loss.features @ w.T, loss.y)

    assert loss.value(w) == pytest.approx(float(value(w)), rel=1e-13)
    assert relative(loss.gradient(w), torch.autograd.functional.jacobian(value, w)) <= 1e-12
    assert relative(loss.hessian(w)(v), torch.autograd.functional.hvp(value, w, v)[1]) <= 1e-12


def test_a_mean_has_the_kappa_of_the_sum_divided_by_the_number_of_samples():
    total = random_loss(0, "square", (15, 4, 2))
    mean = ConvexLoss.mean("square", total.features, total.y, 2)
    assert mean.kappa() == pytest.approx(total.kappa() / 15, rel=1e-14)
    assert total.kappa() == pytest.approx(4 * np.linalg.svd(total.features)[1][-1] ** 2, rel=1e-12)


def test_a_rank_deficient_matrix_has_a_smallest_singular_value_that_is_not_zero():
    loss = random_loss(0, "square", (15, 6, 2), rank=3)
    found = singular_values(loss.features)
    assert found.rank == 3
    assert found.smallest == pytest.approx(np.linalg.svd(loss.features)[1][2], rel=1e-10)
    assert np.linalg.svd(loss.features)[1][3] <= found.tolerance < found.smallest


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("rank", [None, 3])
def test_kappa_bounds_the_gradient_by_the_gap_all_along_a_segment(name, rank):
    for seed in range(10):
        loss = random_loss(seed, name, (40, 5, 3), rank=rank)
        best = optimum(loss)
        assert best.attained
        start = best.weights + 0.5 * normal(draw(seed), 3, 5)
        kappa = Hull(loss).widened(start).widened(best.weights).kappa
        for share in (1.0, 0.5, 0.1):
            w = best.weights + share * (start - best.weights)
            assert float(loss.gradient(w).square().sum()) >= kappa * (loss.value(w) - best.value) * (1 - 1e-6)


@pytest.mark.parametrize("name", ["logistic", "cross-entropy"])
def test_a_sample_far_out_spoils_only_its_own_curvature(name):
    loss = random_loss(0, name, (40, 5, 3))
    w = normal(draw(1), 3, 5)
    hull = Hull(loss).widened(w)
    assert hull.kappa > 3 * loss.kappa(hull.tau)
    shares = hull.curvatures
    grams = [(loss.features.T * column) @ loss.features for column in shares.T]
    assert hull.kappa == pytest.approx(2 * min(float(torch.linalg.eigvalsh(gram)[0]) for gram in grams))


def test_the_hull_of_the_square_loss_has_its_kappa():
    loss = random_loss(0, "square", (15, 6, 2), rank=3)
    assert Hull(loss).kappa == pytest.approx(loss.kappa(), rel=1e-10)


def test_an_empty_hull_has_no_curvature():
    with pytest.raises(ValueError, match="empty"):
        _ = Hull(random_loss(0, "logistic", (40, 5, 3))).tau


def test_a_hull_holds_everything_between_its_points():
    loss = random_loss(0, "cross-entropy", (40, 5, 3))
    ends = normal(draw(1), 2, 3, 5)
    hull = Hull(loss).widened(ends[0]).widened(ends[1])
    inside = [loss.features @ (ends[0] + t * (ends[1] - ends[0])).T for t in np.linspace(0, 1, 7)]
    assert hull.tau <= min(float(q.softmax(1).min()) for q in inside) * (1 + 1e-12)


def test_the_hull_of_one_point_is_that_point():
    for name in ("logistic", "cross-entropy"):
        loss, w = random_loss(0, name, (40, 5, 3)), normal(draw(1), 3, 5)
        q = loss.features @ w.T
        least = (q.sigmoid() * (-q).sigmoid()).min() if name == "logistic" else q.softmax(1).min()
        assert Hull(loss).widened(w).tau == pytest.approx(float(least), rel=1e-12)


@pytest.mark.parametrize("rank", [None, 3])
def test_least_squares_is_numpys(rank):
    loss = random_loss(0, "square", (15, 6, 2), rank=rank)
    best = optimum(loss)
    x, y = loss.features.numpy(), loss.y.numpy()
    truth = np.linalg.lstsq(x, y)[0]
    assert best.value == pytest.approx(((x @ truth - y) ** 2).sum(), rel=1e-12)
    assert np.abs(best.weights.numpy().T - truth).max() <= 1e-12
    assert best.gradient_norm <= 1e-12


@pytest.mark.parametrize("name", ["logistic", "cross-entropy"])
def test_the_convex_optimum_is_scipys(name):
    loss = random_loss(0, name, (40, 4, 3))
    best = optimum(loss)

    def value(x):
        w = torch.from_numpy(x).view(3, 4)
        return loss.value(w), loss.gradient(w).reshape(-1).numpy()

    found = scipy.optimize.minimize(value, np.zeros(12), jac=True, method="BFGS", options={"gtol": 1e-9})
    assert best.gradient_norm <= 1e-12
    assert best.value <= found.fun + 1e-12
    assert best.value == pytest.approx(found.fun, rel=1e-10)


@pytest.mark.parametrize("name", ["logistic", "cross-entropy"])
def test_separable_data_are_recognised_and_have_no_optimum(name):
    loss = random_loss(0, name, (6, 8, 3))
    best = optimum(loss)
    assert not best.attained
    assert best.value == 0.0
    assert separates(loss, best.weights)


def test_data_separable_but_for_a_pair_have_no_optimum_either():
    # two equal samples with different labels, the others separable: the infimum is 2 log 2, at infinity
    features = torch.tensor([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    best = optimum(ConvexLoss("logistic", features, torch.tensor([0, 1, 1, 0]), 1))
    assert not best.attained
    assert best.value == pytest.approx(2 * np.log(2), abs=1e-9)

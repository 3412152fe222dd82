"""The two data sets of the theory: what they are, and that they do what they are for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from deqbench.errors import ConfigurationError
from deqbench.interfaces import Task
from deqbench_plugins.datasets.bundled import BreastCancer, Diabetes, Wine
from deqbench_plugins.datasets.flipped_labels import FlippedLabels
from deqbench_plugins.datasets.weak_sum_direction import WeakSumDirection
from deqbench_plugins.theory.delm import Delm
from deqbench_plugins.theory.losses import ConvexLoss
from deqbench_plugins.theory.optimum import optimum


def test_the_sum_has_the_stated_spread_and_cancels_the_intercept():
    x, _ = WeakSumDirection(n=20_000, epsilon=0.1).table(0)
    total = x.sum(1)
    assert total.mean() == pytest.approx(-1.0, abs=0.02)
    assert total.std() == pytest.approx(0.1 * math.sqrt(20), rel=0.03)
    assert np.linalg.eigvalsh(np.cov(x.T))[1] == pytest.approx(1.0, abs=0.1)


def test_epsilon_one_is_isotropic():
    x, _ = WeakSumDirection(n=20_000, epsilon=1.0).table(0)
    assert np.linalg.eigvalsh(np.cov(x.T))[[0, -1]] == pytest.approx([1.0, 1.0], abs=0.1)


def test_the_signal_lies_in_the_sum():
    x, y = WeakSumDirection(n=20_000, signal=0.9, noise=0.0).table(0)
    explained = np.corrcoef(x.sum(1), y[:, 0])[0, 1] ** 2
    assert explained == pytest.approx(0.9 * 1.5**2 / (0.9 * 1.5**2 + 0.1), abs=0.02)


def test_a_noiseless_teacher_is_fitted_by_least_squares():
    x, y = WeakSumDirection(n=200, noise=0.0).table(3)
    full = np.c_[x, np.ones(200)]
    assert np.abs(full @ np.linalg.lstsq(full, y)[0] - y).max() <= 1e-10


LIMIT = 100


def iterations(loss, best, start, step):
    """Gradient descent's iterations to one per cent of the initial gap; LIMIT + 1 if it takes more."""
    state, goal = start, 0.01 * (loss.value(start.W) - best)
    for count in range(LIMIT + 1):
        gap = loss.value(state.W) - best
        if not goal < gap < 1e3 * goal:
            return count if gap <= goal else LIMIT + 1
        state = state.moved(state.gradient(loss.gradient(state.W)), -step)
    return LIMIT + 1


def race(split, outputs, name, gamma):
    """Iterations of the linear model and of the DELM, each at its own best step of a factor-2 grid."""
    m = split.x.shape[1] + 1
    features = torch.cat([split.x, torch.ones(len(split), 1, dtype=torch.float64)], 1)
    loss = ConvexLoss.mean(name, features, split.y, outputs)
    best = optimum(loss).value
    a = torch.randn(m, m, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    b = torch.zeros(outputs, m, dtype=torch.float64)
    steps = [2.0**power for power in range(-8, 3)]
    starts = Delm(a, b, 1.0), Delm(a, b, 1 - gamma)  # with gamma = 0 it is the linear model
    return tuple(min(iterations(loss, best, start, step) for step in steps) for start in starts)


@pytest.mark.parametrize("name", ["square", "cross-entropy"])
def test_there_the_delm_needs_an_eighth_of_the_linear_models_iterations(name):
    task = Task.REGRESSION if name == "square" else Task.CLASSIFICATION
    split = WeakSumDirection(n=500, task=task).load(0).train
    explicit, implicit = race(split, 3, name, 0.9)
    assert 8 * implicit <= explicit


def test_and_on_isotropic_data_at_a_small_gamma_the_counts_agree():
    split = WeakSumDirection(n=500, epsilon=1.0, signal=0.05).load(0).train
    explicit, implicit = race(split, 3, "square", 0.01)
    assert explicit <= LIMIT
    assert abs(implicit - explicit) <= 0.05 * explicit + 1


def test_the_stated_share_of_training_labels_is_wrong_and_nothing_else():
    whole, flipped = BreastCancer().load(1), FlippedLabels(share=0.1).load(1)
    assert int((whole.train.y != flipped.train.y).sum()) == round(0.1 * len(whole.train))
    assert torch.equal(whole.train.x, flipped.train.x)
    assert torch.equal(whole.test.y, flipped.test.y)


def test_every_wrong_class_occurs_where_there_are_three():
    whole, flipped = Wine().load(0), FlippedLabels(Wine(), share=0.5).load(0)
    moved = (flipped.train.y - whole.train.y) % 3
    assert sorted(set(moved.tolist())) == [0, 1, 2]


def test_principal_components_are_scikit_learns_whitened():
    whole, kept = BreastCancer().load(0), FlippedLabels(components=5).load(0)
    model = PCA(5, whiten=True).fit(whole.train.x)
    factor = math.sqrt(len(whole.train) / (len(whole.train) - 1))  # it divides by n - 1
    truth = torch.from_numpy(model.transform(whole.test.x) * factor)
    assert torch.allclose(kept.test.x.abs(), truth.abs(), atol=1e-10)


def test_flipped_breast_cancer_is_not_separable():
    split = FlippedLabels(components=5).load(0).train
    features = torch.cat([split.x, torch.ones(len(split), 1, dtype=torch.float64)], 1)
    assert optimum(ConvexLoss.mean("logistic", features, split.y, 2)).attained


def test_a_regression_has_no_labels_to_flip():
    with pytest.raises(ConfigurationError, match="classification"):
        FlippedLabels(Diabetes()).load(0)


def test_too_many_components_are_refused():
    with pytest.raises(ConfigurationError, match="fewer than 40"):
        FlippedLabels(components=40).load(0)

"""Losses against closed forms computed without torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from deqbench.errors import InapplicableError
from deqbench.interfaces import Task
from deqbench.learning.losses import Loss


@pytest.fixture
def predictions():
    return torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def labels():
    return torch.arange(20) % 3


def test_cross_entropy_is_the_mean_log_loss_of_the_softmax(predictions, labels):
    expected = log_loss(labels.numpy(), predictions.softmax(1).numpy())
    assert Loss("cross-entropy")(predictions, labels).item() == pytest.approx(expected, rel=1e-14)


def test_logistic_sums_one_against_the_rest_over_columns(predictions, labels):
    signs = np.where(labels.numpy()[:, None] == np.arange(3), 1.0, -1.0)
    expected = np.logaddexp(0, -signs * predictions.numpy()).sum(1).mean()
    assert Loss("logistic")(predictions, labels).item() == pytest.approx(expected, rel=1e-14)


def test_logistic_with_one_column_tells_class_1_from_class_0(predictions):
    q, y = predictions[:, :1], torch.arange(20) % 2
    expected = np.logaddexp(0, -(2 * y.numpy() - 1) * q[:, 0].numpy()).mean()
    assert Loss("logistic")(q, y).item() == pytest.approx(expected, rel=1e-14)


def test_square_is_the_squared_error_summed_over_columns(predictions):
    y = torch.ones(20, 3, dtype=torch.float64)
    expected = ((predictions.numpy() - 1) ** 2).sum() / 20
    assert Loss("square")(predictions, y).item() == pytest.approx(expected, rel=1e-14)


def test_square_reads_labels_as_one_hot_rows(predictions, labels):
    expected = ((predictions.numpy() - np.eye(3)[labels.numpy()]) ** 2).sum() / 20
    assert Loss("square")(predictions, labels).item() == pytest.approx(expected, rel=1e-14)


def test_logistic_stays_finite_at_a_margin_of_a_thousand():
    q = torch.tensor([[1000.0, -1000.0]])
    assert Loss("logistic")(q, torch.tensor([1])).item() == 2000.0


@pytest.mark.parametrize(
    ("task", "expected"), [(Task.REGRESSION, "square"), (Task.CLASSIFICATION, "cross-entropy")]
)
def test_auto_is_the_usual_loss_of_the_task(task, expected):
    assert Loss.for_task(task, 3) == Loss(expected)


def test_an_unknown_loss_is_refused_with_the_nearest_name():
    with pytest.raises(InapplicableError, match="Did you mean 'logistic'"):
        Loss.for_task(Task.CLASSIFICATION, 2, "logistik")


@pytest.mark.parametrize("name", ["logistic", "cross-entropy"])
def test_a_loss_of_labels_does_not_apply_to_regression(name):
    with pytest.raises(InapplicableError, match="needs class labels"):
        Loss.for_task(Task.REGRESSION, 1, name)


def test_one_class_cannot_be_classified():
    with pytest.raises(InapplicableError, match="at least 2 classes"):
        Loss.for_task(Task.CLASSIFICATION, 1)

"""Scores, against scikit-learn's."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from sklearn import metrics

from deqbench.equilibria.ledger import Ledger
from deqbench.interfaces import Observation, Split, Splits, Task
from deqbench.learning.losses import Loss
from deqbench_plugins.probes.equilibria import Residual, SolverCalls
from deqbench_plugins.probes.scores import R2, Accuracy, LossProbe
from deqbench_plugins.probes.spectral_radius import SpectralRadius

DRAW = torch.Generator().manual_seed(0)
LABELS = torch.randint(0, 3, (40,), generator=DRAW)
LOGITS = torch.randn(40, 3, generator=DRAW)
TARGETS = torch.randn(40, 2, generator=DRAW, dtype=torch.float64) * torch.tensor([1.0, 30.0])
FITTED = TARGETS + 0.5 * torch.randn(40, 2, generator=DRAW, dtype=torch.float64)


def view(predictions, y, task, l2=0.0, module=None):
    split = Split(torch.zeros(len(y), 1), y)
    outputs = predictions.shape[1]
    module = module or torch.nn.Linear(1, 1)
    return Observation(
        module=module,
        objective=SimpleNamespace(loss=Loss.for_task(task, max(outputs, 2), l2=l2)),
        splits=Splits(split, split, split, task, outputs),
        predictions=dict.fromkeys(("train", "val", "test"), predictions),
        ledger=Ledger(keep_last=True),
        training_ledger=Ledger(),
        step=0,
        seed=0,
    )


CLASSES = view(LOGITS, LABELS, Task.CLASSIFICATION)
NUMBERS = view(FITTED, TARGETS, Task.REGRESSION)


def test_accuracy_is_scikit_learns():
    found = Accuracy().observe(CLASSES)
    truth = metrics.accuracy_score(LABELS, LOGITS.argmax(1))
    assert found == pytest.approx(dict.fromkeys(("train_accuracy", "val_accuracy", "test_accuracy"), truth))


def test_one_output_decides_by_its_sign():
    found = Accuracy().observe(
        view(torch.tensor([[-1.0], [2.0], [3.0], [0.5]]), torch.tensor([0, 1, 0, 1]), Task.CLASSIFICATION)
    )
    assert found["test_accuracy"] == 0.75


def test_r2_is_scikit_learns_mean_over_columns():
    assert R2().observe(NUMBERS)["test_r2"] == pytest.approx(metrics.r2_score(TARGETS, FITTED))


def test_predicting_the_mean_scores_zero():
    mean = TARGETS.mean(0).expand_as(TARGETS)
    assert R2().observe(view(mean, TARGETS, Task.REGRESSION))["val_r2"] == pytest.approx(0.0, abs=1e-14)


def test_a_constant_target_has_no_r2():
    constant = torch.ones(40, 2, dtype=torch.float64)
    assert math.isnan(R2().observe(view(FITTED, constant, Task.REGRESSION))["test_r2"])


def test_the_loss_of_classes_is_scikit_learns():
    truth = metrics.log_loss(LABELS, torch.softmax(LOGITS.double(), 1))
    assert LossProbe().observe(CLASSES)["test_loss"] == pytest.approx(truth, rel=1e-6)


def test_the_loss_of_numbers_is_the_squared_error_of_a_sample():
    truth = 2 * metrics.mean_squared_error(TARGETS, FITTED)  # two columns, summed
    assert LossProbe().observe(NUMBERS)["train_loss"] == pytest.approx(truth)


def test_weight_decay_is_shown_apart():
    module = torch.nn.Linear(2, 1, bias=False)
    module.weight.data.copy_(torch.tensor([[3.0, 4.0]]))
    found = LossProbe().observe(view(LOGITS, LABELS, Task.CLASSIFICATION, l2=0.1, module=module))
    assert found["train_objective"] - found["train_loss"] == pytest.approx(0.05 * 25)
    assert "train_objective" not in LossProbe().observe(CLASSES)


@pytest.mark.parametrize("probe", [LossProbe(), Accuracy()])
def test_predictions_that_are_not_finite_have_no_score(probe):
    broken = LOGITS.clone()
    broken[7, 1] = math.nan
    assert all(map(math.isnan, probe.observe(view(broken, LABELS, Task.CLASSIFICATION)).values()))


def test_scores_of_another_task_are_left_out():
    assert Accuracy().observe(NUMBERS) == R2().observe(CLASSES) == {}


@pytest.mark.parametrize("probe", [Residual(), SolverCalls(), SpectralRadius()])
def test_an_explicit_model_has_no_equilibria(probe):
    assert probe.observe(CLASSES) == {}

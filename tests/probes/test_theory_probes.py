"""Theory probes along real training runs, against numbers computed from the run's own weights."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

from deqbench.equilibria.binding import Ledger, Stop, bound
from deqbench.interfaces import Observation, Split, Splits, Task
from deqbench.learning.losses import Loss
from deqbench.learning.objective import Objective
from deqbench_plugins.gradients.implicit import Implicit
from deqbench_plugins.models.deq_linear import DeqLinear
from deqbench_plugins.models.linear import Linear
from deqbench_plugins.models.mlp import Mlp
from deqbench_plugins.probes.theory_metric import TheoryInvariants, TheoryMetric, TheoryTrustRegion
from deqbench_plugins.probes.theory_rate import LinearGap, TheoryRate
from deqbench_plugins.solvers.direct import Direct
from deqbench_plugins.theory.metric import Metric, dense
from deqbench_plugins.trainers.first_order import Adam, GradientDescent, Sgd
from deqbench_plugins.trainers.gradient_flow import GradientFlow

PROBES = [TheoryRate(), LinearGap(), TheoryMetric(), TheoryTrustRegion(), TheoryInvariants()]


@pytest.fixture(autouse=True)
def exact_equilibria():
    with bound(solver=Direct(), gradient=Implicit(), stop=Stop(1e-12)):
        yield


def wine():
    x, y = load_wine(return_X_y=True)
    draw = torch.Generator().manual_seed(0)
    labels = torch.from_numpy(y)
    flipped = torch.randperm(len(y), generator=draw)[: len(y) // 3]
    labels[flipped] = (labels[flipped] + 1) % 3  # so that no hyperplane separates them
    return Split(torch.from_numpy(StandardScaler().fit_transform(x)[:, :4]), labels)


def objective_of(model, loss="square", l2=0.0):
    torch.manual_seed(0)
    return Objective(model.build((4,), 3).double(), Loss(loss, l2), wine())


def view(objective, step=0):
    part = Split(objective.x, objective.y)
    with torch.no_grad():
        predictions = dict.fromkeys(("train", "val", "test"), objective.module(part.x))
    splits = Splits(part, part, part, Task.CLASSIFICATION, 3)
    return Observation(objective.module, objective, splits, predictions, Ledger(), Ledger(), step, 0)


def along(probe, objective, trainer, steps=20):
    yield probe.observe(view(objective))
    for step, _ in enumerate(islice(trainer.steps(objective), steps), 1):
        yield probe.observe(view(objective, step))


@pytest.mark.parametrize("loss", ["square", "logistic", "cross-entropy"])
def test_the_gap_of_a_flow_stays_below_the_bound_the_probe_predicts(loss):
    objective = objective_of(DeqLinear(gamma=0.8), loss)
    seen = list(along(TheoryRate(), objective, GradientFlow(horizon=5.0, points=20)))
    assert all(point["gap"] <= point["rate_bound"] * (1 + 1e-6) for point in seen[1:])
    assert all(point["optimum_attained"] == 1.0 for point in seen)
    assert [point["flow_time"] for point in seen[1:3]] == pytest.approx([0.25, 0.5])
    assert seen[-1]["gap_ratio"] < 0.7


def test_the_numbers_of_theorem_1_are_those_of_numpy():
    objective = objective_of(DeqLinear(gamma=0.8))
    (found,) = along(TheoryRate(), objective, GradientDescent(), steps=0)
    x = np.c_[objective.x.numpy(), np.ones(len(objective.x))]
    y = np.eye(3)[objective.y.numpy()]
    best = ((x @ np.linalg.lstsq(x, y)[0] - y) ** 2).sum() / len(x)
    assert found["optimal_loss"] == pytest.approx(best, rel=1e-12)
    assert found["gap"] == pytest.approx(objective.value().item() - best, rel=1e-10)
    assert found["kappa"] == pytest.approx(4 * np.linalg.svd(x)[1][-1] ** 2 / len(x), rel=1e-12)
    assert found["lambda_paper"] == pytest.approx(1 / (5 * 1.8**2))
    assert found["sigma_tolerance"] < 1e-10 < found["sigma_min"]


def test_gradient_descent_says_its_flow_time_and_adam_has_none():
    last = list(along(TheoryRate(), objective_of(DeqLinear()), GradientDescent(lr=0.01), 5))[-1]
    assert last["flow_time"] == pytest.approx(0.05)
    adam = list(along(TheoryRate(), objective_of(DeqLinear()), Adam(), 5))[-1]
    assert "rate_bound" not in adam
    assert adam["gap"] > 0


def test_the_infimum_and_the_hull_remember_the_whole_run():
    objective = objective_of(DeqLinear(gamma=0.9), "cross-entropy")
    seen = list(along(TheoryRate(), objective, Adam(lr=0.3, batch_size="full"), 30))
    for name in ("lambda_T", "tau"):
        values = [point[name] for point in seen]
        assert values == sorted(values, reverse=True)
    assert seen[-1]["lambda_T"] < seen[0]["lambda_T"]


def test_a_second_run_on_the_same_objective_begins_anew():
    objective = objective_of(DeqLinear(gamma=0.9), "cross-entropy")
    first = list(along(TheoryRate(), objective, Adam(lr=0.3), 30))
    again = TheoryRate().observe(view(objective))
    assert again["gap_ratio"] == 1.0
    assert again["gap"] == first[-1]["gap"]


def test_the_linear_model_is_the_delm_without_an_equilibrium_term():
    objective = objective_of(Linear())
    seen = list(along(TheoryRate(), objective, GradientFlow(horizon=1.0, points=5)))
    assert all(point["lambda_T"] == pytest.approx(1.0) for point in seen)
    assert all(point["gap"] <= point["rate_bound"] * (1 + 1e-6) for point in seen[1:])


@pytest.mark.parametrize("lanczos", ["always", "wide"])
def test_the_bounds_of_the_metric_hold_its_eigenvalues(lanczos):
    objective = objective_of(DeqLinear(gamma=0.9))
    for found in along(TheoryMetric(lanczos=lanczos), objective, Adam(lr=0.1), 10):
        metric = Metric(_state(objective))
        values = torch.linalg.eigvalsh(dense(metric.apply, metric.shape))
        assert found["lambda_low"] <= float(values[0]) * (1 + 1e-9)
        assert float(values[0]) <= found["lambda_high"] * (1 + 1e-9)
        assert found["lambda_max"] == pytest.approx(float(values[-1]), rel=1e-5)
        assert found["lambda_over_paper"] >= 1.0
        assert ("lambda_min" in found) or lanczos == "wide"
        assert found.get("lambda_min", float(values[0])) == pytest.approx(float(values[0]), rel=1e-5)


def _state(objective):
    from deqbench_plugins.theory.delm import state_of

    return state_of(objective.module)


@pytest.mark.parametrize("model", [DeqLinear(gamma=0.9), Linear()])
@pytest.mark.parametrize("loss", ["square", "cross-entropy"])
def test_theorem_2_holds_all_along_a_run(model, loss):
    for found in along(TheoryTrustRegion(), objective_of(model, loss), Sgd(), 10):
        assert found["kkt_residual"] <= 1e-9
        assert 0 < found["delta_bar"] < math.inf
        assert found["preconditioned_condition"] >= 1.0
        if isinstance(model, Linear):
            assert found["preconditioned_condition"] == pytest.approx(found["hessian_condition"])


def test_column_sums_are_kept_by_sgd_and_not_by_adam():
    kept = list(along(TheoryInvariants(), objective_of(DeqLinear()), Sgd(), 40))[-1]
    lost = list(along(TheoryInvariants(), objective_of(DeqLinear()), Adam(), 40))[-1]
    assert kept["column_sum_drift"] <= 1e-10
    assert lost["column_sum_drift"] > 1e-2
    assert kept["perron_error"] <= 1e-13


def test_the_linear_gap_of_a_network_is_measured_from_the_best_linear_function():
    objective = objective_of(Mlp(width=2))
    found = LinearGap().observe(view(objective))
    linear = TheoryRate().observe(view(objective_of(Linear())))
    assert found["linear_optimum"] == pytest.approx(linear["optimal_loss"], rel=1e-12)
    gap = objective.value().item() - linear["optimal_loss"]
    assert found["linear_gap"] == pytest.approx(gap, rel=1e-10)


@pytest.mark.parametrize("size", [1e60, 1e120, math.inf, math.nan])
@pytest.mark.parametrize("probe", [TheoryRate(), TheoryMetric(), TheoryTrustRegion(), TheoryInvariants()])
def test_a_run_that_diverges_breaks_no_probe(probe, size):
    objective = objective_of(DeqLinear())
    objective.module.B.data *= size
    seen = replace(view(objective_of(DeqLinear())), module=objective.module, objective=objective)
    assert all(isinstance(value, float) for value in probe.observe(seen).values())


def test_with_weight_decay_theorem_1_says_nothing():
    assert TheoryRate().observe(view(objective_of(DeqLinear(), l2=0.1))) == {}


@pytest.mark.parametrize("probe", [probe for probe in PROBES if not isinstance(probe, LinearGap)])
def test_a_network_has_no_metric(probe):
    assert probe.observe(view(objective_of(Mlp(width=2)))) == {}


@pytest.mark.parametrize("probe", PROBES)
def test_a_probe_leaves_the_weights_alone(probe):
    objective = objective_of(DeqLinear(), "cross-entropy")
    before = objective.vector
    probe.observe(view(objective))
    assert torch.equal(before, objective.vector)


@pytest.mark.parametrize("probe", PROBES)
def test_float32_models_are_seen_in_float64(probe):
    objective = objective_of(DeqLinear(), "cross-entropy")
    exact = probe.observe(view(objective))
    rough = Objective(objective.module.float(), objective.loss, Split(objective.x.float(), objective.y))
    for name, value in probe.observe(view(rough)).items():
        if name not in ("kkt_residual", "perron_error", "sigma_tolerance"):
            assert value == pytest.approx(exact[name], rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("loss", ["square", "logistic", "cross-entropy"])
def test_the_distance_from_the_best_weights_falls_to_zero_along_the_flow(loss):
    objective = objective_of(DeqLinear(gamma=0.5), loss)
    seen = [point["weight_distance"] for point in along(TheoryRate(), objective, GradientFlow(400.0, 4), 4)]
    assert seen[0] > 0.5
    assert seen[-1] <= 1e-4

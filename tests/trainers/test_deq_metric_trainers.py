"""The linear model in a DELM's metric: theorem 2 as an optimiser, and a Newton method that is one."""

from __future__ import annotations

import math
from itertools import islice, pairwise

import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

from deqbench.errors import InapplicableError
from deqbench.interfaces import Split
from deqbench.learning.losses import Loss
from deqbench.learning.objective import Objective
from deqbench_plugins.models.linear import Linear
from deqbench_plugins.models.mlp import Mlp
from deqbench_plugins.theory.flow import delm_flow
from deqbench_plugins.theory.losses import ConvexLoss
from deqbench_plugins.trainers.deq_metric_newton import DeqMetricNewton, delm_reading
from deqbench_plugins.trainers.deq_metric_trust_region import DeqMetricTrustRegion
from deqbench_plugins.trainers.trust_region_newton import TrustRegionNewton


def objective_of(loss, l2=0.0, model=None):
    x, y = load_wine(return_X_y=True)
    split = Split(torch.from_numpy(StandardScaler().fit_transform(x)[:, :4]), torch.from_numpy(y))
    torch.manual_seed(0)
    module = (model or Linear()).build((4,), 3).double()
    if model is None:
        module.weight.data.normal_(generator=torch.Generator().manual_seed(0))
    return Objective(module, Loss(loss, l2), split)


@pytest.mark.parametrize(("loss", "smallest"), [("square", 1e-6), ("cross-entropy", 1e-7)])
def test_its_trajectory_is_the_delms_flow_to_first_order_in_delta(loss, smallest):
    horizon, errors = 1e-4, []
    deltas = [delta for delta in (1e-4, 1e-5, 1e-6, 1e-7) if delta >= smallest]
    objective = objective_of(loss)
    start = delm_reading(objective, 0.9, 1.0)
    features = objective.module.features(objective.x)
    truth = delm_flow(start, ConvexLoss.mean(loss, features, objective.y, 3), horizon).at(horizon)
    for delta in deltas:
        objective = objective_of(loss)
        trace = DeqMetricTrustRegion(gamma=0.9, delta=delta).trace(objective)
        taken = list(islice(trace, round(horizon / delta)))
        end = taken[-1].state
        errors.append([float((end.W - truth.W).norm()), float((end.A - truth.A).norm())])
        assert sum(step.delta for step in taken) == pytest.approx(horizon)
        assert torch.allclose(objective.vector.view(3, 5), end.W, atol=1e-13)
    slopes = np.polyfit(np.log10(deltas), np.log10(errors), 1)[0]
    assert slopes == pytest.approx([1.0, 1.0], abs=0.1)


@pytest.mark.parametrize("loss", ["square", "logistic", "cross-entropy"])
@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_the_subproblem_solved_without_the_theorem_gives_the_same_steps(loss, l2):
    ends = []
    for subproblem in ("closed", "solved"):
        objective = objective_of(loss, l2)
        list(islice(DeqMetricTrustRegion(subproblem=subproblem).steps(objective), 3))
        ends.append(objective.vector)
    assert float((ends[0] - ends[1]).norm() / ends[0].norm()) <= 1e-9


def test_it_lowers_the_loss_and_ends_near_the_optimum():
    objective, oracle = objective_of("cross-entropy", 0.01), objective_of("cross-entropy", 0.01)
    losses = [loss.item() for loss in islice(DeqMetricTrustRegion(gamma=0.5).steps(objective), 200)]
    best = list(TrustRegionNewton().steps(oracle))[-1].item()
    assert all(after <= before for before, after in pairwise(losses))
    assert losses[-1] - best <= 1e-2 * (losses[0] - best)


def test_a_delta_beyond_the_metrics_reach_is_refused():
    with pytest.raises(InapplicableError, match="delta bar"):
        next(DeqMetricTrustRegion(delta=10.0).steps(objective_of("square")))


@pytest.mark.parametrize("trainer", [DeqMetricTrustRegion(), DeqMetricNewton()])
def test_only_a_model_linear_in_features_is_served(trainer):
    with pytest.raises(InapplicableError, match="linear in features"):
        next(trainer.steps(objective_of("cross-entropy", model=Mlp())))


def test_what_bounds_delta_is_charged():
    objective = objective_of("cross-entropy")
    next(DeqMetricTrustRegion().steps(objective))
    assert objective.counts.hessian_products >= 15
    assert objective.counts.gradients == 2


@pytest.mark.parametrize("moving", [True, False])
@pytest.mark.parametrize("loss", ["square", "cross-entropy"])
@pytest.mark.parametrize("gamma", [0.01, 0.5, 0.9, 0.99])
def test_newton_in_the_metric_keeps_its_superlinear_tail(gamma, loss, moving):
    objective = objective_of(loss, 1e-3)
    outer = list(DeqMetricNewton(gamma=gamma, moving=moving).trace(objective))
    norms = [step.gradient_norm for step in outer]
    assert norms[-1] <= 1e-10
    assert len(outer) <= 30
    orders = [math.log(after) / math.log(before) for before, after in pairwise(norms) if before < 1e-2]
    assert orders[-1] >= 1.3


def test_newton_ends_where_the_euclidean_one_ends():
    objective, other = objective_of("cross-entropy", 1e-3), objective_of("cross-entropy", 1e-3)
    list(DeqMetricNewton().steps(objective))
    list(TrustRegionNewton().steps(other))
    assert torch.allclose(objective.vector, other.vector, atol=1e-8)


def test_without_an_equilibrium_term_it_is_the_euclidean_method():
    objective, other = objective_of("cross-entropy", 1e-3), objective_of("cross-entropy", 1e-3)
    steps = len(list(DeqMetricNewton(gamma=0.0).steps(objective)))
    assert steps == len(list(TrustRegionNewton().steps(other)))
    assert objective.counts.hessian_products == other.counts.hessian_products

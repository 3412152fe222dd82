"""Trust-region Newton: the bars of issue 2 on digits, metrics, robustness, charges."""

from __future__ import annotations

import math
from itertools import islice, pairwise

import pytest
import torch
from sklearn.datasets import load_digits, load_wine
from sklearn.preprocessing import StandardScaler
from torch import nn

from deqbench.errors import InapplicableError, NonFiniteError
from deqbench.interfaces import Split
from deqbench.learning.losses import Loss
from deqbench.learning.objective import Objective
from deqbench_plugins.models.linear import Linear
from deqbench_plugins.models.mlp import Mlp
from deqbench_plugins.trainers.sklearn_reference import NewtonCholesky
from deqbench_plugins.trainers.trust_region_newton import TrustRegionNewton

METRICS = ["identity", "hessian-diagonal", "data-gram"]


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    return Split(torch.from_numpy(x / 16), torch.from_numpy(y))


@pytest.fixture(scope="module")
def wine():
    x, y = load_wine(return_X_y=True)
    return Split(torch.from_numpy(StandardScaler().fit_transform(x)), torch.from_numpy(y))


def make(split, loss="cross-entropy", l2=1e-4, model=None, dtype=torch.float64):
    torch.manual_seed(0)
    module = (model or Linear()).build((split.x.shape[1],), int(split.y.max()) + 1).to(dtype)
    return Objective(module, Loss(loss, l2), Split(split.x.to(dtype), split.y))


def gradient_norm(objective):
    return torch.linalg.vector_norm(objective.value_and_gradient()[1]).item()


def test_digits_meet_the_bars_with_forcing_sqrt(digits):
    objective, oracle = make(digits), make(digits)
    outer = list(TrustRegionNewton(forcing="sqrt").trace(objective))
    assert len(outer) <= 15
    assert objective.counts.hessian_products <= 300
    assert gradient_norm(objective) <= 1e-10
    norms = [step.gradient_norm for step in outer]
    orders = [math.log(after) / math.log(before) for before, after in pairwise(norms)]
    assert min(orders[-3:]) >= 1.3
    (best,) = NewtonCholesky().steps(oracle)
    assert abs(outer[-1].loss.item() - best.item()) <= 1e-10


def test_the_square_loss_takes_three_exact_steps_at_most(digits):
    objective = make(digits, "square")
    outer = list(TrustRegionNewton(subproblem="exact", radius=100.0).trace(objective))
    assert len(outer) <= 3
    assert gradient_norm(objective) <= 1e-10


@pytest.mark.parametrize("loss", ["square", "logistic", "cross-entropy"])
@pytest.mark.parametrize("subproblem", ["steihaug", "exact"])
@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_subproblem_and_loss_ends_at_a_stationary_point(wine, metric, subproblem, loss):
    objective = make(wine, loss, l2=1e-3)
    list(TrustRegionNewton(metric=metric, subproblem=subproblem).steps(objective))
    assert gradient_norm(objective) <= 1e-10


@pytest.mark.parametrize("forcing", ["sqrt", "quadratic", "linear", "exact"])
def test_every_forcing_ends_at_the_optimum_of_the_oracle(wine, forcing):
    objective, oracle = make(wine), make(wine)
    losses = [loss.item() for loss in TrustRegionNewton(forcing=forcing).steps(objective)]
    (best,) = NewtonCholesky().steps(oracle)
    assert losses[-1] == pytest.approx(best.item(), abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_without_a_tolerance_it_reaches_the_floor_of_rounding_and_ends(wine, metric):
    objective = make(wine)
    for count, _ in enumerate(TrustRegionNewton(metric=metric, gtol=0.0).steps(objective)):
        assert count < 100
    assert gradient_norm(objective) <= 1e-15


def test_float32_ends_by_itself_at_its_own_floor(wine):
    objective = make(wine, dtype=torch.float32)
    for count, _ in enumerate(TrustRegionNewton(gtol=1e-12).steps(objective)):
        assert count < 100
    assert gradient_norm(objective) <= 2e-7


@pytest.mark.parametrize("metric", ["identity", "hessian-diagonal"])
def test_it_trains_a_model_without_closed_form(wine, metric):
    objective = make(wine, l2=1e-2, model=Mlp(width=4, activation="tanh"))
    start = objective.value().item()
    losses = [step.item() for step in TrustRegionNewton(metric=metric, gtol=1e-6).steps(objective)]
    assert len(losses) < 100
    assert gradient_norm(objective) <= 1e-6
    assert losses[-1] < start / 2
    assert all(after <= before for before, after in pairwise(losses))


def test_data_gram_does_not_apply_to_an_mlp(wine):
    with pytest.raises(InapplicableError, match="linear in features"):
        next(TrustRegionNewton(metric="data-gram").steps(make(wine, model=Mlp())))


class Logarithm(nn.Module):
    """q = -log(1 - w): not a number for w > 1."""

    def __init__(self, start):
        super().__init__()
        self.w = nn.Parameter(torch.tensor([start], dtype=torch.float64))

    def forward(self, x):
        return x * -torch.log(1 - self.w)


def logarithm(start):
    ones = torch.ones(3, 1, dtype=torch.float64)
    return Objective(Logarithm(start), Loss("square"), Split(ones, ones))


def test_a_step_to_where_the_loss_is_nan_is_rejected_and_the_optimum_still_found():
    objective = logarithm(-20.0)
    outer = list(TrustRegionNewton(radius=100.0).trace(objective))
    assert any(not step.accepted and step.ratio == -math.inf for step in outer)
    assert objective.vector.item() == pytest.approx(1 - math.exp(-1), rel=1e-9)


def test_a_rejected_step_leaves_the_parameters_and_shrinks_the_ball():
    objective = logarithm(-20.0)
    first = next(TrustRegionNewton(radius=100.0).trace(objective))
    assert not first.accepted
    assert objective.vector.item() == -20.0
    assert first.radius == pytest.approx(25.0)


def test_a_rejected_step_is_charged_its_gradient_and_its_products():
    objective = logarithm(-20.0)
    outer = list(islice(TrustRegionNewton(radius=100.0).trace(objective), 2))
    assert not outer[0].accepted
    assert objective.counts.gradients == 3
    assert objective.counts.hessian_products == objective.counts.linearisations == 2


def test_a_start_where_the_loss_is_nan_is_an_error():
    with pytest.raises(NonFiniteError, match="starts"):
        next(TrustRegionNewton().steps(logarithm(2.0)))


def test_every_product_of_cg_is_charged(wine):
    objective, calls = make(wine), []
    analytic = objective.module.hessian_product

    def spied(x, y, loss):
        product = analytic(x, y, loss)
        return lambda v: calls.append(1) or product(v)

    objective.module.hessian_product = spied
    list(TrustRegionNewton().steps(objective))
    assert objective.counts.hessian_products == len(calls) > 0


def test_the_exact_subproblem_is_charged_a_product_a_parameter(wine):
    objective = make(wine)
    steps = len(list(TrustRegionNewton(subproblem="exact", radius=100.0).steps(objective)))
    assert objective.counts.hessian_products == steps * objective.size


def test_an_estimated_diagonal_is_charged(wine):
    model = Mlp(width=2)
    plain, estimated = make(wine, model=model), make(wine, model=model)
    next(TrustRegionNewton(radius=1e-9).steps(plain))
    next(TrustRegionNewton(radius=1e-9, metric="hessian-diagonal").steps(estimated))
    assert estimated.counts.hessian_products - plain.counts.hessian_products == 10


def test_a_start_at_the_optimum_ends_without_a_step(wine):
    objective = make(wine)
    list(TrustRegionNewton().steps(objective))
    assert list(TrustRegionNewton().steps(objective)) == []


def test_the_data_gram_metric_saves_products_where_features_are_badly_scaled():
    generator = torch.Generator().manual_seed(0)
    scales = torch.logspace(-1, 1, 20, dtype=torch.float64)
    x = torch.randn(400, 20, dtype=torch.float64, generator=generator) * scales
    teacher = torch.randn(20, 3, dtype=torch.float64, generator=generator) / scales.unsqueeze(1)
    noise = torch.randn(400, 3, dtype=torch.float64, generator=generator)
    split = Split(x, (x @ teacher + noise).argmax(1))
    products = {}
    for metric in METRICS:
        objective = make(split, l2=1e-3)
        list(TrustRegionNewton(metric=metric, shift=1e-3, radius=100.0).steps(objective))
        assert gradient_norm(objective) <= 1e-10
        products[metric] = objective.counts.hessian_products
    assert products["data-gram"] < products["identity"] / 2
    assert products["hessian-diagonal"] < products["identity"]

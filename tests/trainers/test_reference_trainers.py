"""scipy's, scikit-learn's and pytorch-minimize's solvers as trainers: one optimum, honest charges."""

from __future__ import annotations

import warnings
from itertools import islice

import pytest
import scipy.optimize
import torch
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.preprocessing import StandardScaler

from deqbench.errors import InapplicableError, NonFiniteError
from deqbench.interfaces import Split
from deqbench.learning.losses import Loss
from deqbench.learning.objective import Objective
from deqbench_plugins.models.linear import Linear
from deqbench_plugins.models.mlp import Mlp
from deqbench_plugins.trainers.scipy_reference import ScipyTrustExact, ScipyTrustNcg
from deqbench_plugins.trainers.sklearn_reference import NewtonCholesky
from deqbench_plugins.trainers.torchmin_reference import TorchminTrustNcg
from deqbench_plugins.trainers.trust_region_newton import TrustRegionNewton

STEPPERS = [ScipyTrustNcg(gtol=1e-8), ScipyTrustExact(gtol=1e-8), TorchminTrustNcg(gtol=1e-8)]


def make(load=load_wine, loss="cross-entropy", l2=1e-3, model=None, dtype=torch.float64):
    x, y = load(return_X_y=True)
    x = torch.from_numpy(StandardScaler().fit_transform(x)).to(dtype)
    torch.manual_seed(0)
    module = (model or Linear()).build((x.shape[1],), int(y.max()) + 1).to(dtype)
    return Objective(module, Loss(loss, l2), Split(x, torch.from_numpy(y).long()))


def optimum(**options):
    objective = make(**options)
    list(TrustRegionNewton().steps(objective))
    return objective


@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
def test_newton_cholesky_and_trust_region_newton_agree_on_the_optimum(load):
    objective = make(load)
    (loss,) = NewtonCholesky().steps(objective)
    best = optimum(load=load)
    assert loss.item() == pytest.approx(best.value().item(), abs=1e-13)
    torch.testing.assert_close(objective.vector, best.vector, rtol=0, atol=1e-7)


@pytest.mark.parametrize("trainer", STEPPERS)
@pytest.mark.parametrize("loss", ["square", "logistic", "cross-entropy"])
def test_references_end_at_the_optimum(trainer, loss):
    objective = make(loss=loss)
    losses = [value.item() for value in trainer.steps(objective)]
    assert losses[-1] == pytest.approx(optimum(loss=loss).value().item(), abs=1e-12)
    assert objective.value().item() == pytest.approx(losses[-1], rel=1e-13)


@pytest.mark.parametrize("trainer", STEPPERS)
def test_the_parameters_move_with_every_step(trainer):
    objective, watched = make(), make()
    for loss in islice(trainer.steps(objective), 4):
        watched.set_vector(objective.vector)
        assert loss.item() == pytest.approx(watched.value().item(), rel=1e-13)


@pytest.mark.parametrize("trainer", STEPPERS)
def test_a_reference_can_be_left_after_one_step(trainer):
    objective = make()
    loop = trainer.steps(objective)
    next(loop)
    loop.close()
    assert objective.counts.gradients <= 3


def test_scipy_is_charged_what_it_calls():
    objective, reference, products = make(), make(), []
    list(ScipyTrustNcg(gtol=1e-8).steps(objective))

    def both(x):
        reference.set_vector(torch.from_numpy(x))
        loss, gradient = reference.value_and_gradient()
        return loss.item(), gradient.numpy()

    def product(x, v):
        products.append(x)
        reference.set_vector(torch.from_numpy(x))
        return reference.hessian_product()(torch.from_numpy(v)).numpy()

    result = scipy.optimize.minimize(
        both,
        reference.vector.numpy(),
        method="trust-ncg",
        jac=True,
        hessp=product,
        options={"gtol": 1e-8},
    )
    assert objective.counts.hessian_products == len(products)
    assert objective.counts.gradients == result.nfev


def test_torchmins_products_are_charged_though_it_reports_none(monkeypatch):
    from torchmin.trustregion import ncg

    calls = []
    product = ncg.CGSteihaugSubproblem.hessp
    monkeypatch.setattr(
        ncg.CGSteihaugSubproblem, "hessp", lambda self, p: calls.append(1) or product(self, p)
    )
    objective = make()
    list(TorchminTrustNcg(gtol=1e-8).steps(objective))
    assert objective.counts.hessian_products == len(calls) > 0


@pytest.mark.parametrize("trainer", [ScipyTrustNcg(gtol=1e-5), TorchminTrustNcg(gtol=1e-5)])
def test_references_train_any_model_in_float32(trainer):
    objective = make(model=Mlp(width=4, activation="tanh"), l2=1e-2, dtype=torch.float32)
    start = objective.value().item()
    list(islice(trainer.steps(objective), 50))
    assert objective.vector.dtype == torch.float32
    assert objective.value().item() < start / 2


def test_torchmin_refuses_a_loss_that_is_not_finite():
    objective = make(loss="square")
    objective.x[0, 0] = torch.inf
    with pytest.raises(NonFiniteError, match="not finite"):
        list(TorchminTrustNcg().steps(objective))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"model": Mlp()}, "model 'linear' only"),
        ({"loss": "square"}, "cross-entropy with l2 > 0"),
        ({"l2": 0.0}, "cross-entropy with l2 > 0"),
    ],
)
def test_newton_cholesky_says_where_it_does_not_apply(options, reason):
    with pytest.raises(InapplicableError, match=reason):
        next(NewtonCholesky().steps(make(**options)))


def test_newton_cholesky_needs_every_class():
    objective = make()
    objective.y = objective.y.clamp(max=1)
    with pytest.raises(InapplicableError, match="2 of 3 occur"):
        next(NewtonCholesky().steps(objective))


def test_the_oracles_own_warnings_stay_inside():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(NewtonCholesky(tol=1e-300).steps(make()))


def test_trust_exact_refuses_a_model_too_large_for_a_dense_hessian():
    with pytest.raises(InapplicableError, match="at most 2000"):
        next(ScipyTrustExact().steps(make(model=Mlp(width=200))))

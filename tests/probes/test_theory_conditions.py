"""The probe of conditions: dense eigenvalues of H and D by numpy, and only every so many steps."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from deqbench.equilibria.binding import Ledger, Stop, bound
from deqbench.interfaces import Observation, Split, Splits, Task
from deqbench.learning.losses import Loss
from deqbench.learning.objective import Objective
from deqbench_plugins.gradients.implicit import Implicit
from deqbench_plugins.models.deq_linear import DeqLinear
from deqbench_plugins.models.linear import Linear
from deqbench_plugins.models.mlp import Mlp
from deqbench_plugins.probes.conditions import TheoryConditions
from deqbench_plugins.solvers.direct import Direct
from deqbench_plugins.theory.delm import state_of
from deqbench_plugins.theory.metric import Metric, dense


@pytest.fixture(autouse=True)
def exact_equilibria():
    with bound(solver=Direct(), gradient=Implicit(), stop=Stop(1e-12)):
        yield


def view(model, step=0):
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(1)
    x, y = (torch.randn(50, size, generator=draw, dtype=torch.float64) for size in (4, 2))
    part = Split(x * torch.tensor([3.0, 2.0, 1.0, 0.5]), y)
    objective = Objective(model.build((4,), 2).double(), Loss("square"), part)
    with torch.no_grad():
        predictions = dict.fromkeys(("train", "val", "test"), objective.module(part.x))
    splits = Splits(part, part, part, Task.REGRESSION, 2)
    return Observation(objective.module, objective, splits, predictions, Ledger(), Ledger(), step, 0)


def spectra(seen):
    """Eigenvalues of H (square loss: 2 / n F'F) and of D, by numpy."""
    features = np.c_[seen.objective.x.numpy(), np.ones(50)]
    metric = Metric(state_of(seen.module))
    return 2 / 50 * features.T @ features, dense(metric.apply, metric.shape).numpy()


def test_conditions_and_eigenvalues_are_numpys():
    seen = view(DeqLinear(0.8))
    found = TheoryConditions().observe(seen)
    gram, metric = spectra(seen)
    hessian = np.kron(np.eye(2), gram)
    assert found["hessian_condition"] == pytest.approx(np.linalg.cond(gram))
    values = np.linalg.eigvals(metric @ hessian).real
    assert found["preconditioned_condition"] == pytest.approx(values.max() / values.min())
    ends = np.linalg.eigvalsh(metric)[[0, -1]]
    assert found["log10_lambda_min"] == pytest.approx(math.log10(ends[0]), abs=1e-6)
    assert found["log10_lambda_max"] == pytest.approx(math.log10(ends[1]), abs=1e-6)


def test_the_linear_models_metric_is_the_identity():
    found = TheoryConditions().observe(view(Linear()))
    assert found["log10_lambda_max"] == pytest.approx(0.0, abs=1e-12)
    assert found["preconditioned_condition"] == pytest.approx(found["hessian_condition"])


def test_it_looks_every_so_many_steps_only():
    assert TheoryConditions(every=10).observe(view(Linear(), step=20))
    assert TheoryConditions(every=10).observe(view(Linear(), step=21)) == {}


def test_large_problems_get_eigenvalues_and_no_dense_condition():
    found = TheoryConditions(dense=5).observe(view(DeqLinear(0.5)))
    assert set(found) == {"log10_lambda_min", "log10_lambda_max"}


def test_a_model_that_is_no_linear_function_has_none():
    assert TheoryConditions().observe(view(Mlp())) == {}

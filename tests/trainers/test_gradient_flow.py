"""The flow as a trainer: it is the flow, for any model, and it is charged."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.integrate
import torch

from deqbench.errors import InapplicableError
from deqbench.interfaces import Split
from deqbench.learning.losses import Loss
from deqbench.learning.objective import Objective
from deqbench_plugins.models.deq_linear import DeqLinear
from deqbench_plugins.models.linear import Linear
from deqbench_plugins.models.mlp import Mlp
from deqbench_plugins.trainers.first_order import GradientDescent
from deqbench_plugins.trainers.gradient_flow import GradientFlow


def objective_of(model, loss="square", l2=0.0, seed=0):
    torch.manual_seed(seed)
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(20, 3, generator=draw, dtype=torch.float64)
    y = torch.randint(2, (20,), generator=draw)
    module = model.build((3,), 2).double()
    return Objective(module, Loss(loss, l2), Split(x, y))


def by_autograd(objective, horizon):
    """The same flow by solve_ivp on autograd through a dense solve, with nothing of ours."""
    start = objective.vector.numpy()
    m, gamma = objective.module.A.shape[0], objective.module.gamma

    def slope(_time, x):
        theta = torch.tensor(x, requires_grad=True)
        a, b = theta[: m * m].view(m, m), theta[m * m :].view(-1, m)
        u = torch.eye(m, dtype=torch.float64) - gamma * torch.softmax(a, 0)
        q = torch.linalg.solve(u, objective.module.features(objective.x).T).T @ b.T
        loss = objective.loss(q, objective.y) + objective.loss.l2 / 2 * theta.square().sum()
        return -torch.autograd.grad(loss, theta)[0].numpy()

    return scipy.integrate.solve_ivp(slope, (0, horizon), start, "BDF", rtol=1e-9, atol=1e-12).y[:, -1]


@pytest.mark.parametrize(("loss", "l2"), [("square", 0.0), ("cross-entropy", 0.01)])
def test_the_closed_formula_follows_the_flow_of_the_delm(loss, l2):
    objective = objective_of(DeqLinear(gamma=0.8), loss, l2)
    truth = by_autograd(objective, 0.2)
    list(GradientFlow(horizon=0.2, points=7).steps(objective))
    assert np.abs(objective.vector.numpy() - truth).max() <= 1e-7


def test_the_general_path_follows_the_flow_of_an_mlp():
    objective = objective_of(Mlp(width=3, activation="tanh"), "cross-entropy")
    steps = GradientDescent(lr=1e-4).steps(other := objective.clone())
    for _ in range(1000):
        next(steps)
    list(GradientFlow(horizon=0.1, points=2, spacing="log").steps(objective))
    assert float((objective.vector - other.vector).abs().max()) <= 1e-4
    assert other.flow_time == pytest.approx(0.1)


def test_the_flow_of_a_convex_quadratic_is_a_matrix_exponential():
    objective = objective_of(Linear())
    x = objective.module.features(objective.x)
    y = torch.nn.functional.one_hot(objective.y, 2).double()
    best = torch.linalg.lstsq(x, y).solution.T
    decay = torch.linalg.matrix_exp(-2 * 0.7 / 20 * x.T @ x)
    list(GradientFlow(horizon=0.7, points=3, method="DOP853").steps(objective))
    assert torch.allclose(objective.vector.view(2, 4), best - best @ decay, atol=1e-8)


def test_it_says_its_time_yields_its_loss_and_ends_at_the_horizon():
    objective = objective_of(DeqLinear(), "cross-entropy")
    trainer = GradientFlow(horizon=2.0, points=5)
    seen = []
    for loss in trainer.steps(objective):
        assert loss.item() == pytest.approx(objective.value().item())
        seen.append((objective.flow_time, loss.item()))
    assert [time for time, _ in seen] == pytest.approx([0.4, 0.8, 1.2, 1.6, 2.0])
    assert all(after < before for (_, before), (_, after) in pairwise(seen))


def test_points_even_in_the_logarithm_of_time_end_at_the_horizon_too():
    times = GradientFlow(horizon=5.0, points=3, spacing="log", decades=2.0).times()
    assert times == pytest.approx([0.05, 0.5, 5.0])


def test_every_right_hand_side_is_charged():
    for model in (DeqLinear(), Mlp(width=2)):
        objective = objective_of(model, "cross-entropy")
        next(GradientFlow(horizon=0.1, points=1).steps(objective))
        assert objective.counts.gradients > 10


def test_float32_is_refused():
    objective = objective_of(Mlp(width=2))
    objective.module.float()
    with pytest.raises(InapplicableError, match="float64"):
        next(GradientFlow().steps(objective))

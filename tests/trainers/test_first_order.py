"""First-order trainers against their update rules, written out."""

from __future__ import annotations

from itertools import islice

import pytest
import torch

from deqbench.interfaces import Split
from deqbench.learning.losses import Loss
from deqbench.learning.objective import Objective
from deqbench_plugins.models.linear import Linear
from deqbench_plugins.trainers.first_order import Adam, AdamW, GradientDescent, Sgd


def make(l2=0.1):
    """A quadratic: L(w) = w'Hw/2 - b'w + c with one output column."""
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(40, 3, dtype=torch.float64, generator=generator)
    y = torch.randn(40, 1, dtype=torch.float64, generator=generator)
    return Objective(Linear().build((3,), 1).double(), Loss("square", l2), Split(x, y), order_seed=1)


def quadratic(objective):
    """Return H (4, 4) and b (4,)."""
    features = objective.module.features(objective.x)
    h = 2 * features.T @ features / objective.n
    h = h + objective.loss.l2 * torch.eye(4, dtype=torch.float64)
    return h, 2 * features.T @ objective.y[:, 0] / objective.n


def run(trainer, objective, steps):
    return [loss.item() for loss in islice(trainer.steps(objective), steps)]


def test_gd_is_the_power_of_the_iteration_matrix_on_a_quadratic():
    objective = make()
    h, b = quadratic(objective)
    run(GradientDescent(lr=0.2), objective, 25)
    optimum = torch.linalg.solve(h, b)
    power = torch.linalg.matrix_power(torch.eye(4, dtype=torch.float64) - 0.2 * h, 25)
    torch.testing.assert_close(objective.vector, optimum - power @ optimum, rtol=1e-12, atol=1e-13)


def test_full_batch_sgd_is_polyaks_heavy_ball():
    objective = make()
    h, b = quadratic(objective)
    run(Sgd(lr=0.1, momentum=0.8, batch_size="full"), objective, 20)
    before = here = torch.zeros(4, dtype=torch.float64)
    for _ in range(20):
        before, here = here, here - 0.1 * (h @ here - b) + 0.8 * (here - before)
    torch.testing.assert_close(objective.vector, here, rtol=1e-12, atol=1e-13)


def test_nesterov_without_momentum_is_plain_sgd():
    plain, nesterov = make(), make()
    run(Sgd(momentum=0.0), plain, 5)
    run(Sgd(momentum=0.0, nesterov=True), nesterov, 5)
    assert torch.equal(plain.vector, nesterov.vector)


def test_adams_first_step_moves_each_parameter_by_the_learning_rate():
    objective = make()
    _, b = quadratic(objective)
    run(Adam(lr=0.01, batch_size="full"), objective, 1)
    torch.testing.assert_close(objective.vector, 0.01 * b.sign(), rtol=1e-5, atol=0)


def test_adamw_decays_the_weights_outside_the_gradient():
    decayed, plain = make(), make()
    start = torch.tensor([1.0, -2.0, 3.0, 4.0], dtype=torch.float64)
    for objective, trainer in (
        (decayed, AdamW(lr=0.01, weight_decay=0.5, batch_size="full")),
        (plain, Adam(lr=0.01, batch_size="full")),
    ):
        objective.set_vector(start)
        run(trainer, objective, 1)
    torch.testing.assert_close(decayed.vector, plain.vector - 0.01 * 0.5 * start, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("trainer", [GradientDescent(), Sgd(), Adam(), AdamW(weight_decay=0.0)])
def test_every_trainer_comes_near_the_optimum_of_a_quadratic(trainer):
    objective = make()
    h, b = quadratic(objective)
    start = objective.value().item()
    run(trainer, objective, 400)
    best = (objective.y.square().mean() - b @ torch.linalg.solve(h, b) / 2).item()
    assert objective.value().item() - best < 0.02 * (start - best)


@pytest.mark.parametrize(
    ("trainer", "epochs"), [(GradientDescent(), 6.0), (Sgd(batch_size=20), 3.0), (Adam(batch_size=16), 2.0)]
)
def test_six_steps_cost_their_share_of_epochs(trainer, epochs):
    objective = make()
    run(trainer, objective, 6)
    assert objective.epochs == pytest.approx(epochs)
    assert objective.counts.gradients == 6


def test_the_yielded_loss_is_the_one_whose_gradient_made_the_step():
    objective = make()
    first = objective.value().item()
    losses = run(GradientDescent(), objective, 2)
    assert losses[0] == pytest.approx(first, rel=1e-14)
    assert losses[1] < losses[0]


@pytest.mark.parametrize("trainer", [Sgd(), Adam(), AdamW()])
def test_the_same_seed_gives_the_same_bits(trainer):
    first, second = make(), make()
    assert run(trainer, first, 10) == run(trainer, second, 10)
    assert torch.equal(first.vector, second.vector)

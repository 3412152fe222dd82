"""torch's L-BFGS one iteration a step: where it arrives, what it is charged."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

from deqbench.interfaces import Split
from deqbench.learning.losses import Loss
from deqbench.learning.objective import Objective
from deqbench_plugins.models.linear import Linear
from deqbench_plugins.trainers.lbfgs import Lbfgs
from deqbench_plugins.trainers.sklearn_reference import NewtonCholesky


def make():
    x, y = load_wine(return_X_y=True)
    split = Split(torch.from_numpy(StandardScaler().fit_transform(x)), torch.from_numpy(y))
    return Objective(Linear().build((13,), 3).double(), Loss("cross-entropy", 1e-2), split)


def test_it_ends_at_the_optimum():
    oracle, objective = make(), make()
    (best,) = NewtonCholesky().steps(oracle)
    losses = [loss.item() for loss in Lbfgs(gtol=1e-9).steps(objective)]
    assert losses[-1] == pytest.approx(best.item(), rel=1e-12)
    assert objective.value_and_gradient()[1].abs().max() <= 1e-9


def test_each_step_yields_the_loss_where_it_stands():
    objective, watched = make(), make()
    for loss in Lbfgs(gtol=1e-6).steps(objective):
        watched.set_vector(objective.vector)
        assert loss.item() == pytest.approx(watched.value().item(), rel=1e-14)


def test_the_point_it_stands_on_is_not_evaluated_twice():
    objective, visited = make(), []
    backward = objective.backward

    def recorded(batch=None):
        visited.append(objective.vector)
        return backward(batch)

    objective.backward = recorded
    list(Lbfgs(gtol=1e-6).steps(objective))
    assert len(visited) == len({tuple(vector.tolist()) for vector in visited})
    assert objective.counts.gradients == len(visited)


def test_it_takes_the_steps_of_torchs_own_loop():
    ours, theirs = make(), make()
    for count, _ in enumerate(Lbfgs(gtol=0.0).steps(ours), start=1):
        if count == 15:
            break
    optimizer = torch.optim.LBFGS(
        theirs.parameters,
        max_iter=15,
        history_size=10,
        tolerance_grad=0.0,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
        max_eval=10_000,
    )
    optimizer.step(theirs.backward)
    torch.testing.assert_close(ours.vector, theirs.vector, rtol=1e-10, atol=1e-12)

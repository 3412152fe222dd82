"""The objective: its derivatives against independent ones, its counts, its batches."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from torch import nn

from deqbench.equilibria.binding import bound
from deqbench.equilibria.solving import Stop
from deqbench.errors import InapplicableError
from deqbench.interfaces import Split
from deqbench.learning.losses import Loss
from deqbench.learning.objective import Objective
from deqbench_plugins.gradients.implicit import Implicit
from deqbench_plugins.models.deq_mlp import DeqMlp
from deqbench_plugins.models.linear import Linear
from deqbench_plugins.models.mlp import Mlp
from deqbench_plugins.solvers.anderson import Anderson

LOSSES = ["square", "logistic", "cross-entropy"]
MODELS = {"linear": Linear(), "mlp": Mlp(width=5, depth=2, activation="tanh")}


def make(loss="cross-entropy", model="linear", l2=0.03, n=30):
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(n, 4, dtype=torch.float64, generator=generator)
    torch.manual_seed(5)
    module = MODELS[model].build((4,), 3).double()
    objective = Objective(module, Loss(loss, l2), Split(x, torch.arange(n) % 3), order_seed=7)
    objective.set_vector(torch.randn(objective.size, dtype=torch.float64, generator=generator) / 2)
    return objective


def differences(objective, step=1e-5):
    """Return the gradient by central differences of the value."""
    start, slopes = objective.vector, []
    for row in torch.eye(objective.size, dtype=torch.float64) * step:
        values = []
        for sign in (1, -1):
            objective.set_vector(start + sign * row)
            values.append(objective.value().item())
        slopes.append((values[0] - values[1]) / (2 * step))
    objective.set_vector(start)
    return torch.tensor(slopes, dtype=torch.float64)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_is_the_slope_of_the_value(loss, model):
    objective = make(loss, model)
    torch.testing.assert_close(
        objective.value_and_gradient()[1], differences(objective), rtol=1e-6, atol=1e-8
    )


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("loss", LOSSES)
def test_hessian_product_is_the_dense_hessian_times_the_vector(loss, model):
    objective = make(loss, model)
    dense = torch.autograd.functional.hessian(objective.at, objective.vector)
    product = objective.hessian_product()
    for seed in range(3):
        v = torch.randn(objective.size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        torch.testing.assert_close(product(v), dense @ v, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_hessian_diagonal_is_that_of_the_dense_hessian(loss):
    objective = make(loss)
    dense = torch.autograd.functional.hessian(objective.at, objective.vector)
    torch.testing.assert_close(objective.hessian_diagonal(), dense.diagonal(), rtol=1e-12, atol=1e-13)


def test_a_model_without_a_closed_form_has_no_hessian_diagonal():
    objective = make(model="mlp")
    assert objective.hessian_diagonal() is None


@pytest.fixture
def implicit():
    torch.manual_seed(0)
    module = DeqMlp(width=3, activation="tanh").build((4,), 3).double()
    plain = make()
    objective = Objective(module, Loss("cross-entropy", 0.01), Split(plain.x, plain.y))
    with bound(solver=Anderson(), gradient=Implicit(), stop=Stop(1e-12, max_calls=200)):
        yield objective


def test_hessian_product_passes_an_equilibrium(implicit):
    v = torch.randn(implicit.size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    start, product, step = implicit.vector, implicit.hessian_product()(v), 1e-5
    implicit.set_vector(start + step * v)
    ahead = implicit.value_and_gradient()[1]
    implicit.set_vector(start - step * v)
    slope = (ahead - implicit.value_and_gradient()[1]) / (2 * step)
    torch.testing.assert_close(product, slope, rtol=1e-6, atol=1e-8)


def test_the_loss_at_a_vector_passes_an_equilibrium(implicit):
    vector = implicit.vector.requires_grad_()
    (found,) = torch.autograd.grad(implicit.at(vector), vector)
    torch.testing.assert_close(found, implicit.value_and_gradient()[1], rtol=1e-9, atol=1e-11)


def test_a_product_kept_after_the_parameters_moved_is_never_one_of_another_point():
    objective = make(model="mlp")
    product = objective.hessian_product()
    objective.set_vector(objective.vector + 1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product(objective.vector)


def test_a_module_whose_copy_reads_the_original_is_refused():
    class Bound(nn.Linear):
        def __init__(self):
            super().__init__(4, 3, dtype=torch.float64)
            self.product = lambda x: x @ self.weight.T

        def forward(self, x):
            return self.product(x) + self.bias

    plain = make()
    objective = Objective(Bound(), plain.loss, Split(plain.x, plain.y))
    with pytest.raises(InapplicableError, match="a copy of it is no copy"):
        objective.at(objective.vector.requires_grad_())


def test_a_loss_linear_in_a_parameter_has_no_curvature():
    class Shift(nn.Module):
        def __init__(self):
            super().__init__()
            self.shift = nn.Parameter(torch.zeros((), dtype=torch.float64))

        def forward(self, x):
            return x[:, :1] + self.shift

    def linear_loss(predictions, _y):
        return predictions.mean()

    linear_loss.l2 = 0.0
    objective = Objective(Shift(), linear_loss, Split(torch.ones(3, 1, dtype=torch.float64), torch.zeros(3)))
    assert objective.hessian_product()(torch.ones(1, dtype=torch.float64)).tolist() == [0.0]


def test_l2_adds_half_the_squared_norm_of_all_parameters():
    with_decay, without = make(l2=0.5), make(l2=0.0)
    expected = without.value() + 0.25 * without.vector.square().sum()
    torch.testing.assert_close(with_decay.value(), expected, rtol=1e-14, atol=0)


def test_value_backward_and_at_agree():
    objective = make(model="mlp")
    value = objective.value()
    torch.testing.assert_close(objective.backward(), value, rtol=1e-14, atol=0)
    torch.testing.assert_close(objective.at(objective.vector), value, rtol=1e-14, atol=0)


def test_a_parameter_the_loss_never_sees_gets_the_gradient_of_its_decay():
    objective = make(l2=0.5)
    objective.module.idle = nn.Parameter(torch.full((2,), 3.0, dtype=torch.float64))
    objective = Objective(objective.module, objective.loss, Split(objective.x, objective.y))
    _, gradient = objective.value_and_gradient()
    assert gradient[-2:].tolist() == [1.5, 1.5]


def test_every_evaluation_is_counted():
    objective = make(n=30)
    objective.value()
    objective.backward()
    product = objective.hessian_product()
    for _ in range(4):
        product(objective.vector)
    counts = objective.counts
    assert (counts.values, counts.gradients, counts.linearisations, counts.hessian_products) == (1, 1, 1, 4)
    assert (objective.epochs, objective.data_passes) == (1.0, 7.0)


def test_a_minibatch_counts_its_share_of_an_epoch():
    objective = make(n=30)
    objective.backward(next(objective.batches(12)))
    assert objective.epochs == pytest.approx(0.4)


def test_an_epoch_of_minibatches_is_the_split_once_each():
    objective = make(n=30)
    sizes, seen = [], []
    for batch in islice(objective.batches(8), 4):
        sizes.append(len(batch.x))
        seen.append(batch.x)
    assert sizes == [8, 8, 8, 6]
    assert torch.equal(torch.cat(seen).sort(0).values, objective.x.sort(0).values)


def test_the_order_of_minibatches_is_drawn_from_its_seed_alone():
    torch.manual_seed(1)
    first = [batch.y.tolist() for batch in islice(make().batches(8), 12)]
    torch.manual_seed(2)
    assert [batch.y.tolist() for batch in islice(make().batches(8), 12)] == first
    assert first[:4] != first[4:8]


@pytest.mark.parametrize("size", [None, 30, 64])
def test_a_full_batch_is_the_split_itself_without_a_copy(size):
    objective = make(n=30)
    for batch in islice(objective.batches(size), 2):
        assert batch.x is objective.x
        assert batch.y is objective.y


def test_a_clone_moves_and_counts_on_its_own():
    objective = make()
    before, clone = objective.vector, objective.clone()
    clone.backward()
    clone.set_vector(before + 1)
    assert torch.equal(objective.vector, before)
    assert objective.counts.gradients == 0


def test_the_vector_is_a_copy():
    objective = make()
    objective.vector.zero_()
    assert float(objective.vector.abs().sum()) > 0

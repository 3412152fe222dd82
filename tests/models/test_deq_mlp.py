"""The contractive layer, implicit and unrolled."""

import pytest
import torch
from torch.autograd import gradcheck

from deqbench.equilibria.binding import bound
from deqbench.equilibria.solving import Stop
from deqbench_plugins.gradients.implicit import Implicit
from deqbench_plugins.models.contractive import ContractiveCell
from deqbench_plugins.models.deq_mlp import DeqMlp
from deqbench_plugins.models.unrolled import Unrolled
from deqbench_plugins.solvers.anderson import Anderson


def test_the_norm_is_bounded_after_any_update():
    torch.manual_seed(0)
    cell = ContractiveCell((5,), 2, width=16, activation="tanh", bound=0.9).double()
    direction = torch.randn(16, 16, dtype=torch.float64)
    for size in (0.0, 1e-3, 1.0, 1e6):
        cell.free.data += size * direction
        cell.free.data[0] *= 1 + size
        assert torch.linalg.matrix_norm(cell.weight(), 2) <= 0.9 * (1 + 1e-14)


def test_inside_the_ball_the_weight_is_the_free_matrix():
    cell = ContractiveCell((5,), 2, width=8, activation="tanh", bound=0.9)
    cell.free.data.copy_(0.5 * torch.eye(8))
    assert torch.equal(cell.weight(), cell.free)


def test_the_start_is_near_the_bound():
    torch.manual_seed(0)
    cell = ContractiveCell((5,), 2, width=64, activation="tanh", bound=0.9)
    assert 0.8 <= torch.linalg.matrix_norm(cell.weight(), 2) <= 0.9 * (1 + 1e-6)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_gradients_pass_gradcheck(activation):
    torch.manual_seed(0)
    module = DeqMlp(width=4, activation=activation).build((3,), 2).double()
    x = torch.randn(2, 3, dtype=torch.float64)
    names, weights = zip(*module.named_parameters(), strict=True)

    def predict(*values):
        return torch.func.functional_call(module, dict(zip(names, values, strict=True)), (x,))

    with bound(solver=Anderson(), gradient=Implicit(), stop=Stop(1e-13, 500)):
        assert gradcheck(predict, weights)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_many_unrolled_steps_are_the_implicit_model(activation):
    torch.manual_seed(0)
    implicit = DeqMlp(width=8, activation=activation).build((2, 3), 2).double()
    explicit = Unrolled(width=8, activation=activation, steps=300).build((2, 3), 2).double()
    explicit.load_state_dict(implicit.state_dict())
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    with bound(solver=Anderson(), gradient=Implicit(), stop=Stop(1e-13, 500)):
        predictions = implicit(x)
    torch.testing.assert_close(predictions, explicit(x), rtol=1e-9, atol=1e-10)
    found = torch.autograd.grad((predictions**2).sum(), tuple(implicit.parameters()))
    expected = torch.autograd.grad((explicit(x) ** 2).sum(), tuple(explicit.parameters()))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-9)


def test_unrolled_counts_its_steps_from_zero():
    torch.manual_seed(0)
    module = Unrolled(width=4, steps=2).build((3,), 2)
    x = torch.randn(5, 3)
    cell = module.cell
    first = torch.tanh(cell.inject(x))
    second = torch.tanh(first @ cell.weight().mT + cell.inject(x))
    torch.testing.assert_close(module(x), cell.readout(second))


def test_only_the_implicit_model_says_so():
    assert DeqMlp.implicit
    assert not Unrolled.implicit

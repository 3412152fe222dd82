"""The DELM's matrix in float32: rounded once, so that a contraction near 1 keeps its gradient."""

import pytest
import torch

from deqbench.equilibria.binding import AffineMap, equilibrium
from deqbench_plugins.models.deq_linear import column_softmax

BATCH, SIZE, GAMMA = 64, 512, 0.99


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_it_is_the_float64_softmax_rounded_once():
    free, incoming = drawn(7, 7).requires_grad_(), drawn(7, 7, seed=1)
    wide = free.detach().double().requires_grad_()
    found, exact = column_softmax(free), torch.softmax(wide, 0)
    assert torch.equal(found, exact.float())
    (gradient,) = torch.autograd.grad(found, free, incoming)
    (truth,) = torch.autograd.grad(exact, wide, incoming.double())
    assert torch.equal(gradient, truth.float())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_it_keeps_the_type(dtype):
    found = column_softmax(drawn(5, 5).to(dtype))
    assert found.dtype == dtype
    sums = found.double().sum(0)
    assert float((sums - 1).abs().max()) <= 5 * torch.finfo(dtype).eps


def test_it_has_a_second_derivative():
    free = drawn(3, 3).double().requires_grad_()
    assert torch.autograd.gradgradcheck(column_softmax, free)


def test_a_contraction_near_one_keeps_its_gradient_in_float32():
    free, x = drawn(SIZE, SIZE).requires_grad_(), drawn(BATCH, SIZE, seed=1)
    z = equilibrium(AffineMap(GAMMA * column_softmax(free), column_sum=1 - GAMMA), torch.zeros_like(x), x)
    (found,) = torch.autograd.grad(z.square().mean(), free)
    wide = free.detach().double().requires_grad_()
    system = torch.eye(SIZE, dtype=torch.float64) - GAMMA * torch.softmax(wide, 0)
    exact = torch.linalg.solve(system, x.double().mT)
    (truth,) = torch.autograd.grad(exact.square().mean(), wide)
    assert float((found.double() - truth).norm() / truth.norm()) <= 5e-4

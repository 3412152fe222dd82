"""Each formula of an operation against the same thing done by hand on numbers that count."""

from __future__ import annotations

import counting_numbers as by_hand
import pytest
import torch
from counting_numbers import counted
from torch.utils.flop_counter import FlopCounterMode

from deqbench.measuring.operations import OperationCounter

SIZES = [1, 2, 5, 12]


def operations(work) -> int:
    with OperationCounter() as counter:
        work()
    assert counter.tally.coverage == 1.0, counter.tally.unknown
    assert not counter.tally.outside
    return counter.tally.operations


def matrix(m, n=None, seed=0):
    drawn = torch.randn(m, n or m, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn + 3 * m * torch.eye(m, n or m, dtype=torch.float64)


@pytest.mark.parametrize("n", SIZES)
def test_a_softmax(n):
    x = matrix(3, n)
    expected = sum(counted(by_hand.softmax, row) for row in x.tolist())
    assert operations(lambda: torch.softmax(x, 1)) == expected
    assert operations(lambda: torch.log_softmax(x, 1)) == expected  # a subtraction in a quotient's place


@pytest.mark.parametrize("n", SIZES)
def test_the_backward_of_a_softmax(n):
    x = matrix(3, n).requires_grad_()
    y, g = torch.softmax(x, 1), matrix(3, n, seed=1)
    expected = sum(
        counted(by_hand.softmax_backward, *rows) for rows in zip(y.tolist(), g.tolist(), strict=True)
    )
    assert operations(lambda: torch.autograd.grad(y, x, g)) == expected


@pytest.mark.parametrize("n", SIZES)
def test_a_layer_norm(n):
    x, w, b = matrix(3, n), torch.ones(n, dtype=torch.float64), torch.ones(n, dtype=torch.float64)
    expected = sum(counted(by_hand.layer_norm, row, w.tolist(), b.tolist()) for row in x.tolist())
    assert operations(lambda: torch.nn.functional.layer_norm(x, (n,), w, b)) == expected


@pytest.mark.parametrize("n", SIZES)
def test_a_norm_of_each_row(n):
    x = matrix(3, n)
    expected = sum(counted(by_hand.norm, row) for row in x.tolist())
    assert operations(lambda: torch.linalg.vector_norm(x, dim=1)) == expected


@pytest.mark.parametrize(
    ("work", "an_element"),
    [
        (torch.tanh, 1),
        (torch.relu, 1),
        (torch.exp, 1),
        (torch.sqrt, 1),
        (lambda x: x + x, 1),
        (lambda x: torch.add(x, x, alpha=2), 2),
        (lambda x: x * x, 1),
        (lambda x: x / x, 1),
        (lambda x: torch.addcmul(x, x, x), 2),
        (lambda x: torch.addcdiv(x, x, x, value=0.5), 3),
        (lambda x: torch.lerp(x, x, 0.3), 3),
        (lambda x: x.clone().mul_(2.0), 1),
        (torch.sum, 1),
        (lambda x: x.amax(1), 1),
        (lambda x: torch._foreach_mul([x, x], 2.0), 2),
        (lambda x: torch.where(x > 0, x, -x), 2),
        (lambda x: x.abs().cumsum(0), 2),
    ],
)
def test_elementwise_operations_and_sums_by_the_element(work, an_element):
    x = matrix(4, 6).abs() + 1
    assert operations(lambda: work(x)) == an_element * x.numel()


def test_the_backward_of_tanh_squares_subtracts_and_multiplies():
    x = matrix(3, 4).requires_grad_()
    y = torch.tanh(x)
    assert operations(lambda: torch.autograd.grad(y, x, torch.ones_like(y))) == 3 * 12


def test_whole_numbers_views_and_copies_are_no_floating_point_work():
    x, many = matrix(4), torch.arange(12)

    def work():
        (many + many) * many
        torch.cat([x, x.mT.reshape(4, 4)]).clone()
        x[0], x.flatten(), x.detach()
        torch.zeros_like(x).copy_(x)

    assert operations(work) == 0


@pytest.mark.parametrize(
    "work",
    [
        lambda a, x: a @ x,
        lambda a, x: torch.addmm(x, a, x),
        lambda a, x: torch.bmm(a.expand(3, 4, 4), x.expand(3, 4, 4)),
        lambda a, x: torch.nn.functional.conv1d(x[None], a[:, :, None]),
    ],
)
def test_products_that_torch_counts_are_counted_as_torch_does(work):
    a, x = matrix(4), matrix(4, seed=1)
    with FlopCounterMode(display=False) as theirs:
        work(a, x)
    assert operations(lambda: work(a, x)) == theirs.get_total_flops() > 0


def test_a_complex_product_is_four_real_ones():
    a = matrix(5)
    wide = torch.complex(a, a)
    assert operations(lambda: wide @ wide) == 4 * operations(lambda: a @ a)


def test_a_fourier_transform_takes_its_nominal_count():
    x = torch.zeros(3, 16, dtype=torch.complex128)
    assert operations(lambda: torch.fft.fft(x)) == 3 * 5 * 16 * 4
    assert operations(lambda: torch.fft.rfft(x.real)) == 3 * 5 * 16 * 4 / 2


def test_a_cross_entropy_and_its_gradient_are_all_covered():
    x, labels = matrix(6, 3).requires_grad_(), torch.tensor([0, 1, 2, 0, 1, 2])
    found = operations(lambda: torch.nn.functional.cross_entropy(x, labels).backward())
    assert found == 5 * 18 + 6 + 6 + 4 * 18  # log-softmax, picking, picking, and back


@pytest.mark.parametrize("kind", ["batch", "group", "layer"])
def test_normalisation_layers_have_formulas_both_ways(kind):
    layers = {
        "batch": torch.nn.BatchNorm1d(4),
        "group": torch.nn.GroupNorm(2, 4),
        "layer": torch.nn.LayerNorm(4),
    }
    x = torch.randn(8, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert operations(lambda: layers[kind](x).sum().backward()) == (7 + 1 + 13) * 32

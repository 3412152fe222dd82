"""The default call gives right gradients, in either type, whatever the units of the loss."""

import pytest
import torch

from deqbench import equilibrium
from deqbench.equilibria.adjoints import unit_rows
from deqbench.equilibria.binding import AffineMap, Ledger
from deqbench.equilibria.solving import Stop
from deqbench_plugins.gradients.implicit import Implicit

BATCH, SIZE = 8, 24
ALLOWED = {torch.float32: 1e-3, torch.float64: 1e-8}
TYPES = pytest.mark.parametrize("dtype", ALLOWED, ids=["float32", "float64"])


def random(*shape, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=g, dtype=torch.float64)


def drawn(family, level):
    weights, x = random(SIZE, SIZE), random(BATCH, SIZE, seed=1)
    if family == "lin":
        return weights, x
    weights = weights if family == "tanh" else (weights + weights.T) / 2
    return weights * (level / torch.linalg.matrix_norm(weights, 2)), x * (1.0 if family == "tanh" else 0.05)


def function(family, level, weights):
    if family == "lin":
        return AffineMap(level * torch.softmax(weights, 0), 1 - level)
    return lambda z, x: torch.tanh(z @ weights.mT + x)


def exact(family, level):
    """Return the gradients of mean z*^2 by autograd through 6000 float64 steps, or through a solve."""
    weights, x = (part.requires_grad_() for part in drawn(family, level))
    if family == "lin":
        system = torch.eye(SIZE, dtype=torch.float64) - level * torch.softmax(weights, 0)
        z = torch.linalg.solve(system, x.mT).mT
    else:
        z = torch.zeros_like(x)
        for _ in range(1500):
            z = torch.tanh(z @ weights.mT + x)
    return torch.autograd.grad(z.square().mean(), (weights, x))


def by_default(family, level, dtype, factor=1.0):
    weights, x = (part.to(dtype).requires_grad_() for part in drawn(family, level))
    ledger = Ledger()
    z = equilibrium(function(family, level, weights), torch.zeros_like(x), x, ledger=ledger)
    found = torch.autograd.grad(factor * z.square().mean(), (weights, x))
    assert ledger.forward.unconverged_samples == ledger.backward.unconverged_samples == 0
    return [part.double() / factor for part in found]


@TYPES
@pytest.mark.parametrize(
    ("family", "level"),
    [("lin", 0.5), ("lin", 0.99), ("tanh", 0.5), ("tanh", 0.99), ("tanhsym", 0.9), ("tanhsym", 0.99)],
)
def test_the_default_gradient_is_exact_to_the_type(family, level, dtype):
    for a, b in zip(by_default(family, level, dtype), exact(family, level), strict=True):
        assert float((a - b).norm() / b.norm()) <= ALLOWED[dtype]


@TYPES
@pytest.mark.parametrize("factor", [1e6, 1e-6, 1e-30])
def test_the_units_of_the_loss_change_the_gradient_by_rounding_only(factor, dtype):
    plain, scaled = by_default("tanhsym", 0.9, dtype), by_default("tanhsym", 0.9, dtype, factor)
    for a, b in zip(scaled, plain, strict=True):
        assert float((a - b).norm() / b.norm()) <= 1e-2 * ALLOWED[dtype]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_rows_of_any_size_are_scaled_to_unit_length(dtype):
    rows = random(6, 4).to(dtype)
    scales = torch.tensor([1.0, 0.0, 2.0**-20, 2.0**14, 1.0, 1.0], dtype=dtype)
    scales[4], scales[5] = torch.finfo(dtype).tiny, torch.finfo(dtype).max / 16
    gradient = rows * scales.unsqueeze(1)
    unit, length = unit_rows(gradient)
    assert length[1] == 1
    assert torch.equal(unit[1], torch.zeros(4, dtype=dtype))
    others = unit[[0, 2, 3, 4, 5]].double().norm(dim=1)
    torch.testing.assert_close(others, torch.ones(5, dtype=torch.float64), rtol=0.1, atol=0)


def test_half_precision_meets_its_own_default():
    weights, x = drawn("tanh", 0.5)
    ledger, x = Ledger(), x.bfloat16().requires_grad_()
    z = equilibrium(function("tanh", 0.5, weights.bfloat16()), torch.zeros_like(x), x, ledger=ledger)
    (found,) = torch.autograd.grad(z.square().mean(), x)
    assert ledger.forward.unconverged_samples == ledger.backward.unconverged_samples == 0
    truth = exact("tanh", 0.5)[1]
    assert float((found.double() - truth).norm() / truth.norm()) < 0.1


def test_the_adjoints_tolerance_follows_the_forward_one_down_to_rounding():
    stop = lambda tolerance, dtype: Implicit().adjoint_stop(Stop(tolerance), dtype).tolerance  # noqa: E731
    assert stop(1e-2, torch.float32) == 1e-2
    assert stop(1e-7, torch.float32) == 3e-5
    assert stop(1e-7, torch.float64) == 1e-7
    assert Implicit(tolerance=1e-6).adjoint_stop(Stop(1e-2), torch.float32).tolerance == 1e-6
    assert Implicit().adjoint_stop(Stop(1e3, norm="l1"), torch.float64).tolerance == 1e-11

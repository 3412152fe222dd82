"""Monotone maps: linear parts against dense matrices, proximal operators against their equations."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from deqbench.equilibria.affine import AffineMap
from deqbench.equilibria.binding import equilibrium
from deqbench.equilibria.ledger import Ledger
from deqbench.equilibria.maps import Map
from deqbench.equilibria.monotone import (
    Identity,
    LinearPart,
    MonotoneMap,
    Relu,
    Scaling,
    Tanh,
    circular_blocks,
    monotone_blocks,
)
from deqbench.equilibria.solving import Stop
from deqbench.errors import ConfigurationError
from deqbench_plugins.gradients.implicit import Implicit
from deqbench_plugins.solvers.anderson import Anderson
from deqbench_plugins.solvers.forward_backward import ForwardBackward
from deqbench_plugins.solvers.peaceman_rachford import PeacemanRachford

GRID = (4, 5)


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def dense_part(size=6, margin=0.3):
    factor, skew = normal(2, size, size) / size**0.5
    return LinearPart(monotone_blocks(factor, skew, margin))


def circular_part(channels=3, margin=0.3):
    factor, skew = (circular_blocks(kernel, GRID) for kernel in 0.3 * normal(2, channels, channels, 3, 2))
    return LinearPart(monotone_blocks(factor, skew, margin), GRID)


def as_matrix(part):
    """W as a matrix on flattened states, by applying it to the unit vectors."""
    shape = (len(part.blocks),) if not part.grid else (part.blocks.shape[-1], *part.grid)
    units = torch.eye(torch.Size(shape).numel(), dtype=torch.float64)
    return part(units.reshape(-1, *shape)).flatten(1).mT, shape


PARTS = {"dense": dense_part, "circular": circular_part}


@pytest.mark.parametrize("window", [(3, 3), (2, 4), (1, 1), (4, 5)])
def test_a_circular_convolution_is_conv2d_with_circular_padding(window):
    kernel, x = normal(2, 3, *window), normal(4, 3, *GRID, seed=1)
    margins = [part for k in reversed(window) for part in (k // 2, k - 1 - k // 2)]
    padded = torch.nn.functional.pad(x, margins, mode="circular")
    blocks = circular_blocks(kernel, GRID)
    found = torch.fft.rfftn(x, dim=(-2, -1)).flatten(2).permute(2, 0, 1) @ blocks.mT
    found = torch.fft.irfftn(found.permute(1, 2, 0).reshape(4, 2, 4, 3), s=GRID, dim=(-2, -1))
    torch.testing.assert_close(found, torch.nn.functional.conv2d(padded, kernel))


def test_a_kernel_larger_than_its_grid_is_refused():
    with pytest.raises(ConfigurationError, match="smaller kernel"):
        circular_blocks(normal(2, 2, 5, 3), GRID)


@pytest.mark.parametrize("name", PARTS)
def test_the_margin_is_the_least_eigenvalue_of_the_symmetric_part(name):
    part = PARTS[name]()
    matrix, _ = as_matrix(part)
    gap = torch.eye(len(matrix), dtype=torch.float64) - matrix
    assert part.monotonicity == pytest.approx(float(torch.linalg.eigvalsh((gap + gap.mT) / 2).min()))
    assert part.monotonicity >= 0.3 - 1e-12
    assert part.lipschitz == pytest.approx(float(torch.linalg.matrix_norm(gap, 2)))
    factor = torch.linalg.matrix_norm(torch.eye(len(gap), dtype=torch.float64) - 0.2 * gap, 2)
    assert part.forward_factor(0.2) == pytest.approx(float(factor))


@pytest.mark.parametrize("name", PARTS)
def test_transpose_and_resolvents_are_those_of_the_matrix(name):
    part = PARTS[name]()
    matrix, shape = as_matrix(part)
    v = normal(2, *shape, seed=3)
    for one, dense in ((part, matrix), (part.T, matrix.mT), (part.T.T, matrix)):
        torch.testing.assert_close(one(v).flatten(1), v.flatten(1) @ dense.mT)
        for step in (0.5, 2.0):
            system = (1 + step) * torch.eye(len(dense), dtype=torch.float64) - step * dense
            exact = torch.linalg.solve(system, v.flatten(1).mT).mT
            torch.testing.assert_close(one.resolvent(v, step).flatten(1), exact)


def test_a_singular_resolvent_says_so():
    part = LinearPart(2 * torch.eye(3, dtype=torch.float64))
    with pytest.raises(ConfigurationError, match="monotone_blocks"):
        part.resolvent(normal(1, 3), 1.0)


@pytest.mark.parametrize("step", [0.01, 0.07, 0.3, 1.0, 3.0, 80.0])
@pytest.mark.parametrize("size", [1e-6, 0.3, 0.99, 1.01, 5.0, 300.0])
def test_the_prox_of_tanh_satisfies_its_optimality_condition(step, size):
    v = torch.tensor([size, -size], dtype=torch.float64)
    x = Tanh().prox(v, step)
    low, high = torch.full_like(v, -1e6), torch.full_like(v, 1e6)
    for _ in range(200):  # bisection on (1 - step) tanh y + step y = v, increasing in y
        middle = (low + high) / 2
        above = (1 - step) * torch.tanh(middle) + step * middle > v
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    torch.testing.assert_close(x, torch.tanh(low), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("activation", [Relu(), Tanh(), Identity(), Scaling()])
def test_at_step_one_the_prox_is_the_activation(activation):
    v, slopes = normal(50), torch.rand(50, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(activation.prox(v, 1.0, slopes), activation(v, slopes))


@pytest.mark.parametrize("step", [0.2, 4.0])
def test_the_prox_of_a_scaling_minimises_its_quadratic(step):
    slopes, v = torch.tensor([0.0, 0.25, 1.0], dtype=torch.float64), normal(3)
    x = Scaling().prox(v, step, slopes)
    # step (1 / D - 1) x + x = v, times D
    torch.testing.assert_close(step * (1 - slopes) * x + slopes * x, slopes * v)


@pytest.mark.parametrize("activation", [Relu(), Tanh(), Identity()])
def test_slopes_are_autograds(activation):
    v = normal(50).requires_grad_()
    value = activation(v)
    (slope,) = torch.autograd.grad(value.sum(), v)
    torch.testing.assert_close(activation.slope(value.detach()), slope)


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("solver", [PeacemanRachford(), ForwardBackward(), Anderson()])
def test_implicit_gradients_are_those_of_the_dense_adjoint(name, solver):
    part = PARTS[name]()
    matrix, shape = as_matrix(part)
    offset, incoming = normal(3, *shape, seed=5).requires_grad_(), normal(3, *shape, seed=6)
    ledger = Ledger()
    z = equilibrium(
        MonotoneMap(part, Tanh()),
        torch.zeros_like(offset),
        offset,
        solver=solver,
        gradient=Implicit(),
        stop=Stop(1e-12, 3000),
        ledger=ledger,
    )
    (found,) = torch.autograd.grad(z, offset, incoming)
    assert ledger.backward.unconverged_samples == 0
    for row in range(3):
        slope = 1 - z[row].detach().flatten() ** 2
        system = torch.eye(len(matrix), dtype=torch.float64) - slope[:, None] * matrix
        exact = slope * torch.linalg.solve(system.mT, incoming[row].flatten())
        torch.testing.assert_close(found[row].flatten(), exact, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("solver", [PeacemanRachford(), PeacemanRachford(0.5), ForwardBackward()])
@pytest.mark.parametrize("activation", [Tanh(), Identity()])
def test_first_and_second_derivatives_pass_gradcheck(solver, activation):
    factor, skew = (0.4 * normal(2, 2, 2)).unbind(0)
    offset = normal(2, 2, seed=2)

    def solved(factor, skew, offset):
        part = LinearPart(monotone_blocks(factor, skew, 0.5))
        return equilibrium(
            MonotoneMap(part, activation),
            torch.zeros_like(offset),
            offset,
            solver=solver,
            gradient=Implicit(),
            stop=Stop(1e-14, 2000),
            ledger=Ledger(),
        )

    arguments = [part.requires_grad_() for part in (factor, skew, offset)]
    assert gradcheck(solved, arguments, fast_mode=True)
    assert gradgradcheck(solved, arguments, fast_mode=True)


def test_the_unrolled_gradient_passes_through_both_reflections():
    factor, skew, offset = 0.4 * normal(3, 3), 0.4 * normal(3, 3, seed=1), normal(2, 3, seed=2)
    arguments = [part.requires_grad_() for part in (factor, skew, offset)]
    found = {}
    for gradient in ("unrolled", "implicit"):
        z = equilibrium(
            MonotoneMap(LinearPart(monotone_blocks(factor, skew, 0.5)), Tanh()),
            torch.zeros_like(offset),
            offset,
            solver=PeacemanRachford(),
            gradient=gradient,
            stop=Stop(1e-14, 500),
            ledger=Ledger(),
        )
        found[gradient] = torch.autograd.grad(z.square().sum(), arguments)
    for one, other in zip(found["unrolled"], found["implicit"], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)


def test_calls_products_and_resolvents_are_counted():
    part = dense_part()
    offset = normal(5, 6)
    f = Map(MonotoneMap(part, Relu()), (offset,))
    inner, fz = f.split(offset)
    torch.testing.assert_close(inner, part(offset) + offset)
    assert f.witnessed(offset, fz)
    f.resolvent(offset, 1.0)
    f.jacobian(offset)
    f.pushforward(offset, offset)
    counter = f.counter
    assert (counter.calls, counter.resolvents, counter.vjps, counter.jvps) == (3, 1, 6, 1)
    assert counter.sample_products == 8 * 5


def test_the_jacobian_and_the_pushforward_are_the_maps():
    offset, z, v = normal(4, 6), normal(4, 6, seed=1), normal(4, 6, seed=2)
    part = dense_part()
    f = Map(MonotoneMap(part, Tanh()), (offset,))
    slope = 1 - torch.tanh(part(z) + offset) ** 2
    exact = slope.unsqueeze(2) * part.blocks
    torch.testing.assert_close(f.jacobian(z), exact)
    fz, product = f.pushforward(z, v)
    assert f.witnessed(z, fz)
    torch.testing.assert_close(product, (exact @ v.unsqueeze(2)).squeeze(2))


def test_an_affine_map_is_monotone_with_the_identity():
    matrix = normal(4, 4) / 4
    f = Map(AffineMap(matrix).T, (normal(2, 4),))
    assert f.monotone is not None
    v = normal(2, 4, seed=1)
    torch.testing.assert_close(f.monotone(v, f.inputs[0]), f(v))
    assert Map(torch.tanh).monotone is None

"""Gradients through equilibria, against closed forms and finite differences in float64."""

import gc
import weakref

import mpmath
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from deqbench.equilibria.binding import AffineMap, Ledger, bound, equilibrium
from deqbench.equilibria.solving import Stop
from deqbench.errors import ConfigurationError, InapplicableError
from deqbench_plugins.gradients.implicit import Implicit
from deqbench_plugins.gradients.neumann import Neumann
from deqbench_plugins.gradients.one_step import OneStep
from deqbench_plugins.gradients.phantom import Phantom
from deqbench_plugins.gradients.reversible import Reversible
from deqbench_plugins.gradients.shine import Shine
from deqbench_plugins.gradients.unrolled import UnrolledGradient
from deqbench_plugins.solvers.anderson import Anderson
from deqbench_plugins.solvers.broyden import Broyden
from deqbench_plugins.solvers.direct import Direct
from deqbench_plugins.solvers.picard import Picard

TIGHT = Stop(1e-13, 500)
ITERATIVE = [Picard(), Anderson(), Broyden()]
EVERY = [
    Implicit(),
    OneStep(),
    UnrolledGradient(),
    Phantom(),
    Phantom(form="neumann"),
    Neumann(),
    Shine(refinement=1),
    Reversible(),
]


def random(*shape, seed=0, grad=False):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=g, dtype=torch.float64).requires_grad_(grad)


def delm(free, phi, gamma=0.9):
    return equilibrium(AffineMap(gamma * torch.softmax(free, 0), 1 - gamma), phi.detach(), phi)


def exact_delm(free, phi, gamma=0.9):
    system = torch.eye(len(free), dtype=free.dtype) - gamma * torch.softmax(free, 0)
    return torch.linalg.solve(system, phi.mT).mT


def tanh_layer(free, x):
    weight = free * (0.8 / torch.linalg.matrix_norm(free, 2))
    return equilibrium(lambda z, x: torch.tanh(z @ weight.mT + x), torch.zeros_like(x), x)


def relative(a, b):
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("solver", [Direct(), *ITERATIVE], ids=repr)
@pytest.mark.parametrize("gradient", [Implicit(), Implicit(solver=Picard()), UnrolledGradient()], ids=repr)
def test_affine_gradients_equal_autograd_through_the_solve(solver, gradient):
    free, phi = random(6, 6, grad=True), random(4, 6, seed=1, grad=True)
    with bound(solver=solver, gradient=gradient, stop=TIGHT):
        found = torch.autograd.grad((delm(free, phi) ** 3).sum(), (free, phi))
    exact = torch.autograd.grad((exact_delm(free, phi) ** 3).sum(), (free, phi))
    # Unrolling differentiates the steps that were made: its derivative lags behind the value's accuracy.
    limit = 1e-7 if isinstance(gradient, UnrolledGradient) else 1e-10
    assert all(relative(a, b) <= limit for a, b in zip(found, exact, strict=True))


@pytest.mark.parametrize("solver", ITERATIVE, ids=repr)
def test_the_implicit_gradient_passes_gradcheck_twice(solver):
    free, x = random(3, 3, grad=True), random(2, 3, seed=1, grad=True)
    with bound(solver=solver, gradient=Implicit(), stop=TIGHT) as ledger:
        assert gradcheck(tanh_layer, (free, x))
        assert gradgradcheck(tanh_layer, (free, x))
    assert ledger.backward.unconverged_samples == 0


def test_the_direct_adjoint_passes_gradcheck_twice():
    free, phi = random(3, 3, grad=True), random(2, 3, seed=1, grad=True)
    with bound(solver=Direct(), gradient=Implicit(), stop=TIGHT):
        assert gradcheck(delm, (free, phi))
        assert gradgradcheck(delm, (free, phi))


def test_third_derivatives_are_right_too():
    w, x = torch.tensor(0.5, dtype=torch.float64, requires_grad=True), random(1, 1)
    with bound(solver=Picard(), gradient=Implicit(), stop=TIGHT):
        value = equilibrium(lambda z, x: torch.tanh(w * z + x), torch.zeros_like(x), x).sum()
        found = []
        for _ in range(3):
            (value,) = torch.autograd.grad(value, w, create_graph=True)
            found.append(value.item())
    with mpmath.workdps(40):
        root = lambda w: mpmath.findroot(lambda z: mpmath.tanh(w * z + x.item()) - z, 0.5)  # noqa: E731
        exact = [float(mpmath.diff(root, mpmath.mpf("0.5"), order)) for order in (1, 2, 3)]
    assert found == pytest.approx(exact, rel=1e-10)


def test_a_hidden_weight_is_found_wherever_it_hides():
    class Cell(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(3, 3, dtype=torch.float64)
            self.linear.weight.data = 0.2 * random(3, 3)
            self.linear.bias.data = random(3, seed=2)

        def forward(self, z, x):
            return torch.tanh(self.linear(z) + x)

    cell, x = Cell(), random(2, 3, seed=1)
    weights = tuple(cell.parameters())
    steps = torch.zeros_like(x)
    for _ in range(100):
        steps = cell(steps, x)
    with bound(solver=Anderson(), gradient=Implicit(), stop=TIGHT):
        z = equilibrium(cell, torch.zeros_like(x), x)
    for value in (z, steps):
        first = torch.autograd.grad((value**2).sum(), weights, create_graph=True)
        second = torch.autograd.grad(sum((part**2).sum() for part in first), weights)
        value.expected = second
    for found, exact in zip(z.expected, steps.expected, strict=True):
        torch.testing.assert_close(found, exact, rtol=1e-9, atol=1e-11)


class _Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, weight):
        ctx.save_for_backward(z, weight)
        return z * weight

    @staticmethod
    def backward(ctx, incoming):
        z, weight = ctx.saved_tensors
        return incoming * weight, (incoming * z).sum()


def test_a_weight_that_cannot_be_found_is_refused_not_differentiated_wrongly():
    w, x = torch.tensor(0.5, dtype=torch.float64, requires_grad=True), random(2, 3)
    with bound(solver=Picard(), gradient=Implicit(), stop=TIGHT):
        z = equilibrium(lambda z, x: torch.tanh(_Scaled.apply(z, w) + x), torch.zeros_like(x), x)
    steps = torch.zeros_like(x)
    for _ in range(100):
        steps = torch.tanh(w * steps + x)
    (first,) = torch.autograd.grad(z.sum(), w, retain_graph=True)
    torch.testing.assert_close(first, torch.autograd.grad(steps.sum(), w)[0])
    with pytest.raises(InapplicableError, match="hides a tensor"):
        torch.autograd.grad(z.sum(), w, create_graph=True)


@pytest.mark.parametrize("gradient", [g for g in EVERY if not isinstance(g, UnrolledGradient)], ids=repr)
def test_one_module_may_be_used_several_times_before_backward(gradient):
    free, x = random(3, 3, grad=True), random(2, 3, seed=1)
    with bound(solver=Broyden(), gradient=gradient, stop=Stop(1e-9, 300)):
        together = torch.autograd.grad((tanh_layer(free, x) * tanh_layer(free, 2 * x)).sum(), free)[0]
        a, b = tanh_layer(free, x), tanh_layer(free, 2 * x)
        apart = torch.autograd.grad((a * b.detach()).sum(), free)[0]
        apart += torch.autograd.grad((a.detach() * b).sum(), free)[0]
    torch.testing.assert_close(together, apart)


@pytest.mark.parametrize("gradient", EVERY, ids=repr)
def test_backward_may_run_twice_on_a_retained_graph(gradient):
    free, x = random(3, 3, grad=True), random(2, 3, seed=1)
    with bound(solver=Broyden(), gradient=gradient, stop=Stop(1e-9, 300)):
        loss = tanh_layer(free, x).sum()
        loss.backward(retain_graph=True)
        once = free.grad.clone()
        loss.backward()
    torch.testing.assert_close(free.grad, 2 * once)


def test_a_zero_incoming_gradient_costs_nothing():
    free, x = random(3, 3, grad=True), random(2, 3, seed=1)
    with bound(solver=Anderson(), gradient=Implicit(), stop=TIGHT) as ledger:
        (0 * tanh_layer(free, x)).sum().backward()
    assert ledger.backward.solves == ledger.backward.vjps == 0
    assert torch.equal(free.grad, torch.zeros_like(free))


@pytest.mark.parametrize("factor", [2.0**-40, 2.0**40])
def test_scaling_the_loss_scales_the_gradient_to_the_bit(factor):
    free, x = random(3, 3, grad=True), random(2, 3, seed=1)
    with bound(solver=Anderson(), gradient=Implicit(), stop=Stop(1e-4)):
        plain = torch.autograd.grad((tanh_layer(free, x) ** 2).sum(), free)[0]
        scaled = torch.autograd.grad(factor * (tanh_layer(free, x) ** 2).sum(), free)[0]
    assert torch.equal(scaled / factor, plain)


def test_the_adjoint_meets_its_own_tolerance_for_every_sample():
    x = random(16, 4, seed=1)
    level = torch.full((16, 1), 0.3, dtype=torch.float64)
    level[5] = 0.97
    weight = random(4, 4)
    weight = ((weight + weight.T) / torch.linalg.matrix_norm(weight + weight.T, 2)).requires_grad_()
    loose, tight = Stop(1e-12, 2000), Implicit(tolerance=1e-10, max_products=2000)
    f = lambda z, x, level: level * (z @ weight.mT) + x  # noqa: E731
    incoming = random(16, 4, seed=3) * torch.logspace(-8, 8, 16, dtype=torch.float64).unsqueeze(1)
    with bound(solver=Picard(), gradient=tight, stop=loose) as ledger:
        attached = x.clone().requires_grad_()
        z = equilibrium(f, torch.zeros_like(x), attached, level)
        (found,) = torch.autograd.grad(z, attached, incoming)
    for row in range(16):
        system = torch.eye(4, dtype=torch.float64) - level[row] * weight.detach()
        exact = torch.linalg.solve(system.T, incoming[row])
        assert relative(found[row], exact) < 1e-8
    assert ledger.backward.unconverged_samples == 0
    assert ledger.backward.map_calls >= 1  # the slow row went on alone


def test_one_step_is_the_vjp_of_the_last_map():
    free, x = random(3, 3, grad=True), random(2, 3, seed=1, grad=True)
    with bound(solver=Picard(), gradient=OneStep(), stop=TIGHT):
        z = tanh_layer(free, x)
        found = torch.autograd.grad((z**2).sum(), (free, x))
    weight = free * (0.8 / torch.linalg.matrix_norm(free, 2))
    step = torch.tanh(z.detach() @ weight.mT + x)
    expected = torch.autograd.grad(step, (free, x), 2 * z.detach())
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_gradients_return_the_same_point():
    free, x = random(3, 3, grad=True), random(2, 3, seed=1)
    points = []
    for gradient in (Implicit(), OneStep(), Phantom(), Neumann()):
        with bound(solver=Picard(), gradient=gradient, stop=Stop(1e-3)):
            points.append(tanh_layer(free, x).detach())
    assert all(torch.equal(points[0], point) for point in points[1:])


def test_unrolled_equals_backpropagation_through_the_same_steps():
    free, x = random(3, 3, grad=True), random(1, 3, seed=1)
    with bound(solver=Picard(), gradient=UnrolledGradient(), stop=Stop(1e-3)) as ledger:
        found = torch.autograd.grad(tanh_layer(free, x).sum(), free)[0]
    weight = free * (0.8 / torch.linalg.matrix_norm(free, 2))
    z = torch.zeros_like(x)
    for _ in range(ledger.forward.map_calls):
        z = torch.tanh(z @ weight.mT + x)
    torch.testing.assert_close(found, torch.autograd.grad(z.sum(), free)[0])


def test_unrolled_freezes_rows_without_losing_their_gradient():
    weight = 0.5 * torch.eye(2, dtype=torch.float64).requires_grad_()
    x = random(8, 2)
    level = torch.linspace(0.1, 1.8, 8, dtype=torch.float64).unsqueeze(1)
    f = lambda z, x, level: level * (z @ weight) + x  # noqa: E731
    with bound(solver=Picard(), gradient=UnrolledGradient(), stop=Stop(1e-13, 900)):
        attached = x.clone().requires_grad_()
        z = equilibrium(f, torch.zeros_like(x), attached, level)
        (found,) = torch.autograd.grad(z.sum(), attached)
    torch.testing.assert_close(found, (1 / (1 - level / 2)).expand(8, 2), rtol=1e-9, atol=0)


@pytest.mark.parametrize("gradient", EVERY, ids=repr)
def test_an_empty_batch_passes_every_gradient(gradient):
    free, x = random(3, 3, grad=True), torch.empty(0, 3, dtype=torch.float64)
    with bound(solver=Broyden(), gradient=gradient, stop=TIGHT):
        z = tanh_layer(free, x)
        assert z.shape == (0, 3)
        if z.requires_grad:
            z.sum().backward()


@pytest.mark.parametrize("gradient", EVERY, ids=repr)
def test_no_graph_outlives_its_loss(gradient):
    class Cell(torch.nn.Module):
        def forward(self, z, x):
            return torch.tanh(0.5 * z + x)

    cell, x = Cell(), random(2, 3, grad=True)
    alive = weakref.ref(cell)
    with bound(solver=Broyden(), gradient=gradient, stop=TIGHT):
        equilibrium(cell, torch.zeros(2, 3, dtype=torch.float64), x).sum().backward()
    del cell
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("limit", [10, 300])
def test_memory_of_the_implicit_gradient_does_not_grow_with_steps(limit):
    saved = []
    free, x = random(3, 3, grad=True), random(2, 3, seed=1)
    with (
        torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, lambda t: t),
        bound(solver=Picard(), gradient=Implicit(), stop=Stop(1e-30, limit)),
    ):
        tanh_layer(free, x)
    assert sum(saved) < 150  # of some ten small tensors


def test_inputs_without_a_row_per_sample_are_refused():
    with pytest.raises(ConfigurationError, match="one row per sample"):
        equilibrium(torch.add, torch.zeros(3, 2), torch.zeros(2), ledger=Ledger())

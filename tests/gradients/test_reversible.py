"""The reversible gradient against backpropagation through the same coupled iteration."""

import pytest
import torch
from torch.autograd import gradcheck

from deqbench.equilibria.binding import bound, equilibrium
from deqbench.equilibria.maps import Map
from deqbench.equilibria.solving import SolveStatus, Stop
from deqbench_plugins.gradients.coupled import Coupled, LostBits, from_quanta, restore, to_quanta
from deqbench_plugins.gradients.implicit import Implicit
from deqbench_plugins.gradients.reversible import Reversible
from deqbench_plugins.solvers.picard import Picard


def random(*shape, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=g, dtype=torch.float64)


WEIGHT = random(5, 5) * (0.6 / torch.linalg.matrix_norm(random(5, 5), 2))
X, INCOMING = random(3, 5, seed=1), random(3, 5, seed=2)


def solved(gradient, stop, *, dtype=torch.float64):
    weight, x = WEIGHT.to(dtype).requires_grad_(), X.to(dtype).requires_grad_()
    with bound(solver=Picard(), gradient=gradient, stop=stop) as ledger:
        ledger.keep_last = True
        z = equilibrium(lambda z, x: torch.tanh(z @ weight.mT + x), torch.zeros_like(x), x)
        found = torch.autograd.grad(z, (weight, x), INCOMING.to(dtype))
    return z.detach(), *found, ledger


def stored(beta, steps):
    """Return y after the steps, dL/dW and dL/dx, by autograd through the coupled iteration itself."""
    weight, x = WEIGHT.clone().requires_grad_(), X.clone().requires_grad_()
    f = lambda z: torch.tanh(z @ weight.mT + x)  # noqa: E731
    y = w = torch.zeros_like(X)
    for _ in range(steps):
        y = (1 - beta) * y + beta * f(w)
        w = (1 - beta) * w + beta * f(y)
    return y.detach(), *torch.autograd.grad(y, (weight, x), INCOMING)


@pytest.mark.parametrize("halvings", [1, 2, 5])
@pytest.mark.parametrize("steps", [1, 2, 9, 70])
def test_undoing_the_steps_gives_what_storing_them_gives(halvings, steps):
    *found, ledger = solved(Reversible(halvings), Stop(1e-30, 2 * steps))
    assert ledger.forward.map_calls == 2 * steps + 1
    for a, b in zip(found, stored(1 - 0.5**halvings, steps), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


def test_hundreds_of_slow_steps_are_undone_where_floating_point_fails():
    level = 0.99
    x = X.clone().requires_grad_()
    with bound(solver=Picard(), gradient=Reversible(1), stop=Stop(1e-8, 4000)) as ledger:
        z = equilibrium(lambda z, x: level * z + x, torch.zeros_like(X), x)
        (found,) = torch.autograd.grad(z.sum(), x)
    assert ledger.forward.map_calls > 1000
    torch.testing.assert_close(found, torch.full_like(X, 1 / (1 - level)), rtol=1e-5, atol=0)


@pytest.mark.parametrize("halvings", [1, 3])
def test_the_iteration_returns_to_its_start_to_the_bit(halvings):
    f = Map(lambda z: torch.tanh(z @ WEIGHT.mT + X))
    solver = Coupled(halvings)
    states = [solver.init(f, torch.zeros_like(X))]
    for _ in range(100):
        states.append(solver.step(f, states[-1]))
    y, partner, quantum = states[-1].y, states[-1].partner, states[-1].quantum
    y_bits, partner_bits = states[-1].y_bits, states[-1].partner_bits
    for state in reversed(states[:-1]):
        target = to_quanta(f(from_quanta(y, quantum, torch.float64)), quantum)
        lost, partner_bits = partner_bits.pop(halvings)
        partner = restore(partner, target, halvings, lost)
        target = to_quanta(f(from_quanta(partner, quantum, torch.float64)), quantum)
        lost, y_bits = y_bits.pop(halvings)
        y = restore(y, target, halvings, lost)
        assert torch.equal(y, state.y)
        assert torch.equal(partner, state.partner)
    assert y_bits == partner_bits == LostBits()


def test_at_the_equilibrium_it_is_the_exact_gradient():
    for a, b in zip(
        solved(Reversible(), Stop(1e-12, 300))[:3], solved(Implicit(), Stop(1e-13, 900))[:3], strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)


def test_it_passes_gradcheck():
    free, x = random(3, 3).requires_grad_(), random(2, 3, seed=1).requires_grad_()

    def layer(free, x):
        weight = 0.6 * free / torch.linalg.matrix_norm(free, 2)
        return equilibrium(lambda z, x: torch.tanh(z @ weight.mT + x), torch.zeros_like(x), x)

    with bound(solver=Picard(), gradient=Reversible(), stop=Stop(1e-12, 100)):
        assert gradcheck(layer, (free, x))


def test_single_precision_gradients_are_good_to_single_precision():
    exact = solved(Implicit(), Stop(1e-13, 900))
    *found, _ = solved(Reversible(), Stop(1e-5, 100), dtype=torch.float32)
    for a, b in zip(found, exact[:3], strict=True):
        assert (a - b).norm() <= 1e-4 * b.norm()


def test_what_is_saved_does_not_grow_with_the_steps():
    sizes = []
    for limit in (10, 60):
        saved = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, s=saved: s.append(t.numel()) or t, lambda t: t
        ):
            solved(Reversible(), Stop(1e-30, limit))
        sizes.append(max(saved))
    assert sizes[0] == sizes[1]


def test_backward_makes_two_calls_and_two_products_a_step():
    ledger = solved(Reversible(), Stop(1e-30, 12))[-1]
    assert (ledger.backward.map_calls, ledger.backward.vjps) == (12, 11)


def test_the_recorded_residual_is_that_of_the_returned_point():
    x = torch.cat((torch.zeros(1, 5, dtype=torch.float64), 9 * random(2, 5, seed=4)))
    f = lambda z, x: torch.cos(0.9 * z) + x  # noqa: E731
    with bound(solver=Picard(), gradient=Reversible(), stop=Stop(1e-6, 400)) as ledger:
        ledger.keep_last = True
        z = equilibrium(f, torch.zeros_like(x), x.requires_grad_()).detach()
    fz = f(z, x.detach())
    torch.testing.assert_close(ledger.solution.residual, (fz - z).norm(dim=1) / fz.norm(dim=1))
    assert ledger.solution.converged.all()


def test_a_row_that_turns_nan_spoils_no_other_gradient():
    x = X.clone()
    x[1] = torch.nan
    x.requires_grad_()
    with bound(solver=Picard(), gradient=Reversible(), stop=Stop(1e-10, 100)) as ledger:
        ledger.keep_last = True
        z = equilibrium(lambda z, x: torch.tanh(z @ WEIGHT.mT + x), torch.zeros_like(X), x)
        (found,) = torch.autograd.grad(z[[0, 2]].sum(), x)
    clean = X.clone().requires_grad_()
    with bound(solver=Picard(), gradient=Implicit(), stop=Stop(1e-13, 900)):
        z = equilibrium(lambda z, x: torch.tanh(z @ WEIGHT.mT + x), torch.zeros_like(X), clean)
        (expected,) = torch.autograd.grad(z.sum(), clean)
    assert ledger.solution.status.tolist()[1] == SolveStatus.NON_FINITE
    torch.testing.assert_close(found[[0, 2]], expected[[0, 2]], rtol=1e-9, atol=1e-10)


def test_a_weight_is_found_inside_a_hand_written_function_too():
    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z, weight):
            ctx.save_for_backward(z, weight)
            return z * weight

        @staticmethod
        def backward(ctx, incoming):
            z, weight = ctx.saved_tensors
            return incoming * weight, (incoming * z).sum()

    w = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    found = []
    for gradient in (Reversible(), Implicit()):
        with bound(solver=Picard(), gradient=gradient, stop=Stop(1e-12, 200)):
            z = equilibrium(lambda z, x: torch.tanh(Scaled.apply(z, w) + x), torch.zeros_like(X), X)
        found.append(torch.autograd.grad(z.sum(), w)[0])
    torch.testing.assert_close(*found, rtol=1e-7, atol=0)

"""C25 of theory.md: what a solved layer keeps for backward does not grow with its depth, to the byte.

Counted are the unique storages alive after the forward pass: what autograd saved, by its own hooks, and what
a gradient holds in Python.
"""

import gc

import pytest
import torch

from deqbench.equilibria.binding import Ledger, equilibrium
from deqbench.equilibria.solving import Stop
from deqbench_plugins.gradients.implicit import Implicit
from deqbench_plugins.gradients.neumann import Neumann
from deqbench_plugins.gradients.one_step import OneStep
from deqbench_plugins.gradients.phantom import Phantom
from deqbench_plugins.gradients.reversible import Reversible
from deqbench_plugins.gradients.unrolled import UnrolledGradient
from deqbench_plugins.solvers.anderson import Anderson
from deqbench_plugins.solvers.picard import Picard

BATCH, SIZE = 16, 32
DEPTHS = [8, 20, 50]
STATE = BATCH * SIZE * 8  # bytes


@pytest.fixture(autouse=True)
def _only_what_is_new():
    """Set aside all objects that are there already; they would only be counted twice, slowly."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def living_bytes():
    """Bytes of every storage that a tensor in Python reaches, each once."""
    gc.collect()
    tensors = [one for one in gc.get_objects() if type(one) in (torch.Tensor, torch.nn.Parameter)]
    storages = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}
    return sum(storages.values())


def kept(gradient, solver, depth):
    """Bytes alive after a forward pass of `depth` calls that were not before it, and those calls."""
    g = torch.Generator().manual_seed(0)
    weight = torch.randn(SIZE, SIZE, generator=g, dtype=torch.float64)
    weight = (0.9 * weight / torch.linalg.matrix_norm(weight, 2)).requires_grad_()
    x = torch.randn(BATCH, SIZE, generator=g, dtype=torch.float64)
    ledger = Ledger()
    before = living_bytes()
    with torch.autograd.graph.saved_tensors_hooks(lambda saved: saved.detach(), lambda held: held):
        z = equilibrium(
            lambda z, x: torch.tanh(z @ weight.mT + x),
            torch.zeros_like(x),
            x,
            solver=solver,
            gradient=gradient,
            stop=Stop(1e-300, depth),
            ledger=ledger,
        )
        after = living_bytes()
    assert z.requires_grad
    return after - before, ledger.forward.map_calls


@pytest.mark.parametrize("solver", [Picard(), Anderson()], ids=repr)
@pytest.mark.parametrize("gradient", [Implicit(), OneStep(), Neumann(5), Phantom(5)], ids=repr)
def test_memory_does_not_grow_with_depth(gradient, solver):
    found = [kept(gradient, solver, depth) for depth in DEPTHS]
    assert len({calls for _, calls in found}) > 1  # they were solved to different depths
    assert len({size for size, _ in found}) == 1
    assert found[0][0] <= 20 * STATE


def test_the_reversible_gradient_keeps_a_few_bits_a_call():
    (first, a), (second, b) = (kept(Reversible(), Picard(), depth) for depth in (20, 120))
    assert b - a >= 90
    assert 0 <= second - first <= (b - a) * STATE / 16  # of 64 bits a number; unrolling keeps 64 and more


def test_control_unrolling_keeps_every_layer():
    found = [kept(UnrolledGradient(), Picard(), depth) for depth in (10, 20, 30)]
    (first, a), (second, b), (third, c) = found
    assert (second - first) * (c - b) == (third - second) * (b - a)  # linear in the depth, exactly
    assert second - first >= (b - a) * STATE

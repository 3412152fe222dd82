"""C25: what a solved layer keeps for its backward pass does not grow with its depth, to the byte."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import torch
from pydantic import Field

from deqbench.claims import Assumption, Evidence, Point
from deqbench.equilibria.binding import Ledger, equilibrium
from deqbench.equilibria.solving import Stop
from deqbench_plugins.claims.cases import draw, normal
from deqbench_plugins.gradients.implicit import Implicit
from deqbench_plugins.gradients.neumann import Neumann
from deqbench_plugins.gradients.one_step import OneStep
from deqbench_plugins.gradients.phantom import Phantom
from deqbench_plugins.gradients.unrolled import UnrolledGradient
from deqbench_plugins.solvers.anderson import Anderson
from deqbench_plugins.solvers.picard import Picard

if TYPE_CHECKING:
    from deqbench.equilibria.problems import AnySolver
    from deqbench.interfaces import Gradient

BATCH, SIZE = 16, 32
STATE = BATCH * SIZE * 8
"""Bytes of one equilibrium state."""
DEPTHS = (10, 30, 100, 300, 1000)
"""Calls of the map in one forward pass: no tolerance is ever met, so that the limit decides."""
NORM = 0.999
"""Of the weights, a rotation: slow enough that no solve ends by itself, at a residual of exactly 0."""
FLAT = 1.01
"""What the claim allows: one per cent more than at the smallest depth."""

_GRADIENTS: dict[str, Gradient] = {
    "implicit": Implicit(),
    "one-step": OneStep(),
    "neumann": Neumann(5),
    "phantom": Phantom(5),
}
_SOLVERS: dict[str, AnySolver] = {"picard": Picard(), "anderson": Anderson()}


@dataclass(frozen=True)
class ConstantMemory:
    """C25: bytes kept after the forward pass of a tanh layer, against the calls that its solve took."""

    code: ClassVar[str] = "C25"
    statement: ClassVar[str] = (
        "Training memory does not grow with depth: from 10 to 1,000 calls of the map the bytes kept for the "
        "backward pass stay within 1%."
    )
    source: ClassVar[str] = "Bai et al. 2019 [RECALL]; counted by storages, to the byte: own."
    tolerance: ClassVar[float] = 1e-6

    gradient: Annotated[
        Literal["implicit", "one-step", "neumann", "phantom"], Field(description="How the layer is passed.")
    ] = "implicit"
    solver: Annotated[Literal["picard", "anderson"], Field(description="Of the forward pass.")] = "picard"

    def examine(self, seed: int, precision: int) -> Evidence:
        """Compare depths; the control unrolls the solve, and must be linear in the depth."""
        del precision
        gradient, solver = _GRADIENTS[self.gradient], _SOLVERS[self.solver]
        gc.collect()
        gc.freeze()  # what is there already would only be counted twice, slowly
        try:
            found = [_kept(gradient, solver, depth, seed) for depth in DEPTHS]
            unrolled = [_kept(UnrolledGradient(), _SOLVERS["picard"], depth, seed) for depth in DEPTHS]
        finally:
            gc.unfreeze()
        (calls, least), (most, _) = found[0], found[-1]
        straight = all(abs(size - depth * STATE) <= 4 * STATE for depth, size in unrolled)
        per_call = (unrolled[-1][1] - unrolled[0][1]) / (unrolled[-1][0] - unrolled[0][0])
        facts = (
            Assumption("calls", most, most >= 50 * calls, "calls of the deepest solve, 50 times the first's"),
            Assumption("bytes_kept", least, least > 0, "something is kept for the backward pass"),
            Assumption(
                "unrolled_bytes_a_call", per_call, straight, "unrolling keeps a state a call, give or take 4"
            ),
        )
        points = tuple(Point(calls, size, FLAT * least) for calls, size in found)
        control = tuple(Point(calls, size, FLAT * unrolled[0][1]) for calls, size in unrolled)
        return Evidence(facts, points, control, "the solve unrolled")


def _kept(gradient: Gradient, solver: AnySolver, depth: int, seed: int) -> tuple[int, int]:
    """Return the calls of one forward pass, and the bytes alive after it that were not before."""
    generator = draw(seed)
    basis = torch.linalg.qr(normal(generator, SIZE, SIZE))[0]
    weight = (NORM * basis).requires_grad_()
    x = 0.01 * normal(generator, BATCH, SIZE)  # small, so that tanh does not contract by itself
    start, ledger = torch.zeros_like(x), Ledger()
    before = _living_bytes()
    # The hooks hold what autograd saves as tensors that Python sees.
    with torch.autograd.graph.saved_tensors_hooks(lambda saved: saved.detach(), lambda held: held):
        z = equilibrium(
            lambda z, x: torch.tanh(z @ weight.mT + x),
            start,
            x,
            solver=solver,
            gradient=gradient,
            stop=Stop(1e-300, depth),
            ledger=ledger,
        )
        kept = _living_bytes() - before
    if not z.requires_grad:
        raise AssertionError("The layer's value is not attached to a graph.")
    return ledger.forward.map_calls, kept


def _living_bytes() -> int:
    """Return the bytes of every storage that a tensor in Python reaches, each counted once."""
    gc.collect()
    tensors = [one for one in gc.get_objects() if type(one) in (torch.Tensor, torch.nn.Parameter)]
    storages = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}
    return sum(storages.values())

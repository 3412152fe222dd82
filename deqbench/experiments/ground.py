"""The problem that a trial is about: a map drawn from a family, placed, and captured as solvers see it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch

from deqbench.equilibria.binding import Ledger, Stop, bound
from deqbench.equilibria.maps import Map, flat_rows
from deqbench.errors import PluginError
from deqbench.interfaces import Iterate
from deqbench.measuring.seeding import seed_everything, stream_seed

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from deqbench.equilibria.binding import Problem
    from deqbench.experiments.arithmetic import Arithmetic
    from deqbench.interfaces import MapFamily


@dataclass(frozen=True)
class Ground:
    """A drawn problem on the trial's device and in its dtype, and the same rounded numbers in float64.

    Attributes:
        module: forward(x) -> output; solves one equilibrium.
        x: Inputs, (B, *in).
        exact_module: The module's weights, rounded to the trial's dtype, in float64.
        exact_x: The inputs, likewise.
        loss: Output, float64 on the CPU, -> scalar.
        bare: The family's own bare call, f(z, *inputs); None where the map's function is one.
    """

    module: nn.Module
    x: Tensor
    exact_module: nn.Module
    exact_x: Tensor
    loss: Callable[[Tensor], Tensor]
    bare: Callable[..., Tensor] | None = None

    @classmethod
    def draw(cls, family: MapFamily, seed: int, arithmetic: Arithmetic) -> Ground:
        """Draw a family's problem of a seed, the same in every dtype up to its rounding."""
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)  # torch's own, whatever the trial's is
        try:
            seed_everything(stream_seed(seed, "map"))
            drawn = family.draw(seed)
        finally:
            torch.set_default_dtype(before)
        module = drawn.module.eval().to(arithmetic.device, arithmetic.dtype)
        x = drawn.x.to(arithmetic.device, arithmetic.dtype)
        return cls(module, x, copy.deepcopy(module).double(), x.double(), drawn.loss, drawn.bare)

    def capture(self) -> tuple[Map, Tensor]:
        """Return the counted map and its start, fresh: nothing is factorised or cached in it yet."""
        return captured(self.module, self.x)

    def floor(self, f: Map, z0: Tensor) -> Callable[[], Tensor]:
        """Return one bare call of a captured map at its start: no counting, no judging, no graph.

        Raises:
            PluginError: The family's own bare call returns something else than the map.
        """
        if self.bare is None:
            return partial(f.function, z0, *f.inputs)
        rounding = torch.finfo(z0.dtype).eps ** 0.5
        with torch.no_grad():
            z = f.function(z0, *f.inputs)  # where what a start of zeros hides is seen
            bare, full = self.bare(z, *f.inputs), f.function(z, *f.inputs)
        if bare.shape != full.shape or not torch.allclose(bare, full, rtol=rounding, atol=rounding):
            raise PluginError(
                "The bare call of this map's family, Drawn.bare, returns something else than the map; it may "
                "do less work for the same values, no more. See docs/write-a-plugin.md."
            )
        return partial(self.bare, z0, *f.inputs)

    def true_residual(self, z: Tensor, stop: Stop) -> Tensor:
        """Return the residual of z, (B, *s), recomputed in float64, (B,), in the norm of the stop."""
        f, _ = captured(self.exact_module, self.exact_x)
        order = 1 if stop.norm == "l1" else 2
        with torch.no_grad():
            z = z.double()
            fz = f(z)
            gap: Tensor = torch.linalg.vector_norm(flat_rows(fz - z), order, dim=1)
            if stop.norm == "relative":
                gap = gap / torch.linalg.vector_norm(flat_rows(fz), dim=1).clamp_min(1e-300)
        return gap


def captured(module: nn.Module, x: Tensor) -> tuple[Map, Tensor]:
    """Return the map and the start z0 of the one equilibrium that a module solves, detached.

    Raises:
        PluginError: The module solves none, or several.
    """
    ledger, glance = Ledger(keep_last=True), Glance()
    with torch.no_grad(), bound(solver=glance, gradient=glance, stop=Stop(max_calls=1), ledger=ledger):
        module(x)
    if ledger.forward.solves != 1 or ledger.last is None or ledger.start is None:
        raise PluginError(
            f"The map's module solved {ledger.forward.solves} equilibria for one batch; a map family's "
            "module calls deqbench.equilibrium exactly once. See docs/write-a-plugin.md."
        )
    return Map(ledger.last[0].function, ledger.last[0].inputs), ledger.start


class Glance:
    """A solver and gradient that evaluates the start and no more, to see which map it is handed."""

    def init(self, f: Map, z0: Tensor) -> Iterate:
        """Evaluate the start."""
        return Iterate(z0, f(z0))

    def step(self, f: Map, state: Iterate) -> Iterate:  # noqa: ARG002 -- the signature is the protocol's
        """Stay there."""
        return state

    def attach(self, problem: Problem) -> Tensor:
        """Return the start."""
        return problem.solve()

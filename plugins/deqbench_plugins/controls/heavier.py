"""A map whose one call does the same work many times over, so that two per cent can be added exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from pydantic import Field
from torch import nn

from deqbench.equilibria.binding import equilibrium
from deqbench.plugin import Drawn
from deqbench_plugins.maps.drawing import Batch, Dimension, Gaussians, towards

if TYPE_CHECKING:
    from torch import Tensor

ROUNDS = 50
"""How often a call with no share added does its work."""


@dataclass(frozen=True)
class Heavier:
    """z -> W z + x with ||W|| = 1/2, its product taken 50 (1 + share) times and used once.

    Every share has the same equilibria, iterates and calls, bit for bit: only the work differs. The product
    is in a loop, not of a larger matrix, so that seconds grow by the share as operations do. The floor that a
    solve is timed beside is that of no share, so the share is in its overhead, whatever the machine does.

    Source: own.
    """

    share: Annotated[
        float, Field(ge=0, le=1, multiple_of=1 / ROUNDS, description="Work added to each call.")
    ] = 0.02
    batch: Batch = 64
    dimension: Dimension = 64

    def draw(self, seed: int) -> Drawn:
        """Return the problem of this seed."""
        draw = Gaussians(seed, "control-heavier")
        weight = draw(self.dimension, self.dimension)
        module = _Heavier(
            0.5 * weight / torch.linalg.matrix_norm(weight, 2), ROUNDS + round(ROUNDS * self.share)
        )
        x, target = draw(self.batch, self.dimension), draw(self.batch, self.dimension)
        return Drawn(module, x, towards(target), bare=module.plain)


class _Heavier(nn.Module):
    """x -> z*, (B, d) -> (B, d)."""

    def __init__(self, weight: Tensor, rounds: int) -> None:
        super().__init__()
        self.W, self.rounds = nn.Parameter(weight), rounds

    def forward(self, x: Tensor) -> Tensor:
        return equilibrium(self._call, torch.zeros_like(x), x)

    def plain(self, z: Tensor, x: Tensor) -> Tensor:
        """Return W z + x with no share added, (B, d)."""
        return self._worked(z, x, ROUNDS)

    def _call(self, z: Tensor, x: Tensor) -> Tensor:
        return self._worked(z, x, self.rounds)

    def _worked(self, z: Tensor, x: Tensor, rounds: int) -> Tensor:
        for _ in range(rounds):
            product = z @ self.W.mT
        return product + x

"""Two families z = tanh(W z + U x + b): Gaussian W, and symmetric W with a small input."""

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

Norm = Annotated[float, Field(gt=0, lt=1, description="||W||_2, which bounds the contraction factor.")]

SMALL = 0.05
"""Size of the symmetric family's input: tanh stays near its slope 1, where the map contracts least."""


@dataclass(frozen=True)
class Tanh:
    """z = tanh(W z + U x + b), W Gaussian scaled to a spectral norm, x ~ N(0, I).

    Not a hard family even at norm .99: a Gaussian matrix's spectral radius is about half its norm, and
    tanh flattens what is left.
    """

    norm: Norm = 0.9
    batch: Batch = 32
    dimension: Dimension = 64

    def draw(self, seed: int) -> Drawn:
        """Return the problem of this seed."""
        draw = Gaussians(seed, "tanh")
        return _drawn(draw, draw(self.dimension, self.dimension), self, size=1.0)


@dataclass(frozen=True)
class TanhSymmetric:
    """z = tanh(W z + U x + b), W symmetric of a given spectral norm, U x + b of size .05.

    A symmetric matrix's spectral radius is its norm and a small input keeps tanh near slope 1, so the
    iteration converges no faster than the norm says: the honest hard case.
    """

    norm: Norm = 0.9
    batch: Batch = 32
    dimension: Dimension = 64

    def draw(self, seed: int) -> Drawn:
        """Return the problem of this seed."""
        draw = Gaussians(seed, "tanh-symmetric")
        raw = draw(self.dimension, self.dimension)
        return _drawn(draw, raw + raw.T, self, size=SMALL)


def _drawn(draw: Gaussians, raw: Tensor, family: Tanh | TanhSymmetric, *, size: float) -> Drawn:
    d = family.dimension
    weight = raw * (family.norm / torch.linalg.matrix_norm(raw, 2))
    module = _TanhModule(weight, draw(d, d) * (size / d**0.5), draw(d) * (size / 10))
    return Drawn(module, draw(family.batch, d), towards(draw(family.batch, d)))


class _TanhModule(nn.Module):
    """x -> z*, (B, d) -> (B, d)."""

    def __init__(self, weight: Tensor, inject: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.W, self.U, self.b = nn.Parameter(weight), nn.Parameter(inject), nn.Parameter(bias)

    def forward(self, x: Tensor) -> Tensor:
        injected = torch.addmm(self.b, x, self.U.mT)
        weight = self.W
        return equilibrium(
            lambda z, drive: torch.tanh(torch.addmm(drive, z, weight.mT)),
            torch.zeros_like(injected),
            injected,
        )

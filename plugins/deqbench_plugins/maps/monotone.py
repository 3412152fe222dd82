"""The family of monotone maps: equilibria that exist and are unique although the map does not contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from pydantic import Field
from torch import nn

from deqbench.equilibria.binding import equilibrium
from deqbench.equilibria.monotone import LinearPart, MonotoneMap, Relu, monotone_blocks
from deqbench.plugin import Drawn
from deqbench_plugins.maps.drawing import Batch, Dimension, Gaussians, towards

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Monotone:
    """z = relu(W z + U x + b), W = (1 - m) I - A^T A + B - B^T, x ~ N(0, I).

    A and B are Gaussian of variance 1/d, so ||I - W||_2 is 4 to 5: fixed-point iteration diverges, and the
    smaller m is, the slower operator splitting is.

    Source: E. Winston and J. Z. Kolter (2020), "Monotone operator equilibrium networks", arXiv 2006.08591.
    """

    m: Annotated[float, Field(gt=0, le=1, description="Strong monotonicity of I - W.")] = 0.1
    batch: Batch = 32
    dimension: Dimension = 64

    def draw(self, seed: int) -> Drawn:
        """Return the problem of this seed."""
        draw, d = Gaussians(seed, "monotone"), self.dimension
        factor, skew, inject = (draw(d, d) / d**0.5 for _ in range(3))
        module = _MonotoneModule(factor, skew, inject, draw(d) / 10, self.m)
        return Drawn(module, draw(self.batch, d), towards(draw(self.batch, d)))


class _MonotoneModule(nn.Module):
    """x -> z*, (B, d) -> (B, d)."""

    def __init__(self, factor: Tensor, skew: Tensor, inject: Tensor, bias: Tensor, m: float) -> None:
        super().__init__()
        self.A, self.B = nn.Parameter(factor), nn.Parameter(skew)
        self.U, self.b, self.m = nn.Parameter(inject), nn.Parameter(bias), m

    def forward(self, x: Tensor) -> Tensor:
        injected = torch.addmm(self.b, x, self.U.mT)
        map_ = MonotoneMap(LinearPart(monotone_blocks(self.A, self.B, self.m)), Relu())
        return equilibrium(map_, torch.zeros_like(injected), injected)

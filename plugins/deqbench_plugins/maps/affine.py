"""The family of affine maps: the deep equilibrium linear model's, at a random start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from pydantic import Field
from torch import nn

from deqbench.equilibria.binding import AffineMap, equilibrium
from deqbench.plugin import Drawn
from deqbench_plugins.maps.drawing import Batch, Dimension, Gaussians, towards
from deqbench_plugins.models.deq_linear import column_softmax

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Affine:
    """z = gamma S z + (x, 1) with S the column softmax of A ~ N(0, 1), x ~ N(0, I).

    Columns of S sum to 1, so the map contracts by gamma in the 1-norm. One direction, S's Perron vector,
    contracts no faster; the others do, by about gamma sqrt((e - 1) / d).

    Source: the map of the deep equilibrium linear model, K. Kawaguchi (2021), arXiv 2102.07346.
    """

    gamma: Annotated[
        float, Field(gt=0, lt=1, description="The contraction factor: near 1 is hard for iterations.")
    ] = 0.9
    batch: Batch = 32
    dimension: Dimension = 64

    def draw(self, seed: int) -> Drawn:
        """Return the problem of this seed."""
        draw = Gaussians(seed, "affine")
        module = _AffineModule(draw(self.dimension, self.dimension), self.gamma)
        x = draw(self.batch, self.dimension - 1)
        return Drawn(module, x, towards(draw(self.batch, self.dimension)))


class _AffineModule(nn.Module):
    """x -> z*, (B, d - 1) -> (B, d)."""

    def __init__(self, a: Tensor, gamma: float) -> None:
        super().__init__()
        self.A, self.gamma = nn.Parameter(a), gamma

    def forward(self, x: Tensor) -> Tensor:
        phi = torch.cat((x, x.new_ones(len(x), 1)), 1)
        matrix = self.gamma * column_softmax(self.A)
        return equilibrium(AffineMap(matrix, column_sum=1 - self.gamma), torch.zeros_like(phi), phi)

"""The deep equilibrium linear model (DELM): linear in its input, nonlinear in its weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from pydantic import Field
from torch import nn

from deqbench.equilibria.binding import AffineMap, equilibrium

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class DeqLinear:
    """z* = gamma S z* + phi(x), predictions B z*, with S the column softmax of A.

    phi(x) is the flattened input with a trailing 1, so m = d + 1 and the model has an intercept. Columns
    of S sum to 1, so gamma S contracts by gamma in the 1-norm and 1^T z* = 1^T phi / (1 - gamma) for
    every A. A starts N(0, 1) and B N(0, 0.01 / m): predictions start small, as a linear model's do.

    Source: K. Kawaguchi (2021), "On the Theory of Implicit Deep Learning: Global Convergence with
    Implicit Layers", arXiv 2102.07346. The initialisation and the default gamma are this project's.
    """

    implicit: ClassVar[bool] = True

    gamma: Annotated[
        float, Field(gt=0, lt=1, description="Weight of the equilibrium term: the contraction factor.")
    ] = 0.5

    def build(self, inputs: tuple[int, ...], outputs: int) -> nn.Module:
        """Return the module, (B, *inputs) -> (B, outputs)."""
        return DeqLinearModule(math.prod(inputs) + 1, outputs, self.gamma)


def column_softmax(free: Tensor) -> Tensor:
    """Return the softmax of every column of ``free``, (d, d): entries are positive, columns sum to 1.

    It is taken in float64 and rounded once, and so is its derivative. For (I - gamma S)^-1 multiplies
    what the columns' sums miss by 1 / (1 - gamma), and the adjoint solution is nearly constant, so that all
    but a five-hundredth of what reaches ``free`` cancels. torch's softmax in float32 misses 1 by 1e-6:
    with gamma .99 and d = 512 that alone costs the gradient 1e-3, this 3e-4.

    Source: K. Kawaguchi (2021), "On the Theory of Implicit Deep Learning", arXiv 2102.07346.
    """
    wide = None if free.is_mps else torch.float64  # Apple's GPUs know no float64
    return torch.softmax(free, 0, dtype=wide).to(free.dtype)


class DeqLinearModule(nn.Module):
    """The DELM's weights A (m, m) and B (outputs, m)."""

    def __init__(self, size: int, outputs: int, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma
        self.A = nn.Parameter(torch.randn(size, size))
        self.B = nn.Parameter(torch.randn(outputs, size) * (0.1 / math.sqrt(size)))

    def map(self) -> AffineMap:
        """Return z -> gamma S z + phi; S is the softmax over dim 0 of A, for its columns sum to 1."""
        return AffineMap(self.gamma * column_softmax(self.A), column_sum=1 - self.gamma)

    def features(self, x: Tensor) -> Tensor:
        """Return phi(x) = (x, 1), (B, m)."""
        flat = x.flatten(1)
        return torch.cat((flat, flat.new_ones(len(flat), 1)), 1)

    def state(self, x: Tensor) -> Tensor:
        """Return z*(x), (B, m); the search starts at phi = f(0)."""
        phi = self.features(x)
        return equilibrium(self.map(), phi.detach(), phi)

    def forward(self, x: Tensor) -> Tensor:
        """Return B z*(x), (B, outputs)."""
        return self.state(x) @ self.B.mT

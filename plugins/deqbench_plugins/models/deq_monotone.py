"""Monotone operator equilibrium networks: one equilibrium for any weights, however large."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from deqbench import equilibrium
from deqbench.equilibria.monotone import (
    LinearPart,
    MonotoneMap,
    Relu,
    Tanh,
    circular_blocks,
    monotone_blocks,
)
from deqbench.errors import ConfigurationError

if TYPE_CHECKING:
    from torch import Tensor

Margin = Annotated[float, Field(gt=0, description="m: I - W is strongly monotone by it.")]
Name = Annotated[Literal["relu", "tanh"], Field(description="relu or tanh.")]

CONVOLUTIONS: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d}
"""By the number of axes of the grid."""


@dataclass(frozen=True)
class DeqMonotone:
    """z* = act(W z* + U x + b), predictions C z* + c, with W = (1 - m) I - A^T A + B - B^T.

    I - W is strongly monotone for all A and B, so z* exists and is unique, although the map need not
    contract. Any solver may look for it; ``peaceman-rachford`` and ``forward-backward`` always find it.

    Source: E. Winston and J. Z. Kolter (2020), "Monotone operator equilibrium networks", arXiv 2006.08591.
    """

    implicit: ClassVar[bool] = True

    width: Annotated[int, Field(ge=1, description="Size of the state z.")] = 64
    m: Margin = 1.0
    activation: Name = "relu"

    def build(self, inputs: tuple[int, ...], outputs: int) -> nn.Module:
        """Return the module, (B, *inputs) -> (B, outputs)."""
        inject = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(inputs), self.width))
        readout = nn.Linear(self.width, outputs)
        weight = MonotoneWeight((self.width, self.width), (), self.m)
        return MonotoneModule(weight, self.activation, inject, readout)


@dataclass(frozen=True)
class DeqMonotoneConv:
    """The same with circular convolutions for A, B and U, solved through ``torch.fft``.

    Inputs (h, w) are one channel, (c, h, w) are c; (n,) is a square image where n is a square, else a row.
    Edges meet: images lie on a torus.

    Source: as ``DeqMonotone``.
    """

    implicit: ClassVar[bool] = True

    channels: Annotated[int, Field(ge=1, description="Channels of the state z.")] = 8
    window: Annotated[int, Field(ge=1, description="Size of the kernels; at most that of the input.")] = 3
    m: Margin = 1.0
    activation: Name = "relu"

    def build(self, inputs: tuple[int, ...], outputs: int) -> nn.Module:
        """Return the module, (B, *inputs) -> (B, outputs).

        Raises:
            ConfigurationError: The inputs are no rows, images or images with channels.
        """
        if not 1 <= len(inputs) <= 3:
            raise ConfigurationError(
                f"The model 'deq-monotone-conv' takes inputs (n,), (h, w) or (c, h, w), not {inputs}; use "
                "'deq-monotone'."
            )
        colours, grid = (inputs[0], inputs[1:]) if len(inputs) == 3 else (1, inputs)
        side = math.isqrt(grid[0])
        if len(grid) == 1 and side**2 == grid[0]:
            grid = (side, side)
        window = tuple(min(self.window, n) for n in grid)
        convolve = CONVOLUTIONS[len(grid)](
            colours, self.channels, window, padding="same", padding_mode="circular"
        )
        inject = nn.Sequential(nn.Flatten(), nn.Unflatten(1, (colours, *grid)), convolve)
        readout = nn.Sequential(nn.Flatten(), nn.Linear(self.channels * math.prod(grid), outputs))
        weight = MonotoneWeight((self.channels, self.channels, *window), grid, self.m)
        return MonotoneModule(weight, self.activation, inject, readout)


class MonotoneWeight(nn.Module):
    """The weights A and B of W, free, and W made of them.

    Args:
        shape: Of A and B each: a matrix, or a kernel (C, C, *window) if there is a grid.
        grid: Shape that convolutions go round; empty for matrices.
        margin: m.
    """

    def __init__(self, shape: tuple[int, ...], grid: tuple[int, ...], margin: float) -> None:
        super().__init__()
        # As torch starts a linear layer or a convolution of this shape.
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        self.factor = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        self.skew = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        self.grid, self.margin = grid, margin

    def forward(self) -> LinearPart:
        """Return W as the weights stand."""
        factor, skew = self._blocks(self.factor), self._blocks(self.skew)
        return LinearPart(monotone_blocks(factor, skew, self.margin), self.grid)

    def _blocks(self, weights: Tensor) -> Tensor:
        return circular_blocks(weights, self.grid) if self.grid else weights


class MonotoneModule(nn.Module):
    """W, and the maps before and after the equilibrium.

    Args:
        weight: W.
        activation: ``relu`` or ``tanh``.
        inject: x -> U x + b, in the shape of a state.
        readout: z -> C z + c.
    """

    def __init__(
        self,
        weight: MonotoneWeight,
        activation: Literal["relu", "tanh"],
        inject: nn.Module,
        readout: nn.Module,
    ) -> None:
        super().__init__()
        self.weight, self.inject, self.readout = weight, inject, readout
        self.activation = Relu() if activation == "relu" else Tanh()

    def map(self) -> MonotoneMap:
        """Return z -> act(W z + offset) with the weights as they stand."""
        return MonotoneMap(self.weight(), self.activation)

    def forward(self, x: Tensor) -> Tensor:
        """Return the predictions, (B, outputs)."""
        offset: Tensor = self.inject(x)
        z = equilibrium(self.map(), torch.zeros_like(offset), offset)
        predictions: Tensor = self.readout(z)
        return predictions

"""An implicit layer with one matrix: z = act(W z + U x + b)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from pydantic import Field
from torch import nn

from deqbench import equilibrium
from deqbench.equilibria.jacobians import jacobian_norm
from deqbench_plugins.models.contractive import Activation, ContractiveCell

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class DeqMlp:
    """z* = act(W z* + U x + b), predictions C z* + c; W contractive, so z* exists and is unique.

    Source: the deep equilibrium model of S. Bai, J. Z. Kolter, V. Koltun (2019), arXiv 1909.01377, for one
    fully connected layer; see ``ContractiveCell`` for W.
    """

    implicit: ClassVar[bool] = True

    width: Annotated[int, Field(ge=1, description="Size of the state z.")] = 64
    activation: Annotated[Activation, Field(description="tanh or relu.")] = "tanh"
    bound: Annotated[
        float, Field(gt=0, lt=1, description="Greatest ||W||_2: the map's contraction factor.")
    ] = 0.9

    jacobian_penalty: Annotated[
        float, Field(ge=0, description="Weight of the mean ||df/dz||_F^2 / width at z*, added to the loss.")
    ] = 0.0

    def build(self, inputs: tuple[int, ...], outputs: int) -> nn.Module:
        """Return the module, (B, *inputs) -> (B, outputs)."""
        cell = ContractiveCell(
            inputs, outputs, width=self.width, activation=self.activation, bound=self.bound
        )
        if self.jacobian_penalty == 0:
            return _DeqMlp(cell)
        return _PenalisedDeqMlp(cell, self.jacobian_penalty)


class _DeqMlp(nn.Module):
    def __init__(self, cell: ContractiveCell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor) -> Tensor:
        predictions: Tensor = self.cell.readout(_state(self.cell, x))
        return predictions


class _PenalisedDeqMlp(nn.Module):
    """The same with a Jacobian penalty (Bai, Koltun, Kolter 2021); see ``jacobian_norm``."""

    def __init__(self, cell: ContractiveCell, weight: float) -> None:
        super().__init__()
        self.cell = cell
        self.weight = weight
        self.last: tuple[Tensor, Tensor] | None = None  # x and z* of the last forward pass, held constant

    def forward(self, x: Tensor) -> Tensor:
        z = _state(self.cell, x)
        self.last = x, z.detach()
        predictions: Tensor = self.cell.readout(z)
        return predictions

    def penalty(self) -> Tensor:
        """Return the weighted mean of the last samples' ||J||_F^2 / width, z* held constant.

        The random signs are the same every time: the objective is a function of the parameters.
        """
        assert self.last is not None, "forward comes first"
        x, z = self.last
        signs = torch.Generator(z.device).manual_seed(0)
        norms = jacobian_norm(self.cell.map(), z, self.cell.injected(x), generator=signs)
        return self.weight * norms.mean()


def _state(cell: ContractiveCell, x: Tensor) -> Tensor:
    """Return z* for each sample, (B, width)."""
    injected = cell.injected(x)
    return equilibrium(cell.map(), injected.new_zeros(injected.shape), injected)

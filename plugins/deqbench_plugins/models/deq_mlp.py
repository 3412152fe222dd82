"""An implicit layer with one matrix: z = act(W z + U x + b)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field
from torch import nn

from deqbench import equilibrium
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

    def build(self, inputs: tuple[int, ...], outputs: int) -> nn.Module:
        """Return the module, (B, *inputs) -> (B, outputs)."""
        cell = ContractiveCell(
            inputs, outputs, width=self.width, activation=self.activation, bound=self.bound
        )
        return _DeqMlp(cell)


class _DeqMlp(nn.Module):
    def __init__(self, cell: ContractiveCell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor) -> Tensor:
        injected = self.cell.injected(x)
        z = equilibrium(self.cell.map(), injected.new_zeros(injected.shape), injected)
        predictions: Tensor = self.cell.readout(z)
        return predictions

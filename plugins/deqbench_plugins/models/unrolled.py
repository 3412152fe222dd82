"""The explicit twin of ``deq-mlp``: the same cell, K weight-tied steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field
from torch import nn

from deqbench_plugins.models.contractive import Activation, ContractiveCell

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Unrolled:
    """z_K of z_{k+1} = act(W z_k + U x + b) from z_0 = 0, predictions C z_K + c.

    Same parameters, same initialisation and same map as ``deq-mlp``; its depth is fixed and it is
    differentiated by plain backpropagation.
    """

    implicit: ClassVar[bool] = False

    width: Annotated[int, Field(ge=1, description="Size of the state z.")] = 64
    activation: Annotated[Activation, Field(description="tanh or relu.")] = "tanh"
    bound: Annotated[float, Field(gt=0, lt=1, description="Greatest ||W||_2.")] = 0.9
    steps: Annotated[int, Field(ge=1, description="Applications of the cell, K.")] = 10

    def build(self, inputs: tuple[int, ...], outputs: int) -> nn.Module:
        """Return the module, (B, *inputs) -> (B, outputs)."""
        cell = ContractiveCell(
            inputs, outputs, width=self.width, activation=self.activation, bound=self.bound
        )
        return _Unrolled(cell, self.steps)


class _Unrolled(nn.Module):
    def __init__(self, cell: ContractiveCell, steps: int) -> None:
        super().__init__()
        self.cell = cell
        self.steps = steps

    def forward(self, x: Tensor) -> Tensor:
        injected = self.cell.injected(x)
        step = self.cell.map()
        z = self.cell.activation(injected)  # f(0)
        for _ in range(self.steps - 1):
            z = step(z, injected)
        predictions: Tensor = self.cell.readout(z)
        return predictions

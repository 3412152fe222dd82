"""The explicit deep model: a multilayer perceptron."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import nn

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}


@dataclass(frozen=True)
class Mlp:
    """A multilayer perceptron of equally wide hidden layers, initialised as ``torch.nn.Linear`` does."""

    width: Annotated[int, Field(ge=1, description="Units of a hidden layer.")] = 64
    depth: Annotated[int, Field(ge=1, description="Hidden layers.")] = 1
    activation: Annotated[Literal["relu", "tanh"], Field(description="Nonlinearity of a hidden layer.")] = (
        "relu"
    )

    implicit: ClassVar[bool] = False

    def build(self, inputs: tuple[int, ...], outputs: int) -> nn.Module:
        """Return the module; inputs (B, *in) are flattened."""
        sizes = [math.prod(inputs), *([self.width] * self.depth)]
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), _ACTIVATIONS[self.activation]()]
        return nn.Sequential(*layers, nn.Linear(sizes[-1], outputs))

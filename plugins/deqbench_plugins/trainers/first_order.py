"""First-order trainers: torch's optimisers, one update a step.

Each yields the loss of the batch whose gradient made the update, so the loss before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import torch
from pydantic import Field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from deqbench.learning.objective import Objective

BatchSize = Annotated[
    Annotated[int, Field(ge=1)] | Literal["full"],
    Field(description="Samples in a minibatch, or full for the whole split."),
]


def descend(
    objective: Objective, optimizer: torch.optim.Optimizer, batch_size: BatchSize
) -> Iterator[Tensor]:
    """Step a torch optimiser on the objective's batches for ever, yielding each batch's loss."""
    for batch in objective.batches(None if batch_size == "full" else batch_size):
        loss = objective.backward(batch)
        optimizer.step()
        yield loss


@dataclass(frozen=True)
class GradientDescent:
    """Full-batch gradient descent: theta <- theta - lr grad L(theta)."""

    lr: Annotated[float, Field(gt=0, description="Step length.")] = 0.1

    def steps(self, objective: Objective) -> Iterator[Tensor]:
        """Descend; one gradient of the whole split a step."""
        for loss in descend(objective, torch.optim.SGD(objective.parameters, lr=self.lr), "full"):
            objective.flow_time += self.lr
            yield loss


@dataclass(frozen=True)
class Sgd:
    """Minibatch stochastic gradient descent with heavy-ball or Nesterov momentum (``torch.optim.SGD``)."""

    lr: Annotated[float, Field(gt=0, description="Step length.")] = 0.05
    momentum: Annotated[float, Field(ge=0, lt=1, description="Share of the last step that is kept.")] = 0.9
    nesterov: Annotated[bool, Field(description="Take the gradient ahead of the momentum step.")] = False
    batch_size: BatchSize = 64

    def steps(self, objective: Objective) -> Iterator[Tensor]:
        """Descend; one gradient of a minibatch a step."""
        # torch refuses Nesterov without momentum; the two are the same thing then
        nesterov = self.nesterov and self.momentum > 0
        optimizer = torch.optim.SGD(
            objective.parameters, lr=self.lr, momentum=self.momentum, nesterov=nesterov
        )
        return descend(objective, optimizer, self.batch_size)


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba, 2015) as ``torch.optim.Adam`` has it; the suite's l2 is part of the loss."""

    lr: Annotated[float, Field(gt=0, description="Step length.")] = 1e-2
    beta1: Annotated[float, Field(ge=0, lt=1, description="Decay of the mean of gradients.")] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1, description="Decay of the mean of squared gradients.")] = 0.999
    batch_size: BatchSize = 64

    def steps(self, objective: Objective) -> Iterator[Tensor]:
        """Descend; one gradient of a minibatch a step."""
        optimizer = torch.optim.Adam(objective.parameters, lr=self.lr, betas=(self.beta1, self.beta2))
        return descend(objective, optimizer, self.batch_size)


@dataclass(frozen=True)
class AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter, 2019) as ``torch.optim.AdamW`` has it."""

    lr: Annotated[float, Field(gt=0, description="Step length.")] = 1e-2
    beta1: Annotated[float, Field(ge=0, lt=1, description="Decay of the mean of gradients.")] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1, description="Decay of the mean of squared gradients.")] = 0.999
    weight_decay: Annotated[float, Field(ge=0, description="Decay, times lr, a step; outside the loss.")] = (
        1e-2
    )
    batch_size: BatchSize = 64

    def steps(self, objective: Objective) -> Iterator[Tensor]:
        """Descend; one gradient of a minibatch a step."""
        optimizer = torch.optim.AdamW(
            objective.parameters,
            lr=self.lr,
            betas=(self.beta1, self.beta2),
            weight_decay=self.weight_decay,
        )
        return descend(objective, optimizer, self.batch_size)

# ruff: noqa: ANN001, ANN201, D102
"""The tiny least squares for deqbench: a data set and two trainers, as a bare plugin file."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from deqbench.plugin import Entry, Split, Splits, Task, hookimpl


@dataclass(frozen=True)
class Gaussian:
    """y = x w + 0.1 noise, everything N(0, 1)."""

    n: int = 200
    p: int = 50

    def load(self, seed: int) -> Splits:
        draw = torch.Generator().manual_seed(seed)
        x = torch.randn(self.n, self.p, generator=draw, dtype=torch.float64)
        y = x @ torch.randn(self.p, 1, generator=draw, dtype=torch.float64)
        y += 0.1 * torch.randn(self.n, 1, generator=draw, dtype=torch.float64)
        half = Split(x[::2], y[::2])
        return Splits(Split(x, y), half, half, Task.REGRESSION, 1)


@dataclass(frozen=True)
class Descent:
    """Gradient descent with the step 1 / L and momentum."""

    momentum: float = 0.0

    def steps(self, objective):
        lr = 1.0 / float(torch.linalg.matrix_norm(objective.x, 2) ** 2 / objective.n)
        optimizer = torch.optim.SGD(objective.parameters, lr=lr / 2, momentum=self.momentum)
        while True:
            loss = objective.backward()
            optimizer.step()
            yield loss


@hookimpl
def deqbench_datasets():
    return [Entry("tiny-gaussian", Gaussian)]


@hookimpl
def deqbench_trainers():
    return [Entry("tiny-descent", Descent)]

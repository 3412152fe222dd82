"""C3: no width assumption: a DELM narrower than its outputs reaches the best linear function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
import torch
from pydantic import Field
from sklearn.datasets import load_digits

from deqbench.claims import Assumption, Evidence, Point
from deqbench_plugins.claims.cases import draw, normal, random_state
from deqbench_plugins.theory.delm import Weights
from deqbench_plugins.theory.losses import ConvexLoss
from deqbench_plugins.theory.metric import Metric
from deqbench_plugins.theory.optimum import optimum

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench_plugins.theory.delm import Delm

REACHED = 1e-8
"""Share of the first gap that counts as the optimum."""


@dataclass(frozen=True)
class AnyWidth:
    """C3: gradient descent on digits, one-hot, from m components and a constant; the control freezes B."""

    code: ClassVar[str] = "C3"
    statement: ClassVar[str] = (
        "No width is needed: digits one-hot, m < m_y = 10 and m < n: gradient descent ends at gap / gap(0) "
        "<= 1e-8."
    )
    source: ClassVar[str] = "Kawaguchi 2021 [RECALL]; gradient descent in place of the flow: own."
    tolerance: ClassVar[float] = 1e-6

    m: Annotated[int, Field(ge=2, le=60, description="Features: principal components, and a constant.")] = 3
    steps: Annotated[int, Field(ge=100, description="At most so many steps.")] = 8000

    def examine(self, seed: int, precision: int) -> Evidence:
        """Descend at half of 1 / lambda_max(D H) at the start; more steps at higher precision."""
        loss = _digits(self.m)
        best, state = optimum(loss), random_state(seed, self.m, 10, 0.8, 0.1)
        rate = 0.5 * Metric(state).reach(loss.hessian(state.W))
        first = loss.value(state.W) - best.value
        gap, count = first, 0
        while gap > 0.5 * REACHED * first and count < self.steps * 10**precision:
            for _ in range(100):
                state = state.moved(state.gradient(loss.gradient(state.W)), -rate)
            gap, count = loss.value(state.W) - best.value, count + 100
        frozen = _only_a(loss, random_state(seed, self.m, 10, 0.8, 0.1), rate, count)
        control = (Point(count, (frozen - best.value) / first, REACHED),)
        other = (_relu_network(loss, self.m, count, seed) - best.value) / first
        facts = (
            Assumption("m", self.m, self.m <= len(loss.features), "n is at least m"),
            Assumption("steps", count, holds=True, sentence="steps of gradient descent"),
            Assumption(
                "relu_gap", other, holds=True, sentence="gap that a ReLU network of width m is left with"
            ),
        )
        return Evidence(facts, (Point(count, gap / first, REACHED),), control, "B frozen")


def _only_a(loss: ConvexLoss, state: Delm, rate: float, steps: int) -> float:
    """Return the loss that the implicit layer alone reaches, B frozen."""
    for _ in range(steps):
        gradient = state.gradient(loss.gradient(state.W))
        state = state.moved(Weights(gradient.A, torch.zeros_like(gradient.B)), -rate)
    return loss.value(state.W)


def _digits(m: int) -> ConvexLoss:
    """Return the mean square loss of one-hot digits on m - 1 whitened principal components and a constant."""
    x, labels = load_digits(return_X_y=True)
    left = np.linalg.svd(x - x.mean(0), full_matrices=False)[0][:, : m - 1] * len(x) ** 0.5
    left = np.column_stack([left, np.ones(len(x))])
    return ConvexLoss.mean(
        "square", torch.from_numpy(left.copy()), torch.eye(10, dtype=torch.float64)[labels], 10
    )


def _relu_network(loss: ConvexLoss, width: int, steps: int, seed: int) -> float:
    """Return the loss that a ReLU network of one hidden layer reaches by as many steps of its best rate."""
    return min(_descended(loss, width, steps, seed, rate) for rate in (0.03, 0.1))


def _descended(loss: ConvexLoss, width: int, steps: int, seed: int, rate: float) -> float:
    generator, x = draw(seed), loss.features
    inner: Tensor = normal(generator, width, x.shape[1]) / x.shape[1] ** 0.5
    outer: Tensor = normal(generator, 10, width) / width**0.5
    for _ in range(steps):
        hidden = (x @ inner.T).relu()
        pull = 2 * (hidden @ outer.T - loss.y) / len(x)
        back = (pull @ outer) * (hidden > 0)
        outer, inner = outer - rate * pull.T @ hidden, inner - rate * back.T @ x
    return float(((x @ inner.T).relu() @ outer.T - loss.y).square().sum() / len(x))

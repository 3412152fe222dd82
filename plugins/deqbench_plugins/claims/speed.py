"""Implicit against explicit gradient descent, each at its own best step, where a DELM is faster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import torch
from pydantic import Field

from deqbench.claims import Assumption, Evidence, Point
from deqbench.interfaces import Task
from deqbench_plugins.claims.cases import draw, normal
from deqbench_plugins.datasets.weak_sum_direction import WeakSumDirection
from deqbench_plugins.theory.delm import Delm
from deqbench_plugins.theory.losses import ConvexLoss
from deqbench_plugins.theory.metric import Metric
from deqbench_plugins.theory.optimum import optimum

if TYPE_CHECKING:
    from deqbench_plugins.theory.optimum import Optimum

STEPS = (0.1, 0.2, 0.4, 0.7, 1.0, 1.4, 1.9)
"""The grid, in units of 1 / lambda_max(D H) at the start; the largest is unstable for some models."""
MOST = 1500
TARGET = 0.01
"""Share of the first gap to be reached."""


@dataclass(frozen=True)
class WeakSumSpeed:
    """On data with a weak sum direction a DELM at gamma = .9 needs an eighth of the iterations."""

    code: ClassVar[str] = "weak-sum"
    statement: ClassVar[str] = (
        "weak-sum-direction, each model at its best step: the DELM at gamma = .9 reaches 1% of the first gap "
        "in at most an eighth of the explicit model's iterations."
    )
    source: ClassVar[str] = "own; no claim about data at large."
    tolerance: ClassVar[float] = 1e-6

    loss: Annotated[Literal["square", "cross-entropy"], Field(description="What is minimised.")] = "square"

    def examine(self, seed: int, precision: int) -> Evidence:
        """Count iterations; the control has gamma = .01 and Gaussian data."""
        del precision
        weak, plain = self._weak(seed), self._gaussian(seed)
        implicit, explicit = best_count(weak, 0.9, seed), best_count(weak, 0.0, seed)
        null, base = best_count(plain, 0.01, seed), best_count(plain, 0.0, seed)
        facts = (
            Assumption("implicit_iterations", implicit, implicit < MOST, "the DELM reached the target"),
            Assumption(
                "explicit_iterations", explicit, holds=True, sentence="iterations of the explicit model"
            ),
            Assumption(
                "null_ratio",
                null / base,
                abs(null / base - 1) <= 0.05,
                "at gamma = .01 on Gaussian data the counts agree within 5%",
            ),
        )
        control = (Point(0.01, null, base / 8),)
        return Evidence(facts, (Point(0.9, implicit, explicit / 8),), control, "gamma = .01, Gaussian data")

    def _weak(self, seed: int) -> ConvexLoss:
        train = (
            WeakSumDirection(task=Task.REGRESSION if self.loss == "square" else Task.CLASSIFICATION)
            .load(seed)
            .train
        )
        features = torch.cat([train.x, torch.ones(len(train), 1, dtype=torch.float64)], 1)
        return ConvexLoss.mean(self.loss, features, train.y, 3)

    def _gaussian(self, seed: int) -> ConvexLoss:
        generator = draw(seed)
        features = normal(generator, 600, 21)
        y = features @ normal(generator, 21, 3) + normal(generator, 600, 3)
        return ConvexLoss.mean(self.loss, features, y if self.loss == "square" else y.argmax(1), 3)


def best_count(loss: ConvexLoss, gamma: float, seed: int) -> int:
    """Return the fewest iterations from A ~ N(0, 1), B = 0 to the target, over the grid of steps."""
    best, m = optimum(loss), loss.features.shape[1]
    start = Delm(normal(draw(seed), m, m), torch.zeros(loss.outputs, m, dtype=torch.float64), 1.0 - gamma)
    unit = Metric(start).reach(loss.hessian(start.W))
    return min(_count(loss, best, start, share * unit) for share in STEPS)


def _count(loss: ConvexLoss, best: Optimum, state: Delm, rate: float) -> int:
    goal = best.value + TARGET * (loss.value(state.W) - best.value)
    for count in range(1, MOST):
        state = state.moved(state.gradient(loss.gradient(state.W)), -rate)
        value = loss.value(state.W)
        if value <= goal:
            return count
        if not value < 1e6:
            return MOST
    return MOST

"""The explicit model's problems that claims on speed share: digits and Gaussian data, ridge or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from deqbench.interfaces import Split
from deqbench.learning.losses import Loss
from deqbench.learning.objective import Objective
from deqbench_plugins.claims.cases import draw, normal
from deqbench_plugins.datasets.bundled import Digits
from deqbench_plugins.models.linear import Linear
from deqbench_plugins.theory.losses import ConvexLoss
from deqbench_plugins.theory.optimum import optimum
from deqbench_plugins.trainers.trust_region_newton import TrustRegionNewton

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from deqbench.learning.losses import LossName

RIDGE = 1e-4
"""Weight of l2 / 2 ||W||^2 under the cross-entropy: without it the digits' optimum is at infinity."""


class Convex(Protocol):
    """A convex function of W (m_y, m)."""

    def value(self, w: Tensor) -> float:
        """Return it at W."""
        ...

    def gradient(self, w: Tensor) -> Tensor:
        """Return its gradient at W, (m_y, m)."""
        ...

    def hessian(self, w: Tensor) -> Callable[[Tensor], Tensor]:
        """Return V -> H V at W."""
        ...


@dataclass(frozen=True)
class Ridged:
    """loss(W) + l2 / 2 ||W||^2: a function of W still, so that theorems 1 and 2 apply to it."""

    loss: ConvexLoss
    l2: float

    def value(self, w: Tensor) -> float:
        """Return it at W."""
        return self.loss.value(w) + self.l2 / 2 * float(w.square().sum())

    def gradient(self, w: Tensor) -> Tensor:
        """Return its gradient at W, (m_y, m)."""
        return self.loss.gradient(w) + self.l2 * w

    def hessian(self, w: Tensor) -> Callable[[Tensor], Tensor]:
        """Return V -> H V at W."""
        product = self.loss.hessian(w)
        return lambda v: product(v) + self.l2 * v


@dataclass(frozen=True)
class Problem:
    """What is minimised over W (outputs, size), and its least value."""

    function: Convex
    least: float
    outputs: int
    size: int


def problem_of(split: Split, outputs: int, name: LossName, l2: float = 0.0) -> Problem:
    """Return the mean loss of a split as a function of W on (x, 1), with its least value.

    Args:
        split: Inputs (n, d), float64, and targets.
        outputs: Columns of a prediction.
        name: The loss.
        l2: Weight of the ridge, the intercept's column included.
    """
    features = torch.cat([split.x, split.x.new_ones(len(split), 1)], 1)
    loss = ConvexLoss.mean(name, features, split.y, outputs)
    size = features.shape[1]
    if l2 == 0.0:
        return Problem(loss, optimum(loss).value, outputs, size)
    trainer = TrustRegionNewton(forcing="quadratic", gtol=1e-10)
    least = float(list(trainer.steps(objective_of(split, outputs, name, l2)))[-1])
    return Problem(Ridged(loss, l2), least, outputs, size)


def objective_of(split: Split, outputs: int, name: LossName, l2: float) -> Objective:
    """Return the same function as trainers see it: that of the model ``linear``, at W = 0."""
    return Objective(Linear().build((split.x.shape[1],), outputs).double(), Loss(name, l2), split)


def digits(seed: int) -> Split:
    """Return the training split of digits, standardised, (1168, 64)."""
    return Digits().load(seed).train


def gaussian(seed: int, name: LossName) -> Split:
    """Return Gaussian inputs (600, 20) of deviations 1 to .1, of a noisy linear teacher, 3 outputs."""
    generator = draw(seed)
    x = normal(generator, 600, 20) * torch.logspace(0, -1, 20, dtype=torch.float64)
    y = x @ normal(generator, 20, 3) + normal(generator, 600, 3)
    return Split(x, y if name == "square" else y.argmax(1))

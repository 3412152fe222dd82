"""Checks of trainers, on a small convex problem: multinomial regression of separable clouds."""

from __future__ import annotations

from itertools import islice
from typing import Any

import torch
from torch import nn

from deqbench.interfaces import Split
from deqbench.learning.losses import Loss
from deqbench.learning.objective import Objective

CLASSES, FEATURES, SAMPLES, STEPS = 3, 4, 60, 40


def convex_objective() -> Objective:
    """Return the mean cross-entropy, with a little l2, of a linear model that starts at zero."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(SAMPLES) % CLASSES
    centres = torch.randn(CLASSES, FEATURES, generator=generator, dtype=torch.float64)
    x = centres[y] + 0.7 * torch.randn(SAMPLES, FEATURES, generator=generator, dtype=torch.float64)
    module = nn.Linear(FEATURES, CLASSES, dtype=torch.float64)
    nn.init.zeros_(module.weight)
    nn.init.zeros_(module.bias)
    return Objective(module, Loss("cross-entropy", 1e-3), Split(x, y))


def lowers_a_convex_loss(trainer: Any) -> str | None:
    """It lowers the loss of a small convex problem."""
    objective = convex_objective()
    before = float(objective.value())
    for _ in islice(trainer.steps(objective), STEPS):
        pass
    after = float(objective.value())
    return None if after < before else f"from {before:.4f} to {after:.4f} in {STEPS} steps"


def yields_its_loss(trainer: Any) -> str | None:
    """It yields a finite scalar after each update."""
    for loss in islice(trainer.steps(convex_objective()), 3):
        if torch.as_tensor(loss).numel() != 1 or not torch.isfinite(torch.as_tensor(loss)).all():
            return f"it yielded {loss!r}"
    return None


def moves_by_steps(trainer: Any) -> str | None:
    """Its first update changes the parameters, and is charged to the objective."""
    objective = convex_objective()
    before = objective.vector
    next(iter(trainer.steps(objective)), None)
    if torch.equal(before, objective.vector):
        return "the parameters did not move"
    return None if objective.data_passes > 0 else "it looked at no sample through the objective"


def repeats_itself(trainer: Any) -> str | None:
    """The same start gives the same parameters, bit by bit."""
    ends = []
    for _ in range(2):
        objective = convex_objective()
        for _ in islice(trainer.steps(objective), 3):
            pass
        ends.append(objective.vector)
    return None if torch.equal(*ends) else "two runs of three steps end at different parameters"


CHECKS = (lowers_a_convex_loss, yields_its_loss, moves_by_steps, repeats_itself)

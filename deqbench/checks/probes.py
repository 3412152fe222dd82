"""Checks of probes: what they observe is numbers by name, and leaves the model as it was."""

from __future__ import annotations

from typing import Any

import torch

from deqbench.checks.trainers import CLASSES, convex_objective
from deqbench.equilibria.binding import Ledger
from deqbench.interfaces import Observation, Split, Splits, Task


def _view() -> Observation:
    """Return a view of an explicit classifier."""
    objective = convex_objective()
    part = Split(objective.x, objective.y)
    splits = Splits(part, part, part, Task.CLASSIFICATION, CLASSES)
    with torch.no_grad():
        outputs = objective.module(part.x)
    predictions = dict.fromkeys(("train", "val", "test"), outputs)
    return Observation(objective.module.eval(), objective, splits, predictions, Ledger(), Ledger(), 0, 0)


def observes_numbers(probe: Any) -> str | None:
    """It observes numbers by name, none where it does not apply."""
    observed = dict(probe.observe(_view()))
    wrong = [name for name, value in observed.items() if not isinstance(name, str) or value != float(value)]
    return f"not a number: {', '.join(str(name) for name in wrong)}" if wrong else None


def leaves_the_model_alone(probe: Any) -> str | None:
    """Observing changes no parameter and draws nothing from torch's global generator."""
    view = _view()
    before, generator = view.objective.vector, torch.get_rng_state()
    probe.observe(view)
    if not torch.equal(before, view.objective.vector):
        return "it changed the parameters"
    return None if torch.equal(generator, torch.get_rng_state()) else "it draws from the global generator"


CHECKS = (observes_numbers, leaves_the_model_alone)

"""When a training run is observed and when it ends, in parts of its budget."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deqbench.errors import ConfigurationError

_ROUNDING = 1e-9
"""Epochs are sums of fractions n_batch / n: 10 epochs may read 9.999999999999998."""


@dataclass(frozen=True)
class Budget:
    """What training may spend; the first that is spent ends it.

    Attributes:
        epochs: Passes over the training split whose gradients are used; None for no limit.
        steps: Updates; None for no limit.
    """

    epochs: float | None = None
    steps: int | None = None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Budget:
        """Read it from a trial's settings.

        Raises:
            ConfigurationError: Neither epochs nor steps are limited.
        """
        budget = cls(settings["budget"].get("epochs"), settings["budget"].get("steps"))
        if budget.epochs is None and budget.steps is None:
            raise ConfigurationError("The budget has no limit; set budget.epochs or budget.steps.")
        return budget

    def spent(self, step: int, epochs: float) -> float:
        """Return the part of the budget that is spent, in [0, 1]; 1 ends the training."""
        parts = [0.0]
        if self.epochs is not None:
            parts.append(epochs / self.epochs if self.epochs > 0 else 1.0)
        if self.steps is not None:
            parts.append(step / self.steps if self.steps > 0 else 1.0)
        part = max(parts)
        return 1.0 if part >= 1.0 - _ROUNDING else part


@dataclass
class Schedule:
    """Observations at step 0, each time another ``1/evaluations`` of the budget is spent, and at the end.

    Even in the budget rather than in steps, because a step of a second-order trainer may take many passes:
    no trainer needs to say how many steps it will make, and every trainer is observed about as often.
    """

    budget: Budget
    evaluations: int
    observed: int = 0

    def due(self, step: int, epochs: float) -> bool:
        """Return whether an observation is due now, and note that it was made."""
        crossed = math.floor(self.budget.spent(step, epochs) * max(self.evaluations, 1) + _ROUNDING)
        if crossed <= self.observed:
            return False
        self.observed = crossed
        return True


@dataclass(frozen=True)
class Deadline:
    """The limit of wall time, kept softly: asked between two steps, so that the curves end well.

    The pool's own deadline is hard; it takes care of a step that never ends.
    """

    at: float

    @classmethod
    def after(cls, seconds: float | None) -> Deadline:
        """Return the deadline ``seconds`` from now; never, for None."""
        return cls(math.inf if seconds is None else time.monotonic() + seconds)

    @property
    def passed(self) -> bool:
        """Whether it has passed."""
        return time.monotonic() >= self.at

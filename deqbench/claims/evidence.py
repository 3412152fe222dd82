"""What a claim shows: its assumptions, its quantity against its bound, and a control that must fail."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Assumption:
    """Something the claim rests on.

    Attributes:
        name: Words joined by underscores, for a column of the results.
        value: What was measured; None where it is no number.
        holds: Whether it is certified here.
        sentence: What is assumed, for a person.
    """

    name: str
    value: float | None
    holds: bool
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return the assumption as JSON values, which have no infinity."""
        value = None if self.value is None or not math.isfinite(self.value) else self.value
        return {"name": self.name, "value": value, "holds": self.holds, "sentence": self.sentence}


@dataclass(frozen=True)
class Point:
    """One checkpoint: the claim says quantity <= bound.

    Attributes:
        t: Where it was taken: a time, a depth, a number of the case.
        quantity: What was seen, >= 0.
        bound: What was promised, > 0.
    """

    t: float
    quantity: float
    bound: float

    @property
    def ratio(self) -> float:
        """Quantity over bound: above 1 the promise is broken. NaN where either is not a number."""
        if math.isnan(self.quantity) or math.isnan(self.bound) or self.bound < 0:
            return math.nan
        if self.bound == 0:
            return math.inf if self.quantity > 0 else 0.0
        return self.quantity / self.bound


@dataclass(frozen=True)
class Evidence:
    """All that a claim showed in one case.

    Attributes:
        assumptions: What it rests on.
        points: Checkpoints that say something; trivial ones, such as t = 0, are left out.
        control: Checkpoints of a claim made false on purpose; None where there is no control.
        control_name: What was made false.
        vacuous: Why the bound says nothing here; None if it does.
    """

    assumptions: tuple[Assumption, ...]
    points: tuple[Point, ...]
    control: tuple[Point, ...] | None = None
    control_name: str = ""
    vacuous: str | None = None

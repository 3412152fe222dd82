"""How often a trial that measures seconds repeats itself: as told, but never into its limit of wall time."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deqbench.trials import Trial

SHARE = 0.5
"""Part of the limit of wall time after which no repetition begins: a median of two beats a timeout."""


@dataclass(frozen=True)
class Repeats:
    """The repetitions of a trial: iterate over it, and work once a round.

    Attributes:
        most: Rounds that were asked for, >= 1; the first is always made.
        seconds: The trial's limit of wall time; None for none.
        begun: When the trial began, on the monotonic clock.
    """

    most: int
    seconds: float | None = None
    begun: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, trial: Trial) -> Repeats:
        """Read it from a trial that begins now."""
        return cls(int(trial.settings["repeats"]), trial.limits.seconds)

    def __iter__(self) -> Iterator[int]:
        for round_ in range(self.most):
            late = self.seconds is not None and time.monotonic() - self.begun > SHARE * self.seconds
            if round_ and late:
                return
            yield round_

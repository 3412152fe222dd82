"""Floating-point operations of a training, counted off the clock: its first updates again, and some after it.

Counting slows every operation, so nothing is counted while the clock runs. Afterwards the first updates are
made again on a fresh copy, from the same seeds, under the counter; then the trainer takes a few updates more
from where it ended. What lies between is scaled by effort, passes over the data and iterations inside an
update, both of which the core counted for the whole training, at a rate between those of the two ends.

Which updates are counted depends on their number alone, so that the count is the same wherever it is made.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil

from deqbench.equilibria.binding import Ledger, recording
from deqbench.measuring.operations import CountingEnded, OperationCounter, Tally
from deqbench.measuring.seeding import preserved_generators
from deqbench.suites.schema import COUNTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from deqbench.learning.objective import Objective
    from deqbench.trials import Trial

LEAST_SECONDS, SHARE_OF_TRAINING = 1.0, 0.25
"""Counting ends after a second, or after this share of the training's own seconds, whichever is longer."""

SHARE_OF_LIMIT, SHARE_OF_MEMORY = 0.9, 0.8
"""Shares of the trial's limits at which nothing is counted any more: a finished trial stays finished."""

VALUE, GRADIENT, PRODUCT = 1.0, 3.0, 4.0
"""Passes that a value, a gradient (or a linearisation) and a Hessian product are taken for when scaling."""


@dataclass(frozen=True)
class Effort:
    """What a stretch of training asked for, in passes over the training split.

    Attributes:
        outer: Values, gradients and linearisations, weighted.
        inner: What iterations inside an update asked for: calls of the equilibrium map, products of the
            adjoint equation, and Hessian products, weighted.
    """

    outer: float = 0.0
    inner: float = 0.0

    @classmethod
    def of(cls, objective: Objective, ledger: Ledger) -> Effort:
        """Read it from what the core counted."""
        counts = objective.counts
        gradients = counts.gradient_samples / objective.n + counts.linearisations
        calls = (ledger.backward.sample_steps + ledger.forward.sample_calls) / objective.n
        return cls(
            VALUE * counts.values + GRADIENT * gradients,
            calls + PRODUCT * counts.hessian_products,
        )

    def __sub__(self, other: Effort) -> Effort:
        return Effort(self.outer - other.outer, self.inner - other.inner)

    @property
    def size(self) -> float:
        """Both together."""
        return self.outer + self.inner

    @property
    def depth(self) -> float:
        """Share of it that is inner, in [0, 1]."""
        return self.inner / self.size if self.size > 0 else 0.0


@dataclass
class Stretch:
    """Updates that were made under the counter.

    Attributes:
        updates: How many.
        operations: What they took.
        effort: What they asked for.
    """

    updates: int = 0
    operations: int = 0
    effort: Effort = field(default_factory=Effort)

    @property
    def rate(self) -> float:
        """Operations a unit of effort."""
        return self.operations / self.effort.size


def estimated(start: Stretch, end: Stretch, whole: Effort, updates: int) -> float:
    """Return the operations of a training: those counted at its start, and the rest by effort.

    The rest's rate lies between those of the two ends, in proportion to its share of inner effort: where
    solves grow longer as training goes on, or conjugate gradients take more products, so does their part in
    the work. With one end, its rate is taken; where no effort was counted, the operations of an update.

    Args:
        start: The first updates.
        end: Updates after the last; empty if there are none.
        whole: The effort of the training.
        updates: Updates of the training.
    """
    if start.updates >= updates:
        return float(start.operations)
    rest = whole - start.effort
    if start.effort.size <= 0 or rest.size <= 0:
        return start.operations * updates / start.updates
    rate = start.rate
    if end.updates and end.effort.size > 0:
        span = end.effort.depth - start.effort.depth
        part = (rest.depth - start.effort.depth) / span if abs(span) > 1e-6 else 0.5
        rate += (end.rate - start.rate) * min(max(part, 0.0), 1.0)
    return start.operations + rate * rest.size


@dataclass
class Replay:
    """The counting of one training that has ended.

    Attributes:
        share: Share of the updates that is counted, in (0, 1].
        updates: Updates of the training, >= 1.
        whole: Its effort.
        until: When counting ends at the latest, on the monotonic clock.
    """

    share: float
    updates: int
    whole: Effort
    until: float
    tally: Tally = field(default_factory=Tally)

    def costs(
        self,
        again: Callable[[], tuple[Objective, Iterator[Tensor]]],
        onward: tuple[Objective, Iterator[Tensor]] | None,
    ) -> dict[str, float | int | None]:
        """Return ``operations``, their coverage, and the share of the effort that was really counted.

        None where it cannot be known: no update could be counted in time, or work was done where torch's
        dispatcher does not see it.

        Args:
            again: Makes the training's objective and steps anew, with its seeds.
            onward: The objective and the steps of the training itself, where they may go on.
        """
        first = self.updates if self.share >= 1 else min(self.updates, max(2, self._part()))
        start, end = Stretch(), Stretch()
        with preserved_generators(), suppress(CountingEnded):
            objective, steps = again()
            try:
                self._count(start, first, objective, steps)
            finally:
                close(steps)
            if onward is not None and 0 < start.updates < self.updates and not self.tally.outside:
                with suppress(Exception):  # a trainer need not be able to go on
                    self._count(end, self._part(), *onward)
        if not start.updates or self.tally.outside or self.tally.operations == 0:
            return dict.fromkeys(("operations", "operations_coverage", "operations_replayed"))
        counted = start.effort.size + end.effort.size
        whole = start.updates >= self.updates
        return {
            "operations": round(estimated(start, end, self.whole, self.updates)),
            "operations_coverage": self.tally.coverage,
            "operations_replayed": 1.0 if whole else min(1.0, counted / max(self.whole.size, 1e-300)),
        }

    def _part(self) -> int:
        return math.ceil(self.share / 2 * self.updates)

    def _count(self, stretch: Stretch, most: int, objective: Objective, steps: Iterator[Tensor]) -> None:
        """Make up to ``most`` updates under the counter; what a broken update did is not counted."""
        ledger = Ledger()
        before = Effort.of(objective, ledger)
        counter = OperationCounter(self.until)
        try:
            with recording(ledger):
                while stretch.updates < most:
                    with counter:
                        if next(steps, None) is None:
                            break
                    stretch.updates += 1
                    stretch.operations = counter.tally.operations
                    stretch.effort = Effort.of(objective, ledger) - before
        finally:
            self.tally.add(counter.tally)


def close(steps: Iterator[Tensor]) -> None:
    """End a trainer's steps; one that drives somebody else's loop in a thread ends it here."""
    if isinstance(steps, Generator):
        steps.close()


def time_to_count(trial: Trial, train_seconds: float, latest: float, share: float) -> float:
    """Return until when updates may be counted, on the monotonic clock.

    Args:
        trial: The trial, for its limit of wall time.
        train_seconds: What training took.
        latest: When the trial's own limit passes; infinite for none.
        share: Share of the updates; who asks for more than the usual gets the time it takes.
    """
    margin = (1 - SHARE_OF_LIMIT) * (trial.limits.seconds or 0.0)
    own = max(LEAST_SECONDS, SHARE_OF_TRAINING * train_seconds) if share <= COUNTED else math.inf
    return min(time.monotonic() + own, latest - margin)


def room_to_count(trial: Trial, peak_bytes: int) -> bool:
    """Whether a second copy of the training fits into the trial's limit of memory."""
    limit = trial.limits.memory_bytes
    resident = int(psutil.Process().memory_info().rss)
    return limit is None or resident + peak_bytes < SHARE_OF_MEMORY * limit


def unseen(tally: Tally) -> Mapping[str, Any]:
    """Return the operations without a formula, by name, with their share of all elements."""
    whole = max(tally.known + tally.unknown.total(), 1)
    return {name: many / whole for name, many in tally.unknown.most_common(20)}

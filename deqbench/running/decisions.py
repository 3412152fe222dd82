"""Whether a stored record may stand for a trial, and why.

It may only under the same content key: the same components, parameters, seed, settings, data and code.
A failure is a result too: it stands until its cause may have gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from deqbench.errors import StoreError
from deqbench.records import Record, Status
from deqbench.running.differences import differences, differing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deqbench.keeping.store import Store
    from deqbench.trials import Trial

MANY_DIFFERENCES = 4
"""A stored trial that differs in more parts than this explains nothing about a new one."""


class Action(StrEnum):
    """What is done with a planned trial."""

    NEW = "new"
    REUSED = "reused"
    STALE = "stale"
    RETRIED = "retried"


@dataclass(frozen=True)
class Decision:
    """What is done with a trial, and why.

    Attributes:
        action: New, stale and retried ones run; a reused one does not.
        reasons: One sentence each.
        previous: Key of the stored record that was compared; None if there was none.
    """

    action: Action
    reasons: tuple[str, ...]
    previous: str | None = None


class Decider:
    """Decides, for one trial after another, whether what is stored may be used.

    Args:
        store: What is done already.
        files: Digest to files, of the present code.
        fresh: Use no stored record.
        retry_failed: Run again whatever did not end ok.
    """

    def __init__(
        self,
        store: Store,
        files: Mapping[str, Mapping[str, str]],
        *,
        fresh: bool = False,
        retry_failed: bool = False,
    ) -> None:
        self.store = store
        self.files = files
        self.fresh = fresh
        self.retry_failed = retry_failed
        self._stored: list[Trial] | None = None

    def decide(self, trial: Trial) -> Decision:
        """Return what is to be done with a trial whose provenance is complete."""
        if self.fresh:
            return Decision(Action.NEW, ("asked for with --fresh",))
        try:
            record = self.store.read(trial.key)
        except StoreError as error:
            return Decision(Action.RETRIED, (str(error),), trial.key)
        if record is not None:
            return self._with_record(trial, record)
        return self._without_record(trial)

    def _with_record(self, trial: Trial, record: Record) -> Decision:
        again = reason_to_retry(trial, record, retry_failed=self.retry_failed)
        if again is not None:
            return Decision(Action.RETRIED, (again,), trial.key)
        when = record.host.get("started", "an earlier run")
        same = "same components, parameters, seed, settings, data and code"
        return Decision(
            Action.REUSED, (f"{same} as the record of {when} ({record.status.value})",), trial.key
        )

    def _without_record(self, trial: Trial) -> Decision:
        nearest = self._nearest(trial)
        if nearest is None:
            return Decision(Action.NEW, ("nothing like it is stored",))
        reasons = tuple(differences(nearest.identity, trial.identity, self.store.sources(), self.files))
        action = Action.STALE if nearest.cell == trial.cell else Action.NEW
        return Decision(action, reasons, nearest.key)

    def _nearest(self, trial: Trial) -> Trial | None:
        """Return the stored trial with the fewest differences; one of the same cell wins."""
        best: tuple[int, int] = (1, MANY_DIFFERENCES + 1)
        nearest = None
        for stored in self._all_stored():
            distance = len(differing(stored.identity, trial.identity))
            rank = (int(stored.cell != trial.cell), distance)
            if rank < best:
                best, nearest = rank, stored
        return nearest

    def _all_stored(self) -> list[Trial]:
        # Read only when a trial has no record of its own: a complete resume never needs it.
        if self._stored is None:
            self._stored = list(_readable(self.store, self.store.keys()))
        return self._stored


def _readable(store: Store, keys: Iterable[str]) -> Iterable[Trial]:
    for key in keys:
        try:
            record = store.read(key)
        except StoreError:  # damaged, or of another schema: it explains nothing
            continue
        if record is not None:
            yield record.trial


def reason_to_retry(trial: Trial, record: Record, *, retry_failed: bool) -> str | None:
    """Return why a trial with a stored record runs again, or None if the record stands.

    Args:
        trial: As planned, with the present limits.
        record: What is stored under its key.
        retry_failed: Whether every failure is tried again.
    """
    if record.status is Status.INTERRUPTED:
        return "it was in flight when the run was interrupted"
    limits, before = trial.limits, record.trial.limits
    if record.status is Status.TIMEOUT and _grown(before.seconds, limits.seconds):
        return f"timeout, and its limit grew: {before.seconds} s -> {limits.seconds or 'none'}"
    if record.status is Status.OUT_OF_MEMORY and _grown(before.memory_bytes, limits.memory_bytes):
        now = limits.memory_bytes or "none"
        return f"out of memory, and its limit grew: {before.memory_bytes} bytes -> {now}"
    if retry_failed and record.status is not Status.OK:
        return f"{record.status.value}, and --retry-failed was given"
    return None


def _grown(before: float | None, now: float | None) -> bool:
    return before is not None and (now is None or now > before)

"""The pool: at most so many workers at once, each stopped at its limits, none left behind."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal

from deqbench.records import Status
from deqbench.workers.flights import Flight, lost
from deqbench.workers.forking import ForkStarter
from deqbench.workers.jobs import Job, Outcome
from deqbench.workers.preloading import PRELOAD
from deqbench.workers.processes import kill_group
from deqbench.workers.resident import shortage
from deqbench.workers.spawning import SpawnStarter
from deqbench.workers.starters import Ended, Event, Started, Starter, StarterDiedError

StartMethod = Literal["auto", "forkserver", "spawn"]

BLAME_BYTES = 1024**3
"""A worker with less than this is not why a machine runs out of memory."""

_TICK_SECONDS = 0.05
_STACK_SECONDS = 0.2  # what a worker gets for writing where it hangs, before it is killed
_ABANDON_SECONDS = 1.0
_HOPELESS_SECONDS = 10.0  # a process stuck in a driver cannot be killed; the run goes on without it
_TRIM_SECONDS = 1.0


class Pool:
    """Runs jobs, each in a process of its own, or in one that is reused; a context manager.

    Args:
        jobs: How many run at once, >= 1.
        threads: Threads of each numerical library in a worker, >= 1.
        preload: Modules that workers find imported.
        start_method: ``forkserver`` forks workers from a nursery; ``spawn`` starts a fresh
            interpreter for each; ``auto`` is forkserver on Linux, else spawn: Apple's libraries do
            not survive a fork, Windows has none.
        reuse: Whether a worker takes the next job once its job has returned and what is global has been put
            back; a job that fails, hangs or crashes costs its worker. It saves the fork and the import of
            plugins. Where workers are spawned, each job has its own all the same.
    """

    def __init__(
        self,
        *,
        jobs: int = 1,
        threads: int = 1,
        preload: Sequence[str] = PRELOAD,
        start_method: StartMethod = "auto",
        reuse: bool = False,
    ) -> None:
        self.jobs = jobs
        self.threads = threads
        self.preload = tuple(preload)
        self.start_method = start_method
        self.reuse = reuse
        self.interrupted: list[Outcome] = []
        """Jobs that were in flight when :meth:`run` was left early: by Ctrl-C, an exception or a break."""
        self._is_open = False
        self._flights: dict[int, Flight] = {}
        self._condemned: dict[int, float] = {}  # job number -> when the sentence was passed
        self._numbers = itertools.count(1)
        self._deaths = 0
        self._trimmed = 0.0
        self._enforced = 0.0

    def __enter__(self) -> Pool:
        self.open()
        return self

    def open(self) -> None:
        """Have the nursery import what it needs, without waiting for it; no effect on a pool that is open."""
        if not self._is_open:
            self._folder = Path(tempfile.mkdtemp(prefix="deqbench-"))
            self._starter = self._new_starter()
            self._starter.open()
            self._is_open = True

    def close(self) -> None:
        """Kill what is in flight and leave no process behind; no effect on a pool that is closed."""
        if self._is_open:
            self._is_open = False
            self._abandon()
            self._starter.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def provide(self, modules: Collection[str]) -> None:
        """Have workers that are started from now on find these modules imported, too."""
        new = [module for module in modules if module not in self.preload]
        if new:
            self.preload += tuple(new)
            self._starter.preload(new)

    def run(
        self,
        jobs: Iterable[Job],
        on_start: Callable[[Job], None] | None = None,
        on_tick: Callable[[], None] | None = None,
        *,
        ahead: bool = False,
    ) -> Iterator[Outcome]:
        """Run jobs and yield each one's outcome as it ends.

        Jobs are drawn from the iterable only when a worker is free. If the iteration is left early,
        whatever is in flight is killed and found in :attr:`interrupted`.

        Args:
            jobs: What to run.
            on_start: Told of a job when its worker runs, not when it is asked for.
            on_tick: Called some twenty times a second, for a progress display.
            ahead: Where a processor is free, start the next job before an outcome is handed out, so that what
                the caller does with one (storing it on a disk) and the start of the next overlap.
        """
        ahead = ahead and self._roomy
        waiting = iter(jobs)
        try:
            while self._fill(waiting):
                for event in self._poll():
                    if isinstance(event, Started):
                        self._note_start(event, on_start)
                    elif isinstance(event, Ended):
                        yield from self._landed(event, waiting if ahead else None)
                    else:
                        yield event
                yield from self._enforce()
                if on_tick is not None:
                    on_tick()
        finally:
            self._abandon()

    def _fill(self, waiting: Iterator[Job]) -> bool:
        """Start jobs while there is room; return whether any is in flight."""
        for job in itertools.islice(waiting, max(0, self.jobs - len(self._flights))):
            number = next(self._numbers)
            flight = Flight(job, number, self._folder / f"job-{number}")
            flight.prepare()
            self._flights[number] = flight
            self._starter.start(number, flight.folder)
        return bool(self._flights)

    def _poll(self) -> Sequence[Event | Outcome]:
        try:
            return self._starter.poll(_TICK_SECONDS)
        except StarterDiedError as death:
            return self._replace_starter(str(death))

    def _note_start(self, event: Started, on_start: Callable[[Job], None] | None) -> None:
        if flight := self._flights.get(event.job):
            flight.begin(event.pid)
            if on_start is not None:
                on_start(flight.job)

    def _landed(self, event: Ended, waiting: Iterator[Job] | None) -> Iterator[Outcome]:
        flight = self._flights.pop(event.job, None)
        if waiting is not None:
            self._fill(waiting)
        if flight is not None:  # None: given up before it ended after all
            yield self._settled(flight, flight.outcome(event))

    def _settled(self, flight: Flight, outcome: Outcome) -> Outcome:
        self._condemned.pop(flight.number, None)
        shutil.rmtree(flight.folder, ignore_errors=True)
        return outcome

    def _enforce(self) -> Iterator[Outcome]:
        """Judge every flight by its limits, and see sentences through."""
        now = time.monotonic()
        if now - self._enforced < _TICK_SECONDS / 2:  # jobs come and go faster than limits are looked after
            return
        self._enforced = now
        trim = now - self._trimmed > _TRIM_SECONDS
        self._trimmed = now if trim else self._trimmed
        self._relieve()
        for flight in list(self._flights.values()):
            flight.judge(now)
            if trim:
                flight.trim_output()
            if flight.sentence is not None and self._hopeless(flight, now):
                del self._flights[flight.number]
                status, reason = flight.sentence
                reason += "; its process could not be killed and was left behind"
                yield self._settled(flight, lost(flight, status, reason, None))

    def _relieve(self) -> None:
        """Where the machine is nearly out of memory, stop the largest worker, if it is to blame."""
        words = shortage()
        if words is not None and self._flights:
            largest = max(self._flights.values(), key=lambda flight: flight.resident_bytes)
            if largest.resident_bytes > BLAME_BYTES:
                largest.yield_memory(words)

    def _hopeless(self, flight: Flight, now: float) -> bool:
        """Ask a condemned worker where it is, then kill it; return whether that was in vain."""
        if flight.number not in self._condemned:
            self._condemned[flight.number] = now
            self._starter.dump(flight.number)
        since = now - self._condemned[flight.number]
        if since > _STACK_SECONDS:
            self._starter.kill(flight.number)
        return since > _HOPELESS_SECONDS

    def _replace_starter(self, words: str) -> list[Outcome]:
        """Start a new nursery, or after two deaths none; its workers died with it."""
        self._deaths += 1
        flights, self._flights = list(self._flights.values()), {}
        outcomes = [
            self._settled(flight, lost(flight, Status.KILLED, "the nursery that forked it died", words))
            for flight in flights
        ]
        for flight in flights:
            if flight.memory is not None:
                kill_group(flight.memory.pid)  # what the worker had started is nobody's now
        self._starter.close()
        self._starter = self._new_starter()
        self._starter.open()
        return outcomes

    def _new_starter(self) -> Starter:
        method = self.start_method
        if method == "auto":
            method = "forkserver" if sys.platform.startswith("linux") else "spawn"
        if method == "spawn" or self._deaths > 1:
            return SpawnStarter(self.threads, self.preload)
        return ForkStarter(self._folder, self.threads, self.preload, self.reuse, self._roomy)

    @property
    def _roomy(self) -> bool:
        """Whether a processor is free beside the jobs; where none is, all that is ours waits between jobs."""
        allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
        return len(allowed) > self.jobs * self.threads

    def _abandon(self) -> None:
        """Kill what is in flight and wait until it is gone."""
        flights = list(self._flights.values())
        self._flights.clear()
        for flight in flights:
            reason = "was in flight when the run was left"
            self.interrupted.append(lost(flight, Status.INTERRUPTED, reason, None))
            self._starter.kill(flight.number)
        self._await_end({flight.number for flight in flights})
        for flight in flights:
            shutil.rmtree(flight.folder, ignore_errors=True)

    def _await_end(self, numbers: set[int]) -> None:
        deadline = time.monotonic() + _ABANDON_SECONDS
        while numbers and time.monotonic() < deadline:
            try:
                events = self._starter.poll(_TICK_SECONDS)
            except StarterDiedError:
                return
            numbers -= {event.job for event in events if isinstance(event, Ended)}

"""The pool: at most so many workers at once, each stopped at its limits, none left behind."""

from __future__ import annotations

import itertools
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal

from deqbench.records import Status
from deqbench.workers.flights import Flight, lost
from deqbench.workers.forking import ForkStarter
from deqbench.workers.jobs import Job, Outcome
from deqbench.workers.processes import kill_group
from deqbench.workers.resident import shortage
from deqbench.workers.spawning import SpawnStarter
from deqbench.workers.starters import Ended, Event, Started, Starter, StarterDiedError

StartMethod = Literal["auto", "forkserver", "spawn"]

PRELOAD: tuple[str, ...] = (
    "torch",
    "torch._dynamo",  # torch.optim imports it at the first optimiser: a second a trial
    "numpy",
    "scipy.optimize",
    "scipy.sparse.linalg",
    "scipy.stats",
    "sklearn.datasets",
    "sklearn.linear_model",
    "sklearn.model_selection",
    "psutil",
    "pydantic",
    "deqbench.discovery.parameters",
    "deqbench.discovery.loading:installed_points",  # reads the metadata of all that is installed
    "deqbench.suites.schema",  # its models have pydantic look for pydantic's own plugins
    "deqbench.experiments.training",
    "deqbench.experiments.equilibrium",
    "deqbench.experiments.gradient",
    "deqbench.experiments.claim",
    "deqbench.experiments.fingerprint",
)
"""What workers find imported: libraries and the core, nothing of a plugin, nothing that starts a thread."""

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
        self._flights: dict[int, Flight] = {}
        self._condemned: dict[int, float] = {}  # job number -> when the sentence was passed
        self._numbers = itertools.count(1)
        self._deaths = 0
        self._trimmed = 0.0
        self._enforced = 0.0

    def __enter__(self) -> Pool:
        self._folder = Path(tempfile.mkdtemp(prefix="deqbench-"))
        self._starter = self._new_starter()
        self._starter.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._abandon()
        self._starter.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(
        self,
        jobs: Iterable[Job],
        on_start: Callable[[Job], None] | None = None,
        on_tick: Callable[[], None] | None = None,
    ) -> Iterator[Outcome]:
        """Run jobs and yield each one's outcome as it ends.

        Jobs are drawn from the iterable only when a worker is free. If the iteration is left early,
        whatever is in flight is killed and found in :attr:`interrupted`.

        Args:
            jobs: What to run.
            on_start: Told of a job when its worker runs, not when it is asked for.
            on_tick: Called some twenty times a second, for a progress display.
        """
        waiting = iter(jobs)
        try:
            while self._fill(waiting):
                for event in self._poll():
                    if isinstance(event, Started):
                        self._note_start(event, on_start)
                    elif isinstance(event, Ended):
                        yield from self._landed(event)
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

    def _landed(self, event: Ended) -> Iterator[Outcome]:
        flight = self._flights.pop(event.job, None)
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
        return ForkStarter(self._folder, self.threads, self.preload, self.reuse)

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

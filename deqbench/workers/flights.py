"""A job in flight: folder, limits, the sentence passed on it, and its outcome."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deqbench.records import Status
from deqbench.workers.child import EMITTED, FAILURE, JOB, RESULT, STDERR, STDOUT
from deqbench.workers.jobs import Job, Outcome
from deqbench.workers.processes import kernel_oom_kills
from deqbench.workers.resident import FamilyMemory
from deqbench.workers.starters import Ended

DETAIL_LINES, DETAIL_CHARACTERS = 30, 6000
OUTPUT_BYTES = 16 * 1024**2
"""A worker's output file is cut when it grows over this; what is printed later is kept."""

_GIB = 1024**3


def grace_seconds(limit: float) -> float:
    """Return how long after its limit a worker is killed.

    It is the time a trial that looks at the clock gets to end by itself, with its curves.

    Args:
        limit: The limit of wall time, in seconds.
    """
    return min(1.0, limit / 4)


@dataclass
class Flight:
    """One job from its start to its outcome."""

    job: Job
    number: int
    folder: Path
    started: float | None = None  # monotonic
    memory: FamilyMemory | None = None
    sentence: tuple[Status, str] | None = None
    _oom_kills: int = field(default_factory=kernel_oom_kills)

    def prepare(self) -> None:
        """Write the job into its folder."""
        self.folder.mkdir()
        request = {"target": self.job.target, "payload": dict(self.job.payload)}
        (self.folder / JOB).write_text(json.dumps(request), encoding="utf-8")

    def begin(self, pid: int) -> None:
        """Start the job's clock.

        Args:
            pid: The worker.
        """
        self.started = time.monotonic()
        self.memory = FamilyMemory(pid)

    def judge(self, now: float) -> None:
        """Pass sentence if a limit is passed.

        Args:
            now: Monotonic time.
        """
        if self.sentence is not None or self.started is None or self.memory is None:
            return
        if (self.folder / RESULT).exists():
            return  # it is on its way out
        seconds, allowed = self.job.limits.seconds, self.job.limits.memory_bytes
        resident = self.memory.resident_bytes(now)
        if seconds is not None and now - self.started > seconds + grace_seconds(seconds):
            self.sentence = (Status.TIMEOUT, f"passed its limit of {seconds:g} s and was stopped")
        elif allowed is not None and resident > allowed and self.memory.exceeds(allowed, now):
            held, limit = resident / _GIB, allowed / _GIB
            reason = f"held {held:.3g} GiB of memory, over its limit of {limit:.3g} GiB"
            self.sentence = (Status.OUT_OF_MEMORY, reason)

    def yield_memory(self, shortage: str) -> None:
        """Pass sentence because the machine runs out of memory and this is its largest worker.

        Args:
            shortage: How little is left.
        """
        if self.sentence is None:
            reason = f"held {self.resident_bytes / _GIB:.3g} GiB of memory when {shortage}"
            self.sentence = (Status.OUT_OF_MEMORY, reason)

    @property
    def resident_bytes(self) -> int:
        """Resident memory of the worker and all it started, now."""
        return self.memory.resident_bytes(time.monotonic()) if self.memory is not None else 0

    @property
    def peak_bytes(self) -> int | None:
        """Largest resident memory seen of the worker and all it started."""
        return self.memory.peak_bytes if self.memory is not None else None

    def trim_output(self) -> None:
        """Cut output files that grew too large."""
        for path in (self.folder / STDOUT, self.folder / STDERR):
            with contextlib.suppress(OSError):
                if path.stat().st_size > OUTPUT_BYTES:
                    os.truncate(path, 0)

    def outcome(self, ended: Ended) -> Outcome:
        """Return the outcome of a worker that has ended: what it returned, or how it failed."""
        facts = Outcome(
            self.job,
            wall_seconds=ended.seconds,
            emitted=self.emitted(),
            peak_bytes=max(self.peak_bytes or 0, ended.peak_bytes or 0) or None,
        )
        returned = _read_json(self.folder / RESULT)
        # A sentence stands: asking a worker where it hangs interrupts what it waits for.
        if returned is not None and self.sentence is None:
            return replace(facts, result=returned["result"], imported=tuple(returned["imported"]))
        status, reason = self.sentence or self._verdict(ended.code)
        name = _signal_name(-ended.code) if ended.code < 0 else None
        return replace(facts, status=status, reason=reason, signal=name, detail=self.detail())

    def _verdict(self, code: int) -> tuple[Status, str]:
        failure = _read_json(self.folder / FAILURE)
        if failure is not None:
            if failure["interrupted"]:
                return Status.INTERRUPTED, failure["reason"]
            return (Status.OUT_OF_MEMORY if failure["out_of_memory"] else Status.ERROR), failure["reason"]
        if code >= 0:
            return Status.ERROR, f"its process ended without a result, with exit code {code}"
        if -code == getattr(signal, "SIGKILL", 9) and kernel_oom_kills() > self._oom_kills:
            return Status.OUT_OF_MEMORY, "was killed by the kernel, which had run out of memory"
        name = _signal_name(-code)
        with contextlib.suppress(ValueError):
            name += f" ({signal.strsignal(-code)})"
        return Status.KILLED, f"its process was ended by {name}"

    def emitted(self) -> tuple[Any, ...]:
        """Return what the worker emitted; a line it was writing when it ended is left out."""
        try:
            lines = (self.folder / EMITTED).read_bytes().split(b"\n")[:-1]
        except OSError:
            return ()
        return tuple(json.loads(line) for line in lines)

    def detail(self) -> str | None:
        """Return the last lines of the worker's standard error."""
        try:
            with (self.folder / STDERR).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 64 * 1024))
                text = file.read().decode("utf-8", errors="replace")
        except OSError:
            return None
        # faulthandler ends its report with one line naming every loaded extension module.
        lines = [line for line in text.splitlines() if not line.startswith("Extension modules:")]
        return "\n".join(lines[-DETAIL_LINES:])[-DETAIL_CHARACTERS:].strip() or None


def lost(flight: Flight, status: Status, reason: str, detail: str | None) -> Outcome:
    """Return the outcome of a job whose worker can no longer be asked.

    Args:
        flight: The job in flight.
        status: What to record.
        reason: Why, one sentence.
        detail: More about it; the worker's own last lines come first.
    """
    seconds = 0.0 if flight.started is None else time.monotonic() - flight.started
    lines = "\n".join(filter(None, [flight.detail(), detail])) or None
    return Outcome(
        flight.job,
        status=status,
        reason=reason,
        detail=lines,
        wall_seconds=seconds,
        emitted=flight.emitted(),
        peak_bytes=flight.peak_bytes,
    )


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

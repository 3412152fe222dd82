"""Workers in fresh interpreters, for systems where a process that has torch loaded cannot be forked."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from deqbench.workers.child import STARTED
from deqbench.workers.processes import kill_tree, worker_environment
from deqbench.workers.starters import CLOSING_SECONDS, Ended, Event, Started, interpreter_command


class _Worker(NamedTuple):
    process: subprocess.Popen[bytes]
    folder: Path


@dataclass
class SpawnStarter:
    """Gives each worker a fresh interpreter.

    Args:
        threads: Threads of each numerical library.
        modules: What a worker imports before its clock starts.
    """

    threads: int
    modules: Sequence[str]
    _workers: dict[int, _Worker] = field(default_factory=dict, init=False)
    _since: dict[int, float] = field(default_factory=dict, init=False)  # job -> start of its clock

    def open(self) -> None:  # noqa: D102 -- see Starter
        self._reading, self._lifeline = os.pipe()  # workers read; this process's end closes the pipe

    def preload(self, modules: Sequence[str]) -> None:  # noqa: D102 -- see Starter
        self.modules = [*self.modules, *modules]

    def start(self, job: int, folder: Path) -> None:  # noqa: D102 -- see Starter
        posix = os.name == "posix"
        line = self._reading if posix else -1
        process = subprocess.Popen(
            interpreter_command("deqbench.workers.child", str(folder), line, list(self.modules)),
            env=worker_environment(self.threads),
            pass_fds=[line] if posix else [],
            process_group=0 if posix else None,
        )
        self._workers[job] = _Worker(process, folder)

    def dump(self, job: int) -> None:  # noqa: D102 -- see Starter
        if job in self._since and sys.platform != "win32":
            self._workers[job].process.send_signal(signal.SIGUSR2)

    def kill(self, job: int) -> None:  # noqa: D102 -- see Starter
        if job in self._workers:
            kill_tree(self._workers[job].process.pid)

    def poll(self, timeout: float) -> list[Event]:  # noqa: D102 -- see Starter
        deadline = time.monotonic() + timeout
        while not (events := [*self._newly_started(), *self._newly_ended()]):
            if time.monotonic() >= deadline:
                break
            time.sleep(min(0.02, timeout))
        return events

    def _newly_started(self) -> list[Event]:
        waiting = [job for job in self._workers if job not in self._since]
        started = [job for job in waiting if (self._workers[job].folder / STARTED).exists()]
        self._since.update(dict.fromkeys(started, time.monotonic()))
        return [Started(job, self._workers[job].process.pid) for job in started]

    def _newly_ended(self) -> list[Event]:
        ended = [job for job, worker in self._workers.items() if _has_ended(worker.process)]
        return [self._reaped(job) for job in ended]

    def _reaped(self, job: int) -> Ended:
        process = self._workers.pop(job).process
        kill_tree(process.pid)  # what it started ends with it
        now = time.monotonic()
        return Ended(job, process.wait(), None, now - self._since.pop(job, now))

    def close(self) -> None:  # noqa: D102 -- see Starter
        for job in list(self._workers):
            self.kill(job)
        for job in list(self._workers):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._workers.pop(job).process.wait(CLOSING_SECONDS)
        os.close(self._lifeline)
        os.close(self._reading)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a process has ended, without reaping it where the system lets us peek."""
    if not hasattr(os, "waitid"):
        return process.poll() is not None
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # somebody else reaped it
        return True

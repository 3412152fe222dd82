"""Workers forked from the nursery: the pool's end of the channel."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deqbench.workers.processes import worker_environment
from deqbench.workers.starters import (
    CLOSING_SECONDS,
    Ended,
    Event,
    Started,
    StarterDiedError,
    interpreter_command,
)

STARTUP_SECONDS = 300.0
"""A nursery not ready by then counts as dead; torch from a cold network disk takes minutes."""


@dataclass
class ForkStarter:
    """Forks workers from a nursery process.

    Args:
        folder: The pool's folder; the nursery's own output goes there.
        threads: Threads of each numerical library.
        modules: What the nursery imports.
        reuse: Whether a worker that has returned takes the next job.
        ahead: Whether the worker of the next job is forked while this one starts.
    """

    folder: Path
    threads: int
    modules: Sequence[str]
    reuse: bool = False
    ahead: bool = False
    _buffer: bytes = field(default=b"", init=False)
    _ready: bool = field(default=False, init=False)

    def open(self) -> None:  # noqa: D102 -- see Starter
        self._channel, theirs = socket.socketpair()
        self._opened = time.monotonic()
        with theirs, self.log.open("ab") as log:
            self.process = subprocess.Popen(
                interpreter_command(
                    "deqbench.workers.nursery",
                    theirs.fileno(),
                    os.getpid(),
                    str(self.folder),
                    list(self.modules),
                    self.ahead,
                ),
                env=worker_environment(self.threads),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C on the terminal reaches the run, not its workers
            )

    @property
    def log(self) -> Path:
        """What the nursery itself printed."""
        return self.folder / "nursery.txt"

    def preload(self, modules: Sequence[str]) -> None:  # noqa: D102 -- see Starter
        self._ask("preload", list(modules))

    def start(self, job: int, folder: Path) -> None:  # noqa: D102 -- see Starter
        self._ask("start", job, str(folder), self.reuse)

    def dump(self, job: int) -> None:  # noqa: D102 -- see Starter
        self._ask("dump", job)

    def kill(self, job: int) -> None:  # noqa: D102 -- see Starter
        self._ask("kill", job)

    def _ask(self, *request: object) -> None:
        with contextlib.suppress(OSError):  # it is gone; the next poll says so
            self._channel.sendall(json.dumps(request).encode() + b"\n")

    def poll(self, timeout: float) -> list[Event]:  # noqa: D102 -- see Starter
        if not select.select([self._channel], [], [], timeout)[0]:
            if not self._ready and time.monotonic() - self._opened > STARTUP_SECONDS:
                raise StarterDiedError(f"The nursery was not ready after {STARTUP_SECONDS:g} s.")
            return []
        try:
            received = self._channel.recv(65536)
        except ConnectionError:
            received = b""
        if not received:
            raise StarterDiedError(self._last_words())
        *lines, self._buffer = (self._buffer + received).split(b"\n")
        messages = [json.loads(line) for line in lines]
        self._ready = self._ready or bool(messages)
        kinds = {"started": Started, "ended": Ended}
        return [kinds[name](*rest) for name, *rest in messages if name in kinds]

    def _last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(CLOSING_SECONDS)
        said = self.log.read_text(encoding="utf-8", errors="replace").strip()
        return f"The nursery ended with {self.process.returncode}.\n{said}".strip()

    def close(self) -> None:  # noqa: D102 -- see Starter
        self._channel.close()  # the nursery kills its workers and ends
        try:
            self.process.wait(CLOSING_SECONDS if self._ready else 0.0)
        except subprocess.TimeoutExpired:  # it imports still, or hangs; its workers die with it
            self.process.kill()
            self.process.wait()

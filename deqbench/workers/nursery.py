"""The nursery: a process that has torch loaded and forks one worker a job.

A fork from it costs milliseconds where a fresh interpreter costs the import of torch. It imports
nothing of a plugin, starts no thread and never touches CUDA, because neither survives a fork. It
alone reaps workers, so a process id it kills can never be a stranger's. When the pool's end of the
channel closes, however the pool ended, it kills every worker's group and every descendant that left
one, and ends.

Why not multiprocessing's forkserver: it imports ``__main__`` of unguarded scripts, and workers
inherit the pipe by which it notices its parent's death, so that a worker that hangs outlives a
killed run.

Channel, one JSON value a line. In: ``["start", id, folder]``, ``["dump", id]``, ``["kill", id]``.
Out: ``["ready"]``, ``["started", id, pid]``, ``["ended", id, exit code or -signal, peak bytes,
    seconds]``.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from deqbench.workers.child import finish, preload, run_job, settle
from deqbench.workers.processes import (
    adopt_orphans,
    adopted,
    die_with_parent,
    kill_group,
    kill_tree,
    new_group,
    outlive_parent,
)

JOB_VARIABLE = "DEQBENCH_JOB"
"""Environment variable that holds a worker's job number, to tell whose a stray process is."""

_KIB = 1024
_GLANCE_SECONDS = 0.5  # how often it looks whether its parent is still there, should the channel not tell


class Nursery:
    """Forks, watches and reaps workers.

    Args:
        channel: Stream socket to the pool.
        parent: Process id of the pool.
    """

    def __init__(self, channel: socket.socket, parent: int) -> None:
        self._channel = channel
        self._parent = parent
        self._workers: dict[int, tuple[int, float]] = {}  # pid -> job id, monotonic time of the fork
        self._buffer = b""

    def serve(self) -> None:
        """Answer requests until the pool is gone; then leave no process behind."""
        with _child_signals() as wakeup, selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ)
            selector.register(wakeup, selectors.EVENT_READ)
            self._tell("ready")
            while os.getppid() == self._parent:
                ready = [key.fileobj for key, _ in selector.select(_GLANCE_SECONDS)]
                if wakeup in ready:
                    wakeup.recv(4096)
                self._reap()
                if self._channel in ready and not self._answer():
                    return

    def _answer(self) -> bool:
        """Do what the channel asks; return whether it is still open."""
        try:
            received = self._channel.recv(65536)
        except ConnectionError:
            return False
        *lines, self._buffer = (self._buffer + received).split(b"\n")
        for line in lines:
            request, *rest = json.loads(line)
            getattr(self, f"_{request}")(*rest)
        return bool(received)

    def _start(self, job: int, folder: str) -> None:
        nursery, started = os.getpid(), time.monotonic()
        pid = os.fork()
        if pid == 0:
            self._become_worker(job, Path(folder), nursery)
        new_group(pid)
        self._workers[pid] = (job, started)
        self._tell("started", job, pid)

    def _become_worker(self, job: int, folder: Path, nursery: int) -> NoReturn:
        code = 1
        try:
            os.environ[JOB_VARIABLE] = str(job)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._channel.close()  # or the pool would not notice the nursery's death while a worker lives
            new_group()
            die_with_parent(nursery)
            settle(folder)
            code = run_job(folder)
        finally:
            finish(code)
        raise AssertionError  # os._exit does not return

    def _dump(self, job: int) -> None:
        for pid in self._pids(job):
            os.kill(pid, signal.SIGUSR2)

    def _kill(self, job: int) -> None:
        for pid in self._pids(job):
            kill_tree(pid)

    def _pids(self, job: int) -> list[int]:
        return [pid for pid, (number, _) in self._workers.items() if number == job]

    def _reap(self) -> None:
        while ended := _peek():
            if ended in self._workers:
                kill_group(ended)  # before its number is free: what it started ends with it
            _, status, usage = os.wait4(ended, 0)
            if ended in self._workers:
                job, started = self._workers.pop(ended)
                code = os.waitstatus_to_exitcode(status)
                self._tell("ended", job, code, usage.ru_maxrss * _KIB, time.monotonic() - started)
            self._kill_strays()

    def _kill_strays(self) -> None:
        """End descendants of workers that have ended: they left their group and lost their parent.

        What a worker starts carries the worker's job in its environment, unless it is a bare fork:
        whose that is cannot be told, so it ends when no worker runs.
        """
        running = {str(job) for job, _ in self._workers.values()}
        for pid, owner in adopted(JOB_VARIABLE):
            if pid not in self._workers and (not running or owner not in (None, *running)):
                kill_tree(pid)

    def _tell(self, *message: Any) -> None:
        with contextlib.suppress(OSError):  # the pool is gone; the next reading of the channel says so
            self._channel.sendall(json.dumps(message).encode() + b"\n")

    def close(self) -> None:
        """Kill every worker with all it started."""
        for pid in self._workers:
            kill_tree(pid)
        self._workers.clear()
        deadline = time.monotonic() + 2.0
        while time.monotonic() < deadline:  # strays of strays become ours as their parents end
            self._kill_strays()
            try:
                os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:  # none left
                return
            time.sleep(0.005)


def _peek() -> int:
    """Return the id of a child that has ended and keep it unreaped; 0 if there is none."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return 0
    return found.si_pid if found else 0


@contextlib.contextmanager
def _child_signals() -> Iterator[socket.socket]:
    """Yield a socket that becomes readable when a child ends."""
    wakeup, signalled = socket.socketpair()
    with wakeup, signalled:
        wakeup.setblocking(False)  # noqa: FBT003 -- the socket's signature
        signalled.setblocking(False)  # noqa: FBT003 -- as above
        signal.set_wakeup_fd(signalled.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        yield wakeup


def main(descriptor: int, parent: int, folder: str, modules: list[str]) -> NoReturn:
    """Be the nursery.

    Args:
        descriptor: Descriptor of the channel, inherited from the pool.
        parent: Process id of the pool.
        folder: The pool's folder, removed if the pool can no longer do so.
        modules: What to import before the first fork.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the pool's business
    adopt_orphans()
    die_with_parent(parent)  # while it imports it cannot listen
    preload(modules)
    outlive_parent()  # from here on its parent's end is noticed, and cleaned up after
    sys.stdout.flush()  # or every worker would print it again
    gc.collect()
    gc.freeze()  # keeps workers' collections off the shared pages
    nursery = Nursery(socket.socket(fileno=descriptor), parent)
    try:
        nursery.serve()
    finally:
        nursery.close()
        if os.getppid() != parent:
            shutil.rmtree(folder, ignore_errors=True)
        sys.stderr.flush()
        os._exit(0)

"""The nursery: a process that has torch loaded and forks one worker a job.

A fork from it costs milliseconds where a fresh interpreter costs the import of torch. It imports
nothing of a plugin, starts no thread and never touches CUDA, because neither survives a fork. It
alone reaps workers, so a process id it kills can never be a stranger's. When the pool's end of the
channel closes, however the pool ended, it kills every worker's group and every descendant that left
one, and ends.

Why not multiprocessing's forkserver: it imports ``__main__`` of unguarded scripts, and workers
inherit the pipe by which it notices its parent's death, so that a worker that hangs outlives a
killed run.

Asked to reuse workers, it hands a job to one that is idle, and forks only where there is none; one that
is killed, crashes or retires (``reusing``) is replaced with the next job. Else each job has a process that
never ran another; where a processor is free, it has been forked ahead, while the job before still loaded its
plugins (``spares``).

Channel, one JSON value a line. In: ``["start", id, folder, reuse]``, ``["dump", id]``, ``["kill", id]``,
``["preload", modules]``. Out: ``["ready"]``, ``["started", id, pid]``,
``["ended", id, exit code or -signal, peak bytes, seconds]``.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from deqbench.workers.child import finish, run_job, settle
from deqbench.workers.endings import child_signals, peek
from deqbench.workers.preloading import preload
from deqbench.workers.processes import (
    adopt_orphans,
    adopted,
    die_with_parent,
    kill_group,
    kill_tree,
    new_group,
    outlive_parent,
)
from deqbench.workers.reusing import JOB_VARIABLE, serve
from deqbench.workers.spares import Spare, wait_for_job

_KIB = 1024
_GLANCE_SECONDS = 0.5  # how often it looks whether its parent is still there, should the channel not tell


class Nursery:
    """Forks, watches and reaps workers.

    Args:
        channel: Stream socket to the pool.
        parent: Process id of the pool.
        ahead: Whether the worker of the next job is forked while this one starts.
    """

    def __init__(self, channel: socket.socket, parent: int, *, ahead: bool = False) -> None:
        self._channel = channel
        self._parent = parent
        self._ahead = ahead
        self._spare: Spare | None = None  # forked, and without a job
        self._workers: dict[int, tuple[int, float]] = {}  # pid -> job id, monotonic time of its start
        self._reused: dict[int, socket.socket] = {}  # pid -> channel, of workers that take several jobs
        self._doomed: set[int] = set()  # pids asked where they hang: they are not given another job
        self._buffer = b""

    def serve(self) -> None:
        """Answer requests until the pool is gone; then leave no process behind."""
        with child_signals() as wakeup, selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ)
            selector.register(wakeup, selectors.EVENT_READ)
            self._tell("ready")
            self._selector = selector
            while os.getppid() == self._parent:
                ready = [key.fileobj for key, _ in selector.select(_GLANCE_SECONDS)]
                for pid in [pid for pid, channel in self._reused.items() if channel in ready]:
                    self._hear(pid)
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

    def _preload(self, modules: list[str]) -> None:
        if self._spare is not None:
            self._spare.channel.close()  # it ends: it has not imported them
            self._spare = None
        preload(modules)
        _freeze()

    def _start(self, job: int, folder: str, reuse: bool) -> None:  # noqa: FBT001 -- as the channel names it
        started = time.monotonic()
        self._reap()  # or the job might be given to a worker that has ended
        if reuse:
            pid = next((pid for pid in self._reused if pid not in self._workers), None) or self._fork_reused()
            with contextlib.suppress(OSError):  # it has just ended; it is about to be reaped
                self._reused[pid].sendall(json.dumps([job, folder]).encode() + b"\n")
        else:
            pid = self._hand_over(job, folder) or self._fork(lambda: self._run_one(job, Path(folder)))
        self._workers[pid] = (job, started)
        self._tell("started", job, pid)
        if self._ahead and not reuse and self._spare is None:
            self._fork_spare()  # while the job loads its plugins, before it looks at a clock

    def _hand_over(self, job: int, folder: str) -> int | None:
        """Give the job to the spare process; return its id, or None where there is none."""
        spare, self._spare = self._spare, None
        return spare.take(job, folder) if spare is not None else None

    def _fork_spare(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:

            def work() -> None:
                ours.close()
                if given := wait_for_job(theirs):
                    self._run_one(*given)

            self._spare = Spare(self._fork(work), ours)

    def _fork_reused(self) -> int:
        ours, theirs = socket.socketpair()
        with theirs:
            pid = self._fork(lambda: serve(theirs))
        self._reused[pid] = ours
        self._selector.register(ours, selectors.EVENT_READ)
        return pid

    def _fork(self, work: Callable[[], object]) -> int:
        """Fork a worker; return its process id."""
        nursery = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_worker(nursery, work)
        new_group(pid)
        return pid

    def _become_worker(self, nursery: int, work: Callable[[], object]) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # Or neither the pool nor another worker would notice that the nursery is gone.
            for channel in (self._channel, *self._reused.values()):
                channel.close()
            new_group()
            die_with_parent(nursery)
            work()
        finally:
            finish(1)
        raise AssertionError  # os._exit does not return

    def _run_one(self, job: int, folder: Path) -> None:
        os.environ[JOB_VARIABLE] = str(job)
        settle(folder)
        finish(run_job(folder))

    def _hear(self, pid: int) -> None:
        """Note that a reused worker has done its job: it sends a newline each time."""
        try:
            # It does not wait: where the worker has ended, a child of its own may still hold the channel.
            said = self._reused[pid].recv(64, socket.MSG_DONTWAIT)
        except OSError:
            said = b""
        if not said:
            self._forget(pid)
        elif pid in self._doomed:  # the question woke it up, and it returned
            kill_tree(pid)
        elif pid in self._workers:
            job, started = self._workers.pop(pid)
            self._tell("ended", job, 0, None, time.monotonic() - started)
            self._kill_strays()

    def _forget(self, pid: int) -> None:
        if channel := self._reused.pop(pid, None):
            self._selector.unregister(channel)
            channel.close()

    def _dump(self, job: int) -> None:
        for pid in self._pids(job):
            self._doomed.add(pid)
            os.kill(pid, signal.SIGUSR2)

    def _kill(self, job: int) -> None:
        for pid in self._pids(job):
            kill_tree(pid)

    def _pids(self, job: int) -> list[int]:
        return [pid for pid, (number, _) in self._workers.items() if number == job]

    def _reap(self) -> None:
        while ended := peek():
            if ended in self._reused:
                self._hear(ended)
                self._forget(ended)
            if self._spare is not None and ended == self._spare.pid:
                self._spare.channel.close()
                self._spare = None
            if ended in self._workers:
                kill_group(ended)  # before its number is free: what it started ends with it
            self._doomed.discard(ended)
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
        for pid, owner in adopted(JOB_VARIABLE, self._own):
            if not running or owner not in (None, *running):
                kill_tree(pid)

    @property
    def _own(self) -> set[int]:
        """Every process that this one forked and has not reaped."""
        return {*self._workers, *self._reused, *([self._spare.pid] if self._spare else [])}

    def _tell(self, *message: Any) -> None:
        with contextlib.suppress(OSError):  # the pool is gone; the next reading of the channel says so
            self._channel.sendall(json.dumps(message).encode() + b"\n")

    def close(self) -> None:
        """Kill every worker with all it started."""
        for pid in self._own:
            kill_tree(pid)
        self._workers.clear()
        self._reused.clear()
        self._spare = None
        deadline = time.monotonic() + 2.0
        while time.monotonic() < deadline:  # strays of strays become ours as their parents end
            self._kill_strays()
            try:
                os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:  # none left
                return
            time.sleep(0.005)


def _freeze() -> None:
    sys.stdout.flush()  # or every worker would print it again
    gc.collect()
    gc.freeze()  # keeps workers' collections off the shared pages


def main(descriptor: int, parent: int, folder: str, modules: list[str], ahead: bool) -> NoReturn:  # noqa: FBT001 -- a JSON value
    """Be the nursery.

    Args:
        descriptor: Descriptor of the channel, inherited from the pool.
        parent: Process id of the pool.
        folder: The pool's folder, removed if the pool can no longer do so.
        modules: What to import before the first fork.
        ahead: Whether the worker of the next job is forked while this one starts.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the pool's business
    adopt_orphans()
    die_with_parent(parent)  # while it imports it cannot listen
    preload(modules)
    outlive_parent()  # from here on its parent's end is noticed, and cleaned up after
    _freeze()
    nursery = Nursery(socket.socket(fileno=descriptor), parent, ahead=ahead)
    try:
        nursery.serve()
    finally:
        nursery.close()
        if os.getppid() != parent:
            shutil.rmtree(folder, ignore_errors=True)
        sys.stderr.flush()
        os._exit(0)

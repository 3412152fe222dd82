"""Inside a worker: read a job's folder, call its target, write what came of it.

The folder is the whole interface between a worker and the pool: ``job.json`` is read;
``emitted.jsonl`` grows by a line a value; ``result.json`` or ``failure.json`` appears whole or not
at all; ``stdout.txt`` and ``stderr.txt`` hold the rest.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from deqbench.workers.preloading import imported_libraries, preload
from deqbench.workers.processes import (
    descendants,
    kill_group,
    kill_process,
    new_group,
    prefer_as_victim,
)

JOB, EMITTED, RESULT, FAILURE = "job.json", "emitted.jsonl", "result.json", "failure.json"
STDOUT, STDERR, STARTED = "stdout.txt", "stderr.txt", "started"


def run_job(folder: Path) -> int:
    """Call the job's target and write its result, or its failure, into the folder.

    Args:
        folder: The job's folder; standard output and error already lead into it.

    Returns:
        The exit code: 0 if the target returned a JSON value, otherwise 1.
    """
    request = json.loads((folder / JOB).read_text(encoding="utf-8"))
    try:
        with _emitter(folder / EMITTED) as emit:
            result = _load(request["target"])(request["payload"], emit)
        text = json.dumps({"result": result, "imported": imported_libraries()})
    except BaseException as error:  # noqa: BLE001 -- the worker's one border: everything becomes a row
        traceback.print_exc()
        write_atomically(folder / FAILURE, json.dumps(_described(error)))
        return 1
    write_atomically(folder / RESULT, text)
    return 0


def write_atomically(path: Path, text: str) -> None:
    """Write a file that is whole or absent, whenever this process ends."""
    temporary = path.with_suffix(".part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


class _emitter:  # noqa: N801 -- used as a verb: ``with _emitter(path) as emit``
    """Appends JSON lines with one unbuffered write each, so that a crash afterwards cannot lose them."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Callable[[Any], None]:
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return self._emit

    def _emit(self, value: Any) -> None:
        line = memoryview(json.dumps(value).encode() + b"\n")
        while line:
            line = line[os.write(self._file, line) :]

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


def _load(target: str) -> Callable[[Any, Callable[[Any], None]], Any]:
    module, _, name = target.partition(":")
    function: Callable[[Any, Callable[[Any], None]], Any] = getattr(importlib.import_module(module), name)
    return function


def _described(error: BaseException) -> dict[str, Any]:
    last = traceback.format_exception_only(error)[-1].strip()
    no_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return {
        "reason": last.splitlines()[0] if last else type(error).__name__,
        "out_of_memory": no_memory or "can't allocate memory" in str(error),
        "interrupted": isinstance(error, KeyboardInterrupt),
    }


def settle(folder: Path) -> None:
    """Make this process a worker: output in its folder, stacks on request, no core dumps.

    Args:
        folder: The job's folder.
    """
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 -- POSIX only

        prefer_as_victim()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash of a 10 GiB process must not fill the disk
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _redirect(0, os.devnull, os.O_RDONLY)
    # Appending, so that the pool can cut a file that grows without end.
    _redirect(1, folder / STDOUT, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    _redirect(2, folder / STDERR, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    faulthandler.enable(file=2)
    if sys.platform != "win32":
        faulthandler.register(signal.SIGUSR2, file=2, all_threads=True)  # how the pool asks where a job hangs


def _redirect(descriptor: int, path: str | Path, flags: int) -> None:
    opened = os.open(path, flags, 0o600)
    os.dup2(opened, descriptor)
    os.close(opened)


def finish(code: int) -> None:
    """End this process with what it printed written out, and without waiting for threads or exit handlers."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # closed by the job, or the disk is full
            continue
    os._exit(code)


def main(folder: str, lifeline: int, modules: Sequence[str]) -> None:
    """Be a worker in a fresh interpreter (start method ``spawn``).

    Args:
        folder: The job's folder.
        lifeline: Descriptor of a pipe that the pool holds open; its end is this group's end.
            Negative where a group cannot be killed (Windows).
        modules: What to import before the clock starts.
    """
    path = Path(folder)
    if lifeline >= 0:
        new_group()
        _post_guardian(lifeline, path)
    settle(path)
    preload(modules)
    (path / STARTED).touch()
    finish(run_job(path))


def _post_guardian(lifeline: int, folder: Path) -> None:
    """Fork a process that kills this one and all it started when the pool is gone.

    A thread could not, while C code holds the interpreter lock; the kernel's parent-death signal
    would spare grandchildren. It is forked before anything is imported, so it is small, and a fork
    is safe. It ends with the group, when the pool ends that.
    """
    worker = os.getpid()
    if os.fork() == 0:
        os.read(lifeline, 1)
        for pid in {worker, *descendants(worker)} - {os.getpid()}:  # those that left the group, too
            kill_process(pid)
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # the pool's folder; the last of its workers finds it empty
            folder.parent.rmdir()
        kill_group(worker)
    os.close(lifeline)

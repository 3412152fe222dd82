"""Inside a reused worker: one job after another, each finding the process as the first one did.

What is global and can be put back is put back between jobs. A worker whose state is in doubt, because its job
failed, left a process, a thread or much memory behind, or had torch compile something, ends with its job, and
the next one gets a new worker.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import socket
import sys
import threading
from pathlib import Path
from typing import NoReturn

import psutil

from deqbench.workers.child import finish, run_job, settle
from deqbench.workers.global_settings import Baseline
from deqbench.workers.module_state import ModuleState

JOB_VARIABLE = "DEQBENCH_JOB"
"""Environment variable that holds a worker's job number, to tell whose a stray process is."""

GROWTH_BYTES = 256 * 1024**2
"""A worker that holds this much more than at its start ends: the next job would find it as its own."""


def serve(channel: socket.socket) -> NoReturn:
    """Run the jobs that the nursery names on a channel, until it closes or this worker must be replaced.

    Args:
        channel: Stream socket to the nursery. In: ``[job, folder]``, one a line. Out: a newline once the job
            has returned and everything has been put back.
    """
    baseline, modules = Baseline(), ModuleState().watch()
    held = _resident_bytes()
    for line in channel.makefile("r", encoding="utf-8"):
        job, folder = json.loads(line)
        os.environ[JOB_VARIABLE] = str(job)
        settle(Path(folder))
        code = run_job(Path(folder))
        if code != 0 or _leaves_traces():
            finish(code)
        _flush()
        baseline.restore()
        modules.restore()
        _release_memory()
        if _resident_bytes() - held > GROWTH_BYTES:
            finish(code)
        with contextlib.suppress(OSError):  # the nursery is gone, and so is this process in a moment
            channel.sendall(b"\n")
    finish(0)
    raise AssertionError  # os._exit does not return


def _leaves_traces() -> bool:
    """Return whether the job left what cannot be put back."""
    if threading.active_count() > 1 or _has_children() or sys.stdout.closed or sys.stderr.closed:
        return True
    dynamo = sys.modules.get("torch._dynamo.utils")
    return dynamo is not None and any(dynamo.counters.values())  # compiled code, which others would find


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _flush() -> None:
    """Write out what the job printed, also from C, while its files are still open."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    ctypes.CDLL(None).fflush(None)


def _release_memory() -> None:
    """Give back what the job no longer needs: the growth that the next job measures is its own."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    with contextlib.suppress(AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def _resident_bytes() -> int:
    return int(psutil.Process().memory_info().rss)

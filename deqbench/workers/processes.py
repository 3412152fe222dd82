"""Process groups: how a worker binds its life to its parent's, and how a whole group is ended."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Collection
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36
_SIGKILL = 9  # the signal module has no such name on Windows

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""What the numerical libraries read when they are loaded; later is too late for some of them."""


def worker_environment(threads: int) -> dict[str, str]:
    """Return the environment of workers: fixed threads, and what makes numbers repeatable.

    Args:
        threads: Threads of each numerical library, >= 1.
    """
    return {
        **os.environ,
        **dict.fromkeys(THREAD_VARIABLES, str(threads)),
        "PYTHONHASHSEED": "0",  # the order of a set of strings decides the order of a floating-point sum
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # what cuBLAS asks for before it promises equal bits
        # scikit-learn imports pandas, which imports pyarrow where it is installed, whose allocator
        # starts a thread; the nursery must have none.
        "JE_ARROW_MALLOC_CONF": "background_thread:false",
        # Asking whether CUDA is there must not initialise it before a fork.
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    }


def new_group(pid: int = 0) -> None:
    """Make a process the leader of its own group.

    Parent and child both call it, so that neither can be too late.

    Args:
        pid: The process; 0 is this one.
    """
    with contextlib.suppress(OSError):  # it has ended, or has done so itself
        os.setpgid(pid, pid)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process the moment its parent ends.

    It does so even while C code holds the interpreter lock. Linux only; elsewhere nothing happens.
    The kernel watches the parent's thread that forked, and grandchildren do not inherit the wish.

    Args:
        parent: Process id that the parent had; if it is gone already, this process ends at once.
    """
    if _prctl(_PR_SET_PDEATHSIG, _SIGKILL) and os.getppid() != parent:
        os._exit(1)


def outlive_parent() -> None:
    """Take back :func:`die_with_parent`."""
    _prctl(_PR_SET_PDEATHSIG, 0)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that none can escape (Linux only)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> bool:
    """Return whether the kernel did as told; False where there is no such call."""
    if not sys.platform.startswith("linux"):
        return False
    return not bool(ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0))


def adopted(variable: str, known: Collection[int] = ()) -> list[tuple[int, str | None]]:
    """Return the children of this process, each with what its environment first held.

    Args:
        variable: The environment variable asked for; None is returned where it was not set.
        known: Children that are not asked.
    """
    found = []
    for pid in set(_children()).difference(known):
        with contextlib.suppress(psutil.Error, OSError):
            found.append((pid, psutil.Process(pid).environ().get(variable)))
    return found


def _children() -> list[int]:
    """Return this process's children; asking every process for its parent takes milliseconds."""
    try:
        listed = [path.read_text(encoding="ascii") for path in Path("/proc/self/task").glob("*/children")]
    except OSError:
        listed = []
    if listed:
        return [int(pid) for line in listed for pid in line.split()]
    return [child.pid for child in psutil.Process().children()]  # no /proc, or a kernel without these files


def prefer_as_victim() -> None:
    """Offer this process, not the harness, to the kernel if memory runs out (Linux only)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def kill_tree(leader: int) -> None:
    """Kill a process, its group if it leads one, and the living descendants that left it.

    Args:
        leader: The process, not reaped yet: its number could be another's.
    """
    strays = descendants(leader)
    kill_group(leader)
    for pid in (leader, *strays):
        kill_process(pid)


def kill_group(leader: int) -> None:
    """Kill a process group; on Windows, which has none, its leader alone.

    Args:
        leader: Process id of the group's leader, not reaped yet: its number could be another's.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError, psutil.Error):
        if sys.platform == "win32":
            psutil.Process(leader).kill()
        else:
            os.killpg(leader, _SIGKILL)


def kill_process(pid: int) -> None:
    """Kill one process, if it is still there.

    Args:
        pid: The process.
    """
    with contextlib.suppress(psutil.Error):
        psutil.Process(pid).kill()


def descendants(pid: int) -> list[int]:
    """Return the process ids of all descendants of a process, as far as their parents are alive."""
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


def kernel_oom_kills() -> int:
    """Return how many processes the kernel has killed for want of memory since boot; 0 if unknown."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0

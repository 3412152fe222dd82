"""What machine this is: the facts without which a time in a table means nothing.

Every fact is looked up by itself; one that cannot be had is left out or None, and stops nothing.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

import deqbench
from deqbench.errors import ConfigurationError
from deqbench.measuring.checkout import checkout_facts

if TYPE_CHECKING:
    import torch

LIBRARIES = ("deqbench", "torch", "numpy", "scipy", "scikit-learn", "pandas", "pluggy", "pydantic")
"""Distributions whose versions are recorded whether or not they offer plugins."""

_ENTRY_POINTS = "deqbench"
_SECONDS = 10.0  # what another program gets to answer
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def facts() -> dict[str, Any]:
    """Return what machine and which versions this process runs on, as JSON values.

    GPUs are asked of the driver, not of CUDA, so that the asking process holds no GPU memory.

    Returns:
        ``host``, ``os``, ``cpu``, ``memory``, ``gpus``, ``threads``, ``blas``, ``versions``,
        ``plugins`` (distribution to version) and ``checkout`` (git commit and whether it is dirty;
        None if deqbench was not imported from a checkout).
    """
    return {
        "host": socket.gethostname(),
        "os": platform.platform(),
        "cpu": _cpu(),
        "memory": {"total_bytes": psutil.virtual_memory().total, "limit_bytes": _memory_limit()},
        "gpus": _gpus(),
        "threads": _threads(),
        "blas": _blas(),
        "versions": {"python": platform.python_version(), **_versions(LIBRARIES)},
        "plugins": plugin_versions(),
        "checkout": checkout_facts(Path(str(deqbench.__file__))),
    }


def facts_job(payload: Mapping[str, Any], emit: Any) -> dict[str, Any]:  # noqa: ARG001 -- a job's signature
    """Return :func:`facts` as a worker sees them: its threads, its environment.

    Args:
        payload: Not used.
        emit: Not used.
    """
    return facts()


def resolve_device(device: str) -> str:
    """Return the device that ``auto`` stands for here; any other one as it is, if it is there.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ConfigurationError: It is something else, or CUDA is asked for and torch sees no such device.
    """
    if device == "cpu":
        return device
    if device != "auto" and device.partition(":")[0] != "cuda":
        raise ConfigurationError(f"Device '{device}' is unknown; give cpu, cuda, cuda:N or auto.")
    count = _cuda_devices()
    if device == "auto":
        return "cuda" if count else "cpu"
    index = device.partition(":")[2] or "0"
    if not index.isdecimal() or int(index) >= count:
        raise ConfigurationError(
            f"Device '{device}' was asked for, but torch sees {count or 'no'} CUDA device"
            f"{'' if count == 1 else 's'}; give --device cpu or auto, or install a torch built for CUDA."
        )
    return device


def device_name(device: str | torch.device) -> str:
    """Return the maker's name of a device.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``; a CUDA device is initialised by the asking.
    """
    if str(device).startswith("cuda"):
        import torch  # noqa: PLC0415 -- only where a CUDA device is named

        return str(torch.cuda.get_device_name(device))
    return _cpu_model()


def plugin_versions() -> dict[str, str]:
    """Return the version of every distribution that offers plugins, by its name, sorted."""
    offering = {entry.dist.name for entry in entry_points(group=_ENTRY_POINTS) if entry.dist is not None}
    return _versions(sorted(offering))


def _versions(names: tuple[str, ...] | list[str]) -> dict[str, str]:
    found = {}
    for name in names:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _cuda_devices() -> int:
    # NVML counts devices without initialising CUDA in this process.
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    import torch  # noqa: PLC0415 -- nobody who asks for the CPU pays for it

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _cpu() -> dict[str, Any]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "model": _cpu_model(),
        "architecture": platform.machine(),
        "cores": psutil.cpu_count(logical=False),
        "threads": psutil.cpu_count(),
        "usable": usable,  # fewer in a container or under taskset
        "load": psutil.getloadavg()[0],  # of the last minute: who else was measuring?
    }


@cache
def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if sys.platform == "darwin":
        return _said("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()
    return platform.processor() or platform.machine()


def _memory_limit() -> int | None:
    """Return the memory that a container allows, in bytes; None if it sets no limit."""
    for path in _CGROUP_LIMITS:
        with contextlib.suppress(OSError, ValueError):
            limit = int(Path(path).read_text(encoding="ascii"))  # "max" is no number
            if limit < psutil.virtual_memory().total:  # version 1 writes a huge number for none
                return limit
    return None


def _gpus() -> list[dict[str, Any]]:
    fields = ("name", "driver_version", "memory.total", "power.limit")
    said = _said("nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader")
    rows = [[part.strip() for part in line.split(",")] for line in said.splitlines()]
    keys = ("name", "driver", "memory", "power_limit")
    return [dict(zip(keys, row, strict=True)) for row in rows if len(row) == len(keys)]


def _threads() -> dict[str, Any]:
    import torch  # noqa: PLC0415 -- listing and help never come here

    set_here = {name: os.environ[name] for name in ("OMP_NUM_THREADS",) if name in os.environ}
    return {"torch": torch.get_num_threads(), "torch_interop": torch.get_num_interop_threads(), **set_here}


def _blas() -> dict[str, str | None]:
    import numpy as np  # noqa: PLC0415 -- as above
    import torch  # noqa: PLC0415 -- as above

    built = dict(
        part.strip().split("=", 1)
        for part in torch.__config__.show().partition("Build settings:")[2].split(",")
        if "=" in part
    )
    dependencies: Any = np.show_config(mode="dicts")
    numpy_blas = dependencies.get("Build Dependencies", {}).get("blas", {})
    return {
        "torch": built.get("BLAS_INFO"),
        "torch_cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "torch_cuda": torch.version.cuda,
        "numpy": " ".join(filter(None, [numpy_blas.get("name"), numpy_blas.get("version")])) or None,
    }


def _said(program: str, *arguments: str) -> str:
    """Return what another program prints; nothing if it is missing, fails or takes too long."""
    path = shutil.which(program)
    if path is None:
        return ""
    try:
        done = subprocess.run(
            [path, *arguments], capture_output=True, text=True, timeout=_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()

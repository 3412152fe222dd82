"""What starts workers, and what it reports: the same two events whichever way a worker is started."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

_BOOT = (
    "import json, sys; module, path, *rest = json.loads(sys.argv[1]); sys.path[:] = path; "
    "__import__(module, fromlist=['main']).main(*rest)"
)
# The path is handed over so that workers import what the pool's process would, installed or not.

CLOSING_SECONDS = 3.0
"""How long a process that was told to end is waited for."""


class Started(NamedTuple):
    """A worker runs; its clock starts now."""

    job: int
    pid: int


class Ended(NamedTuple):
    """A worker has ended: exit code, or minus the signal that ended it."""

    job: int
    code: int
    peak_bytes: int | None
    seconds: float


Event = Started | Ended


class StarterDiedError(Exception):
    """The process that starts workers is gone, and its workers with it."""


class Starter(Protocol):
    """Starts, signals and reaps workers."""

    def open(self) -> None:
        """Get ready to start workers, without waiting."""

    def preload(self, modules: Sequence[str]) -> None:
        """Have workers that are started from now on find these imported, too."""

    def start(self, job: int, folder: Path) -> None:
        """Start a worker for the job in this folder."""

    def dump(self, job: int) -> None:
        """Ask the worker to write its stacks to its standard error."""

    def kill(self, job: int) -> None:
        """Kill the worker and all it started."""

    def poll(self, timeout: float) -> list[Event]:
        """Return what has happened, waiting at most ``timeout`` seconds for the first event.

        Raises:
            StarterDiedError: The nursery is gone.
        """

    def close(self) -> None:
        """Kill all workers and return when they are gone."""


def interpreter_command(module: str, *arguments: object) -> list[str]:
    """Return the command line that calls ``module.main(*arguments)`` with this process's import path.

    Args:
        module: An importable module.
        *arguments: JSON values.
    """
    path = [entry or os.getcwd() for entry in sys.path]  # noqa: PTH109 -- sys.path holds text
    return [sys.executable, "-c", _BOOT, json.dumps([module, path, *arguments])]

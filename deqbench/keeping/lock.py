"""One writer a run folder: a lock that the kernel drops when its holder dies, however it dies."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from deqbench.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

if sys.platform == "win32":
    import msvcrt

    def _claim(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _claim(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class RunLock:
    """Held by the run that writes a folder; a second one is refused, naming the first's process.

    A lock file that only held a process id would go stale after kill -9 and lie once the id is
    reused; the kernel's lock does neither. The id stands in the file for the message alone. The
    descriptor is closed on exec, so no worker inherits the lock.

    Args:
        folder: The run's folder; it is made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / ".lock"
        self._descriptor: int | None = None

    def __enter__(self) -> RunLock:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError(
                f"{self.path.parent} cannot be written: {error}. Name another folder with --out."
            ) from error
        try:
            _claim(descriptor)
        except OSError as error:
            os.close(descriptor)
            raise StoreError(self._refusal()) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # The file stays: a third run could otherwise lock a new file while a second holds the old.
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _refusal(self) -> str:
        holder = self.path.read_text(encoding="utf-8").strip() or "unknown"
        return (
            f"Another run is writing {self.path.parent} (process {holder}). "
            "Wait for it to end, or name another folder with --out."
        )

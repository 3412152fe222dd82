"""The one stopwatch: monotonic, paused during evaluation, the device synchronised at each reading."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def synchronise(device: str | torch.device) -> None:
    """Wait until the device has done all work that was given to it; nothing to wait for on the CPU."""
    if str(device).startswith("cuda"):
        import torch  # noqa: PLC0415 -- the CPU clock must not cost an import of torch

        torch.cuda.synchronize(device)


class Stopwatch:
    """Wall and CPU seconds of the stretches between :meth:`start` and :meth:`stop`.

    Kernels run asynchronously, so every reading and every start or stop first synchronises the
    device: work given before a pause is charged to the stretch that gave it, and a pause pays for
        its own.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:0``, as text or as a torch device.
    """

    def __init__(self, device: str | torch.device = "cpu") -> None:
        self.device = device
        self._wall = 0.0
        self._cpu = 0.0
        self._since: tuple[float, float] | None = None

    @property
    def running(self) -> bool:
        """Whether time is being counted."""
        return self._since is not None

    def start(self) -> Stopwatch:
        """Count from now on, adding to what was counted; no effect when it runs already."""
        if self._since is None:
            synchronise(self.device)
            self._since = (time.perf_counter(), time.process_time())
        return self

    def stop(self) -> float:
        """Stop counting and return the wall seconds counted so far."""
        self._wall, self._cpu = self._read()
        self._since = None
        return self._wall

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out what happens inside; a watch that stood before stands afterwards, so pauses nest."""
        was_running = self.running
        self.stop()
        try:
            yield
        finally:
            if was_running:
                self.start()

    @property
    def seconds(self) -> float:
        """Wall seconds counted so far."""
        return self._read()[0]

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds of this process counted so far, all its threads; a GPU's are not in them."""
        return self._read()[1]

    def _read(self) -> tuple[float, float]:
        if self._since is None:
            return self._wall, self._cpu
        synchronise(self.device)
        wall, cpu = self._since
        return self._wall + time.perf_counter() - wall, self._cpu + time.process_time() - cpu

"""Resident memory: of a worker and all it started, and what the machine has left."""

from __future__ import annotations

from dataclasses import dataclass, field

import psutil

RESERVE = 0.03
"""Share of the machine's memory below which the largest worker is stopped, limit or none."""

_GIB = 1024**3
_FAMILY_SECONDS = 1.0  # how often the worker's children are looked up: that walks all of /proc
_FIRST_SECONDS = 0.25  # when they are looked up first: a job of milliseconds is not worth it


@dataclass
class FamilyMemory:
    """Watches one worker's memory.

    Cheap enough to be asked twenty times a second beside a measurement.

    Attributes:
        pid: The worker.
        peak_bytes: The largest sum seen.
    """

    pid: int
    peak_bytes: int = 0
    _family: list[psutil.Process] = field(default_factory=list)
    _due: float | None = None

    def resident_bytes(self, now: float) -> int:
        """Return the sum of resident memory of the worker and all it started.

        Pages that they share count more than once.

        Args:
            now: Monotonic time.
        """
        if self._due is None:
            self._family, self._due = _family(self.pid, alone=True), now + _FIRST_SECONDS
        elif now > self._due:
            self._family, self._due = _family(self.pid), now + _FAMILY_SECONDS
        resident = sum(_resident_bytes(process) for process in self._family)
        self.peak_bytes = max(self.peak_bytes, resident)
        return resident

    def exceeds(self, limit: int, now: float) -> bool:
        """Return whether memory is over a limit, shared pages counted once.

        Counting them once walks every mapping, so it is done only where the cheap sum is over the
        limit and there are children to share with.

        Args:
            limit: Bytes.
            now: Monotonic time.
        """
        if self.resident_bytes(now) <= limit:
            return False
        if len(self._family) < 2:
            return True
        return sum(_proportional_bytes(process) for process in self._family) > limit


def shortage(reserve: float = RESERVE) -> str | None:
    """Return a sentence if the machine is nearly out of memory, before it swaps or the kernel kills.

    Args:
        reserve: The share of all memory that must stay available.
    """
    memory = psutil.virtual_memory()
    if memory.available >= reserve * memory.total:
        return None
    return f"less than {reserve:.0%} of the machine's {memory.total / _GIB:.3g} GiB were available"


def _family(pid: int, *, alone: bool = False) -> list[psutil.Process]:
    try:
        leader = psutil.Process(pid)
        return [leader] if alone else [leader, *leader.children(recursive=True)]
    except psutil.Error:  # it has ended
        return []


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _proportional_bytes(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
    except psutil.Error:
        return 0
    return int(getattr(full, "pss", full.rss))  # only Linux divides shared pages

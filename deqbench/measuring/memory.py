"""How much memory a stretch of code took at its peak, and how that was measured.

On the CPU it is growth of resident memory: torch, its libraries and the data loaded before are not
charged. On CUDA it is the allocator's peak, which is exact for tensors and blind to the CUDA
context.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import torch

_KIB = 1024
_RESET_PEAK = "5"
"""What resets VmHWM when written to clear_refs; source: the Linux manual page proc_pid_clear_refs(5)."""


class PeakMemory:
    """Context manager that knows the peak of what ran inside it.

    Attributes:
        method: How the number came about:
            ``cuda allocator``: peak of allocated bytes on the device, tensors alive before
            included;
            ``resident high-water mark, reset``: VmHWM reset at entry, less the resident memory at
            entry (Linux);
            ``resident high-water mark, not reset``: growth of the process's lifetime peak, a lower
            bound: memory that fits below an earlier peak is not seen.

    Args:
        device: ``cpu`` or ``cuda``, as text or as a torch device.
    """

    def __init__(self, device: str | torch.device = "cpu") -> None:
        self.device = device
        self.method = ""
        self._base = 0
        self._peak: int | None = None

    def __enter__(self) -> PeakMemory:
        self._peak = None
        if self._on_cuda:
            import torch  # noqa: PLC0415 -- only where a CUDA device is named

            torch.cuda.reset_peak_memory_stats(self.device)
            self.method = "cuda allocator"
        elif _reset_high_water_mark():
            self.method = "resident high-water mark, reset"
            self._base = int(psutil.Process().memory_info().rss)
        else:
            self.method = "resident high-water mark, not reset"
            self._base = _high_water_mark()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._peak = self._read()

    @property
    def peak_bytes(self) -> int:
        """Peak so far, or of the whole stretch once it has been left; bytes, >= 0."""
        return self._read() if self._peak is None else self._peak

    @property
    def _on_cuda(self) -> bool:
        return str(self.device).startswith("cuda")

    def _read(self) -> int:
        if self._on_cuda:
            import torch  # noqa: PLC0415 -- as above

            return int(torch.cuda.max_memory_allocated(self.device))
        return max(0, _high_water_mark() - self._base)


def _reset_high_water_mark() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text(_RESET_PEAK, encoding="ascii")
    except OSError:  # no /proc, or a kernel built without page monitoring
        return False
    return True


def _high_water_mark() -> int:
    """Return the largest resident memory of this process, in bytes, since its start or the last reset."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return _lifetime_peak()
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), None)
    return int(line.split()[1]) * _KIB if line else _lifetime_peak()


def _lifetime_peak() -> int:
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource  # noqa: PLC0415 -- POSIX only

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KIB  # macOS counts bytes, Linux KiB

"""The arithmetic of a trial: number type, device, threads, determinism; put back afterwards."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from deqbench.errors import ConfigurationError
from deqbench.interfaces import Split, Splits

if TYPE_CHECKING:
    from collections.abc import Mapping

_filling: Any = torch.utils.deterministic
"""The module that holds ``fill_uninitialized_memory``, a property that type checkers cannot see."""

DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class Arithmetic:
    """How a trial computes.

    Attributes:
        dtype: Number type of parameters, inputs and states.
        device: Where they live.
        threads: Threads of one torch operation on the CPU.
    """

    dtype: torch.dtype
    device: torch.device
    threads: int

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Arithmetic:
        """Read it from a trial's settings.

        Raises:
            ConfigurationError: The device is not there.
        """
        device = torch.device(settings["device"])
        if device.type == "cuda" and not torch.cuda.is_available():
            raise ConfigurationError("Device 'cuda' was asked for, but torch sees none. Use --device cpu.")
        if device.type == "cuda":
            # cuBLAS is deterministic only with a fixed workspace, chosen before its first call.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        return cls(DTYPES[settings["dtype"]], device, int(settings["threads"]))

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Compute so inside the context; everything global is put back after it.

        An operation that has no deterministic form runs as it is, without a warning: the harness cannot
        choose a plugin's operations. All of ours are deterministic on the CPU.
        """
        before = (
            torch.get_default_dtype(),
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            _filling.fill_uninitialized_memory,
        )
        torch.set_default_dtype(self.dtype)
        torch.set_num_threads(self.threads)
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
        # Filling every fresh tensor with NaN would be charged to whoever allocates most.
        _filling.fill_uninitialized_memory = False
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*does not have a deterministic implementation.*")
                yield
        finally:
            torch.set_default_dtype(before[0])
            torch.set_num_threads(before[1])
            torch.use_deterministic_algorithms(before[2])
            _filling.fill_uninitialized_memory = before[3]

    def place(self, splits: Splits) -> Splits:
        """Return the splits on the trial's device, inputs and real targets in its dtype."""
        train, val, test = map(self._placed, (splits.train, splits.val, splits.test))
        return replace(splits, train=train, val=val, test=test)

    def _placed(self, split: Split) -> Split:
        y = split.y.to(self.device, self.dtype) if split.y.is_floating_point() else split.y.to(self.device)
        return Split(split.x.to(self.device, self.dtype), y)

"""What is global to a process and can be put back: generators, number types, threads, filters, handlers.

A reused worker takes a :class:`Baseline` before its first job and returns to it after each, so that a job
finds what a freshly forked process would.
"""

from __future__ import annotations

import decimal
import gc
import locale
import logging
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

Setting = tuple[Callable[[], Any], Callable[[Any], object]]
"""How a global thing is read, and how it is set."""


class Baseline:
    """The global settings of this process as they are now.

    Libraries that are not imported yet are left alone: nothing is imported for it.
    """

    def __init__(self) -> None:
        self._values = [(write, read()) for read, write in _settings()]

    def restore(self) -> None:
        """Put everything back."""
        for write, value in self._values:
            write(value)


def _settings() -> Iterator[Setting]:
    yield from _of_the_process()
    yield from _of_python()
    if "numpy" in sys.modules:
        yield from _of_numpy()
    if "torch" in sys.modules:
        yield from _of_torch()


def _of_the_process() -> Iterator[Setting]:
    yield os.getcwd, os.chdir
    yield _umask, os.umask
    yield lambda: dict(os.environ), _set_environment
    yield _handlers, _set_handlers
    yield lambda: locale.setlocale(locale.LC_ALL), lambda value: locale.setlocale(locale.LC_ALL, value)


def _of_python() -> Iterator[Setting]:
    yield random.getstate, random.setstate
    yield lambda: list(sys.path), lambda value: sys.path.__setitem__(slice(None), value)
    yield lambda: list(sys.argv), lambda value: sys.argv.__setitem__(slice(None), value)
    for name in ("stdin", "stdout", "stderr", "excepthook", "displayhook"):
        yield _attribute(sys, name)
    yield sys.getrecursionlimit, sys.setrecursionlimit
    yield sys.gettrace, sys.settrace
    yield gc.isenabled, lambda value: gc.enable() if value else gc.disable()
    yield lambda: warnings.filters[:], _set_filters
    yield decimal.getcontext().copy, decimal.setcontext
    root = logging.getLogger()
    yield lambda: root.level, root.setLevel
    yield lambda: root.handlers[:], lambda value: root.handlers.__setitem__(slice(None), value)
    yield lambda: logging.root.manager.disable, logging.disable


def _of_numpy() -> Iterator[Setting]:
    import numpy as np  # noqa: PLC0415  only where it is loaded already

    yield np.random.get_state, np.random.set_state
    yield np.geterr, lambda value: np.seterr(**value)


def _of_torch() -> Iterator[Setting]:
    import torch  # noqa: PLC0415  as above

    yield torch.get_rng_state, torch.set_rng_state
    yield torch.get_default_dtype, torch.set_default_dtype
    yield lambda: None, torch.set_default_device  # None is the CPU, and takes its mode off the stack
    yield torch.get_num_threads, torch.set_num_threads
    yield torch.is_grad_enabled, torch.set_grad_enabled
    yield torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode
    yield _attribute(torch.utils.deterministic, "fill_uninitialized_memory")
    yield torch.get_float32_matmul_precision, torch.set_float32_matmul_precision
    yield torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly
    for name in ("benchmark", "deterministic"):
        yield _attribute(torch.backends.cudnn, name)
    yield lambda: False, torch.set_flush_denormal  # torch cannot be asked; workers start without


def _attribute(owner: Any, name: str) -> Setting:
    return lambda: getattr(owner, name), lambda value: setattr(owner, name, value)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _set_environment(value: dict[str, str]) -> None:
    if dict(os.environ) != value:
        os.environ.clear()
        os.environ.update(value)


def _set_filters(value: list[Any]) -> None:
    # The registries of what was warned of before are not touched: they change what is printed, no number.
    with warnings.catch_warnings():
        warnings.resetwarnings()  # tells the C code that filters have changed
    warnings.filters[:] = value  # type: ignore[index]  # typeshed calls it a sequence; it is a list


def _handlers() -> dict[signal.Signals, Any]:
    return {number: signal.getsignal(number) for number in signal.valid_signals() if _settable(number)}


def _settable(number: signal.Signals) -> bool:
    unsettable = {getattr(signal, name, None) for name in ("SIGKILL", "SIGSTOP", "SIGUSR2")}
    return number not in unsettable  # SIGUSR2 is faulthandler's


def _set_handlers(value: dict[signal.Signals, Any]) -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0.0)
    for number, handler in value.items():
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)

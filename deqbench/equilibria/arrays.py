"""The numbers of tensors as arrays, and arithmetic on them that warns of nothing.

A search that diverges overflows, and that is a finding. numpy keeps what it does about overflow in a context
variable, so a context in which it does nothing is made once. Entering a copy of it costs a third of
``numpy.errstate``, and a tenth between two calls of a map, which leave little of anybody's code in the
processor's caches.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any, ParamSpec, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SHARED_BYTES = 2**19
"""Bytes of scratch that every thread keeps."""
MOST_ROOMS = 64
"""Shapes of scratch that a thread remembers."""


class _Scratch(threading.local):
    """One piece of memory for each thread, and the arrays that were carved of it."""

    def __init__(self) -> None:
        self.memory: NDArray[Any] = torch.empty(SHARED_BYTES, dtype=torch.uint8).numpy()
        self.rooms: dict[tuple[Any, ...], NDArray[Any]] = {}


_scratch = _Scratch()

P = ParamSpec("P")
R = TypeVar("R")

_SILENT = Context()
_SILENT.run(np.seterr, all="ignore")


def numbers(x: Tensor) -> NDArray[Any]:
    """Return the numbers of a tensor on the CPU; a view of its memory, where it has these numbers."""
    try:
        return x.numpy()
    except RuntimeError:  # it has a graph, or is negated lazily: asking first would cost every look
        return x.numpy(force=True)


def scratch(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array to write to at once: whoever asks next in this thread may be given the same memory.

    It begins with a cache line. numpy's own begin at any multiple of 16 bytes; what is written to one that
    straddles every line costs twice the time.
    """
    rooms = _scratch.rooms
    room = rooms.get((shape, dtype))
    if room is None:
        size = math.prod(shape) * dtype.itemsize
        if size > SHARED_BYTES:
            return torch.empty(size, dtype=torch.uint8).numpy().view(dtype).reshape(shape)
        if len(rooms) == MOST_ROOMS:
            rooms.clear()
        room = rooms[shape, dtype] = _scratch.memory[:size].view(dtype).reshape(shape)
    return room


def quiet(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function, within which numpy warns of no overflow, underflow, division by 0 or NaN.

    It is for small functions of arrays: within it every other context variable has its default.
    """

    @functools.wraps(function)
    def silent(*args: P.args, **kwargs: P.kwargs) -> R:
        # A context is entered by one thread at a time; a copy costs nothing to speak of.
        return _SILENT.copy().run(function, *args, **kwargs)

    return silent

"""Memory of a search that has ended, for the next one: a page touched first costs as much as a sum over it.

A search of ten calls on a small batch would else spend a tenth of its time in the operating system. What is
kept holds no numbers that anybody reads, and is bounded; larger pieces are left to the allocator.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

LEAST_BYTES, MOST_BYTES = 2**16, 2**24
"""Size of a piece that is kept for the next search."""
LINE = 64
"""Bytes of a cache line, which every array begins with: writing to one that straddles lines costs double."""
PIECES, SIZES = 2, 8
"""Pieces kept of one size, and sizes of which any are kept."""

_spare: dict[int, deque[NDArray[Any]]] = {}


def forget() -> None:
    """Give all memory back that is kept."""
    _spare.clear()


class Lent:
    """An array that nobody has written to yet, of memory that may have been another's.

    Args:
        shape: Of the array.
        dtype: Of the array.

    Attributes:
        array: Its memory is used again once this is gone, if then no view of it is left.
        kept: Whether it is; a search that goes on with less memory had better give it back.
    """

    __slots__ = ("array", "kept", "memory")

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        try:
            self.memory = _spare[size + LINE].pop()
        except (KeyError, IndexError):
            self.memory = np.empty(size + LINE, np.uint8)
        self.kept = True
        begin = -self.memory.__array_interface__["data"][0] % LINE
        self.array: Any = self.memory[begin : begin + size].view(dtype).reshape(shape)

    def __del__(self) -> None:
        memory, self.array = self.memory, None
        # Three: the attribute, this name, and the argument of the question. A view would be one more.
        unseen = self.kept and sys.getrefcount(memory) == 3
        if unseen and LEAST_BYTES <= memory.nbytes - LINE <= MOST_BYTES:
            _spare.setdefault(memory.nbytes, deque(maxlen=PIECES)).append(memory)
            while len(_spare) > SIZES:
                _spare.pop(next(iter(_spare)), None)

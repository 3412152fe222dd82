"""Anderson's history of a batch on the CPU: in one piece of memory, read in one sweep.

A product with all columns, or a combination, is one operation of numpy on memory that nobody copied; the
same on a tuple of tensors is one for each column, and each writes out what is only to be summed.
The tape is a loop: a column that is dropped gives its place to the next but one. It is a copy that is written
to where somebody still holds what would be lost, so whoever holds a tape sees no change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from deqbench.equilibria.arrays import numbers, quiet
from deqbench_plugins.solvers.lent import Lent
from deqbench_plugins.solvers.small_systems import solution

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray
    from torch import Tensor

NOT_ZERO = 1e-300
"""What a column's square is raised by, so that a column of zeros gets the weight zero."""


class _Loop:
    """Memory for columns, how many were ever written, and the tapes that lie there.

    Attributes:
        bends: Changes of the gap f(z) - z, (n, B, d).
        moves: Changes of f(z), likewise.
        written: Columns written so far.
        tapes: How many lie here and are alive.
    """

    __slots__ = ("bends", "lent", "moves", "tapes", "written")

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike, written: int) -> None:
        self.lent, self.written = Lent((2, *shape), dtype), written
        self.bends, self.moves = self.lent.array
        self.tapes = 0

    def __del__(self) -> None:
        del self.bends, self.moves  # before the memory is asked who sees it

    def copied(self, written: int, rows: NDArray[Any] | slice) -> _Loop:
        """Return a loop with what some samples have in each place, as if no more had been written."""
        count = len(self.bends[0, rows])
        other = _Loop((len(self.bends), count, self.bends.shape[2]), self.bends.dtype, written)
        other.bends[...], other.moves[...] = self.bends[:, rows], self.moves[:, rows]
        return other


class Tape:
    """The last gap f(z) - z, the last f(z), and the changes of both before; like a tuple, it never changes.

    Args:
        gap: (B, d).
        value: f(z), (B, d).
        gram: The bends' products by place, before the newest came, (B, m, m) float64; None: none were.
        loop: Where the columns lie; None: there are none yet.
        first: Number of the oldest, as they were written.
        last: Number behind that of the newest.
    """

    __slots__ = ("first", "gap", "gram", "last", "loop", "value")

    def __init__(  # noqa: PLR0913, PLR0917 -- all that a step needs
        self,
        gap: NDArray[Any],
        value: NDArray[Any],
        gram: NDArray[Any] | None = None,
        loop: _Loop | None = None,
        first: int = 0,
        last: int = 0,
    ) -> None:
        self.gap, self.value, self.gram = gap, value, gram
        self.loop, self.first, self.last = loop, first, last
        if loop is not None:
            loop.tapes += 1

    def __del__(self) -> None:
        if self.loop is not None:
            self.loop.tapes -= 1

    def __len__(self) -> int:
        return self.last - self.first

    @quiet
    def mixed(self, damping: float, ridge: float) -> tuple[Tensor, NDArray[Any] | None]:
        """Return where the columns lead, (B, d), and their products, (B, m, m) float64, for the next tape.

        Args:
            damping: Share of the mixed gap that is added.
            ridge: Factor of each bend's own square in the least squares, > 1.
        """
        start = self.value if damping == 1 else self.value + (damping - 1) * self.gap
        if self.loop is None:
            return torch.from_numpy(start), None
        weights, gram = self.weights(ridge)
        found = _combined(start, self.loop.moves[: self.last], -weights)
        if damping != 1:
            found = _combined(found, self.loop.bends[: self.last], (1 - damping) * weights)
        return torch.from_numpy(found), gram

    @quiet
    def followed(self, z: Tensor, fz: Tensor, gram: NDArray[Any] | None, most: int) -> Tape:
        """Return the tape with one more change, to z and f(z), (B, d); the last columns, ``most`` at most."""
        point, value = numbers(z), numbers(fz)
        gap, loop, last = np.subtract(value, point), self._writable(most), self.last
        place = last % len(loop.bends)
        np.subtract(gap, self.gap, loop.bends[place])
        np.subtract(value, self.value, loop.moves[place])
        loop.written = last + 1
        return Tape(gap, value, gram, loop, max(self.first, last + 1 - most), last + 1)

    def _writable(self, most: int) -> _Loop:
        """Return a loop with these columns in their places, where the next may be written."""
        loop, last = self.loop, self.last
        if loop is None:
            return _Loop((most + 1, *self.gap.shape), self.gap.dtype, 0)
        if last == loop.written and loop.tapes == 1:  # nobody else's column is lost
            return loop
        return loop.copied(last, slice(None))

    def weights(self, ridge: float) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the weights of the bends nearest to the gap in least squares, and the bends' products.

        Both are by place, (B, m) and (B, m, m) float64; m > k where one has been dropped, whose weight is 0.
        """
        assert self.loop is not None, "there are columns"
        places, n = self.loop.bends[: self.last], len(self.loop.bends)
        m, newest = len(places), (self.last - 1) % n
        # One sweep for both: a product of matrices a sample costs no more than a product of vectors each.
        pair = np.empty((len(self.gap), 2, self.gap.shape[1]), self.gap.dtype)
        pair[:, 0], pair[:, 1] = places[newest], self.gap
        found = np.matmul(places.swapaxes(0, 1), pair.swapaxes(1, 2))  # (B, m, 2)
        gram, right = np.empty((len(found), m, m)), found[:, :, 1].astype(np.float64)
        if self.gram is not None:
            size = self.gram.shape[1]
            gram[:, :size, :size] = self.gram
        gram[:, newest, :] = gram[:, :, newest] = found[:, :, 0]
        gram[:, newest, newest] *= ridge
        gram[:, newest, newest] += NOT_ZERO
        if m > len(self):
            dropped = self.last % n
            gram[:, dropped, :] = gram[:, :, dropped] = right[:, dropped] = 0
            gram[:, dropped, dropped] = 1
        return solution(gram, right), gram

    def in_order(self, columns: NDArray[Any]) -> NDArray[Any]:
        """Return the loop's bends or moves, (n, B, d), as this tape has them: the oldest first, (k, B, d)."""
        return columns[np.arange(self.first, self.last) % len(columns)]

    def rows(self, index: Tensor) -> Tape:
        """Return the same of some samples alone, (K,) int64."""
        kept, loop = index.numpy(), self.loop
        if loop is not None:
            loop.lent.kept = False
            loop = loop.copied(self.last, kept)
        gram = None if self.gram is None else self.gram[kept]
        return Tape(self.gap[kept], self.value[kept], gram, loop, self.first, self.last)


def _combined(start: NDArray[Any], columns: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
    """Return start + sum_j weights_j columns_j, (B, d), for columns (m, B, d)."""
    shares = weights.astype(columns.dtype)
    found = np.matmul(shares[:, None], columns.swapaxes(0, 1))[:, 0]
    total: NDArray[Any] = np.add(start, found, found)
    return total

"""Columns that are remembered of a batch on the CPU: one after another in memory, read in one sweep.

A product with all of them, or a combination, is one operation of numpy on memory that nobody copied; the
same on a tuple of tensors is one for each column, and each writes out what is only to be summed.
A tape is written behind its end alone, so whoever holds a shorter part of it sees no change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from deqbench.equilibria.quiet import quiet

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


class _Room:
    """Memory for columns, (n, B, d), and how many of them are taken."""

    __slots__ = ("columns", "taken")

    def __init__(self, columns: NDArray[Any], taken: int) -> None:
        self.columns, self.taken = columns, taken


class Tape:
    """The last columns of a history, each (B, d); like a tuple, it never changes.

    Args:
        room: Where they lie; None: there are none yet.
        first: Place of the oldest.
        last: Place behind the newest.
    """

    __slots__ = ("first", "last", "room")

    def __init__(self, room: _Room | None = None, first: int = 0, last: int = 0) -> None:
        self.room, self.first, self.last = room, first, last

    def __len__(self) -> int:
        return self.last - self.first

    @property
    def columns(self) -> NDArray[Any]:
        """All of them, the oldest first, (k, B, d), k >= 1: not to be written to."""
        assert self.room is not None, "there are columns"
        return self.room.columns[self.first : self.last]

    @quiet
    def changed(self, after: Tensor, before: Tensor, most: int) -> Tape:
        """Return the last columns, ``most`` >= 1 at most, with after - before, (B, d), as the newest."""
        tape = self._with_room(after, most)
        assert tape.room is not None, "it was made"
        np.subtract(after.numpy(force=True), before.numpy(force=True), out=tape.room.columns[tape.last])
        tape.room.taken = tape.last = tape.last + 1
        return tape

    def _with_room(self, like: Tensor, most: int) -> Tape:
        """Return a tape of the last columns, ``most`` - 1 at most, behind which nothing is written yet."""
        first, room = max(self.first, self.last + 1 - most), self.room
        if room is not None and self.last == room.taken < len(room.columns):
            return Tape(room, first, self.last)
        # It is full, or another search has gone on from here. There is little more room than is kept, for to
        # touch memory for the first time is slow. torch provides it, so that its profiler sees it.
        fresh = torch.empty((most + most // 2, *like.shape), dtype=like.dtype).numpy()
        kept = self.last - first
        if room is not None:
            fresh[:kept] = room.columns[first : self.last]
        return Tape(_Room(fresh, kept), 0, kept)

    @quiet
    def weights(
        self, target: Tensor, known: Tensor | None, ridge: float, least: float
    ) -> tuple[NDArray[Any], Tensor]:
        """Return the weights of the columns nearest to rows (B, d) in least squares, (B, k) float64.

        Also the products of the columns, (B, k, k) float64, which make the next ones cheaper.

        Args:
            target: (B, d).
            known: The products of the columns before the newest came; None: there were none.
            ridge: Factor of each column's own square, > 1.
            least: What the square is raised by, so that a column of zeros gets the weight 0.
        """
        columns, k = self.columns, len(self)
        newest = np.vecdot(columns, columns[-1]).T
        gram = np.empty((len(newest), k, k))
        if known is not None and k > 1:
            gram[:, :-1, :-1] = known.numpy()[:, 1 - k :, 1 - k :]
        gram[:, -1, :] = gram[:, :, -1] = newest
        gram[:, -1, -1] *= ridge
        gram[:, -1, -1] += least
        right = np.vecdot(columns, target.numpy(force=True)).T.astype(np.float64)
        return _solution(gram, right), torch.from_numpy(gram)

    @quiet
    def combination(self, start: Tensor, weights: NDArray[Any], factor: float) -> Tensor:
        """Return start + factor sum_j weights_j columns_j, (B, d), for weights (B, k)."""
        columns = self.columns
        shares = np.multiply(weights, factor, dtype=columns.dtype)
        found = np.matmul(shares[:, None], columns.swapaxes(0, 1))[:, 0]
        return torch.from_numpy(np.add(start.numpy(force=True), found, out=found))

    def rows(self, index: Tensor) -> Tape:
        """Return the same of some samples alone, (K,) int64."""
        kept = self.columns.take(index.numpy(), 1)
        return Tape(_Room(kept, len(kept)), 0, len(kept))


def _solution(gram: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """Return gram^-1 right, (B, k); a singular system costs its own sample's weights, never an exception."""
    try:
        found: NDArray[Any] = np.linalg.solve(gram, right[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        pair = (torch.from_numpy(part) for part in (gram, right[:, :, None]))
        found = torch.linalg.solve_ex(*pair)[0].squeeze(2).numpy()
    return found

"""Broyden's steps of a batch on the CPU: in one piece of memory, and what each factor sees of the others.

The inverse Jacobian is the product of the factors I + s_{j+1} s_j^T / ||s_j||^2. Factor j sees, of what it is
applied to, the part along s_j, those that the factors before it have added included. So the parts that all
of them add solve one unit triangular system a sample, the chain, whose rows are products of steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from deqbench_plugins.solvers.lent import Lent

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOM_BYTES = 2**28
"""Memory that is asked for at once, for all steps that are ever kept; more than this grows with them."""
FIRST = 16
"""Steps for which there is room at least."""
BLOCK_BYTES = 2**22
"""Steps of so many samples are taken together as the processor's caches hold."""


class _Room:
    """Memory for steps, (n, B, d), and their chain, (n, B, n), and how many steps were written.

    What is never written to is never touched, and costs nothing.

    Args:
        like: One step, (B, d).
        count: Steps that are known, and will be filled in.
        most: Steps that are ever kept.
    """

    __slots__ = ("chain", "lent", "steps", "written")

    def __init__(self, like: NDArray[Any], count: int, most: int) -> None:
        batch, size = like.shape
        room = most if most * like.nbytes <= ROOM_BYTES else min(most, max(2 * count, FIRST))
        self.lent = Lent((room, batch, size), like.dtype), Lent((room, batch, room), like.dtype)
        self.steps, self.chain = (part.array for part in self.lent)
        self.written = count

    def __del__(self) -> None:
        del self.steps, self.chain  # before the memory is asked who sees it


class Factors:
    """The steps since the last restart, the newest still to be taken; like a tuple, it never changes.

    Memory is written to behind the last step alone, so whoever holds fewer steps sees no change.

    Args:
        count: How many of them.
        shares: 1 / ||step||^2 of each but the newest, (B, count - 1); 0 where the factor is forgotten.
        most: Steps that are ever kept, > 1.
        lie: Where: their room, or of one step, which needs none, itself, (1, B, d).
    """

    __slots__ = ("count", "lie", "most", "shares")

    def __init__(self, count: int, shares: NDArray[Any], most: int, lie: _Room | NDArray[Any]) -> None:
        self.count, self.shares, self.most, self.lie = count, shares, most, lie

    @classmethod
    def of(cls, step: NDArray[Any], most: int) -> Factors:
        """Return the factors of one step, (B, d), that is still to be taken; ``most`` > 1 are ever kept.

        They get a room with the second step: that of the search before may then be given back.
        """
        return cls(1, step[:, :0], most, step[None])

    def __len__(self) -> int:
        return self.count

    @property
    def steps(self) -> NDArray[Any]:
        """All steps, the oldest first, (count, B, d): not to be written to."""
        return self.lie.steps[: self.count] if isinstance(self.lie, _Room) else self.lie

    @property
    def newest(self) -> NDArray[Any]:
        """The step that is still to be taken, (B, d)."""
        step: NDArray[Any] = self.steps[-1]
        return step

    def ahead(self, gap: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return the factors' product with f(z) - z, (B, d), once the newest step is taken.

        Also what the next step is less than it, (B, 1), and the shares with the newest step's, (B, count).
        """
        found, less = np.empty_like(gap), np.empty((len(gap), 1), gap.dtype)
        shares = np.empty((len(gap), self.count), gap.dtype)
        shares[:, :-1] = self.shares
        block = max(1, BLOCK_BYTES // (self.count * gap[:1].nbytes))
        for start in range(0, len(gap), block):
            rows = slice(start, start + block)
            self._ahead_of(rows, gap[rows], found[rows], less[rows], shares[rows])
        return found, less, shares

    def _ahead_of(
        self,
        rows: slice,
        gap: NDArray[Any],
        found: NDArray[Any],
        less: NDArray[Any],
        shares: NDArray[Any],
    ) -> None:
        """Do it for a block of samples, whose steps are then read from memory once, not twice."""
        steps, k = self.steps[:, rows], self.count - 1
        # One sweep for both: a product of matrices a sample costs no more than a product of vectors each.
        pair = np.empty((len(gap), 2, gap.shape[1]), gap.dtype)
        pair[:, 0], pair[:, 1] = gap, steps[k]
        seen = np.matmul(pair, steps.transpose(1, 2, 0))  # (B, 2, k + 1)
        share = shares[:, k:]
        np.divide(1, np.maximum(seen[:, 1, k:], 4 * np.finfo(gap.dtype).tiny), share)
        if isinstance(self.lie, _Room):
            chain = self.lie.chain[:, rows]
            right = torch.from_numpy((seen[:, 0, :k] * shares[:, :k])[:, :, None])
            lower = torch.from_numpy(chain[:k, :, :k].swapaxes(0, 1))
            parts = torch.linalg.solve_triangular(lower, right, upper=False, unitriangular=True).numpy()
            added = np.matmul(parts.swapaxes(1, 2), steps[1:].swapaxes(0, 1))[:, 0]
            np.add(gap, added, found)
            np.multiply(seen[:, 1, 1:], -share, chain[k, :, :k])
        else:
            found[...] = gap
        np.subtract(1, np.vecdot(steps[k], found)[:, None] * share, less)

    def followed(
        self,
        ahead: NDArray[Any],
        less: NDArray[Any],
        gap: NDArray[Any],
        sound: NDArray[Any],
        shares: NDArray[Any],
    ) -> Factors:
        """Return the factors with the step ``ahead`` / ``less``, (B, d), still to be taken.

        Where it is not ``sound``, (B, 1), a sample forgets its factors, and its step is the gap.
        """
        room, count = self.lie, self.count
        if not isinstance(room, _Room) or count < room.written or count == len(room.steps):
            room = self._moved()  # another search has gone on, or it is full
        step = np.divide(ahead, less, room.steps[count])
        room.written = count + 1
        if np.count_nonzero(sound) < len(sound):
            np.copyto(step, gap, where=~sound)
            shares = shares * sound
        return Factors(count + 1, shares, self.most, room)

    def rows(self, index: torch.Tensor) -> Factors:
        """Return the same of some samples alone, (K,) int64."""
        kept, count = index.numpy(), self.count
        if not isinstance(self.lie, _Room):
            return Factors(1, self.shares[kept], self.most, self.lie.take(kept, 1))
        for part in self.lie.lent:
            part.kept = False
        room = _Room(self.newest[kept], count, self.most)
        self.steps.take(kept, 1, room.steps[:count], "clip")  # else it goes by way of a buffer
        room.chain[:count, :, :count] = self.lie.chain[:count, kept, :count]
        return Factors(count, self.shares[kept], self.most, room)

    def _moved(self) -> _Room:
        """Return a room of their own, with room for the next step."""
        count = self.count
        room = _Room(self.newest, count, self.most)
        room.steps[:count] = self.steps
        if isinstance(self.lie, _Room):
            room.chain[:count, :, :count] = self.lie.chain[:count, :, :count]
        return room

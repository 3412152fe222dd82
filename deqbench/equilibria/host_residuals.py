"""The residuals of a batch on the CPU, on arrays: of a large one block by block, so that rows stay cached."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deqbench.equilibria.arrays import numbers, scratch
from deqbench.equilibria.judging import Stop, numbers_of, scaled_norms

Array = NDArray[Any]

BLOCK = 2**16
"""Entries that are taken together: their difference is summed up before it leaves the processor's caches."""


_EVERY = (1, "auto")
_NONE: dict[torch.dtype, Array] = {
    torch.float32: np.full((), np.inf, np.float32),
    torch.float64: np.full((), np.inf, np.float64),
}


class HostResiduals:
    """What is left between z and f(z), row by row, at the last look.

    Arrays are replaced, not written to: whoever has been handed one may keep it.

    Args:
        z0: Start, (B, *s).
        stop: Tolerance and norm.

    Attributes:
        gap: ||f(z) - z|| at the last look, (K,).
        size: ||f(z)|| there, (K,), where the residual is relative.
        first: ||f(z) - z|| at the first look, (K,); () before it.
        trusted: The norm under which squares leave the range of their type.
    """

    # What every search begins with is the class's: see HostJudge.
    room: Array | None = None  # for the differences of a block, used again at every look
    seen: Tensor | None = None  # the image of the last look, and its numbers
    images: Array

    def __init__(self, z0: Tensor, stop: Stop) -> None:
        shape, dtype = z0.shape, z0.dtype
        entries = shape[1:].numel()
        self.dtype, self.tiny, trusted, self.near, self.far = numbers_of(dtype, entries)
        self.casts = self.dtype != dtype
        self.order = 1 if stop.norm == "l1" else 2
        self.relative = stop.norm == "relative"
        self.trusted = trusted if self.order == 2 else 0.0
        self.gap = self.size = self.first = _NONE[self.dtype]
        self.block = max(1, BLOCK // max(entries, 1))  # rows
        # Where every step is looked at, the point is often the image of the last look.
        self.follows = stop.check_every in _EVERY and not self.casts and len(shape) == 2

    def of(self, z: Tensor, fz: Tensor) -> Array:
        """Return the residuals of all rows, (K,); NaN where f(z) = z = 0, which :meth:`closely` sees to."""
        points = self.images if z is self.seen else self.flat(z)
        images = self.flat(fz)
        if self.follows:  # else it may be a copy, and out of date
            self.seen, self.images = fz, images
        if len(images) > self.block:
            gap, size = self._piecewise(images, points)
        else:
            differences = self.room
            if differences is None or len(differences) != len(images):
                differences = self.room = scratch(images.shape, images.dtype)
            gap = self.norms(np.subtract(images, points, differences))
            size = self.norms(images) if self.relative else None
        self.gap = gap
        if not self.first.ndim:
            self.first = gap
        if size is None:
            return gap
        self.size = size
        value: Array = gap / size
        return value

    def flat(self, x: Tensor) -> Array:
        """Return x, (K, *s), as (K, d) in the type that residuals are measured in; a view where it can be."""
        rows = numbers(x.to(self.dtype) if self.casts else x)
        return rows if rows.ndim == 2 else rows.reshape(len(rows), rows.size // len(rows))

    def norms(self, rows: Array) -> Array:
        """Return the norm of each of the rows (K, d), (K,)."""
        if self.order == 2:
            squares: Array = np.vecdot(rows, rows)
            return np.sqrt(squares, squares)
        absolute: Array = np.abs(rows).sum(1)
        return absolute

    def narrow(self, kept: Array) -> None:
        """Keep what is known of some rows only, given by their places."""
        self.gap, self.size, self.first = (
            values[kept] if values.ndim else values for values in (self.gap, self.size, self.first)
        )

    def closely(self, z: Tensor, fz: Tensor, value: Array, some: Array) -> Array:
        """Return the residuals, those of some rows without what underflows; NaN where they are not finite.

        Args:
            z: (K, *s).
            fz: (K, *s).
            value: What :meth:`of` gave for them, (K,).
            some: Places of the rows that are asked for.
        """
        gap = self.gap[some]
        size = self.size[some] if self.relative else np.ones_like(gap)
        small = gap < self.trusted
        if self.relative:
            small |= size < self.trusted
        if small.any():
            places = torch.from_numpy(some[small])
            with torch.no_grad():
                point, image = (part.index_select(0, places).to(self.dtype) for part in (z, fz))
                gap[small], size[small] = (scaled_norms(x).numpy() for x in (image - point, image))
            self.gap = self.gap.copy()
            self.gap[some] = gap
            self.first = self.first.copy()
            self.first[some] = np.where(self.first[some] == 0, gap, self.first[some])
        near = gap / np.maximum(size, self.tiny) if self.relative else gap
        finite = np.isfinite(gap) & np.isfinite(size) if self.relative else np.isfinite(gap)
        value = value.copy()
        value[some] = np.where(finite, near, np.nan)
        return value

    def _piecewise(self, images: Array, points: Array) -> tuple[Array, Array | None]:
        """Return ||f(z) - z|| of each row, and ||f(z)|| if it is asked for, block by block."""
        gap = np.empty(len(images), images.dtype)
        size = np.empty_like(gap) if self.relative else None
        if self.room is None:
            self.room = scratch((self.block, images.shape[1]), images.dtype)
        for start in range(0, len(images), self.block):
            rows = slice(start, start + self.block)
            block = images[rows]
            gap[rows] = self.norms(np.subtract(block, points[rows], self.room[: len(block)]))
            if size is not None:
                size[rows] = self.norms(block)
        return gap, size

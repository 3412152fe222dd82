"""I - M of an affine map, factorised so that a known column sum costs no digits.

Where 1^T (I - M) = c 1^T is known, U = I - M nears a singular matrix as c -> 0, along one direction.
With k = (1 - c) / d the matrix V = U + k 1 1^T has column sums 1, whatever c, and

    U^-1 = V^-1 (I + (k / c) 1 1^T),    U^-T = (I + (k / c) 1 1^T) V^-T.

So V is factorised, and c enters through an exact sum alone. Source: J. Sherman and W. J. Morrison (1950),
with 1^T U^-1 = 1^T / c put in; its use here is this project's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.linalg import lapack
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.solving import AffineMap

MANY = 4
"""Rows over dimension from which the inverse, once made, is cheaper than triangular solves."""

SMALL = 128
"""Dimension up to which scipy's LAPACK is the cheaper one: calling torch's costs more, its work less."""


def factors(affine: AffineMap, dtype: torch.dtype, *, graph: bool) -> TorchFactors | LapackFactors:
    """Return the factorisation, made once for a matrix; anew wherever a graph through it is wanted.

    Of a small matrix on the CPU it is made by LAPACK in place, with nothing of torch's in between.

    Args:
        affine: The map or its transpose; its ``memo`` keeps what is made.
        dtype: float32 or float64: what is computed in.
        graph: Whether what is solved with it shall be differentiable.
    """
    matrix = affine.matrix.mT if affine.transposed else affine.matrix
    if graph:
        return _by_torch(matrix.to(dtype), affine.column_sum)
    # A matrix that was changed in place is another matrix.
    key = (matrix.data_ptr(), 0 if matrix.is_inference() else matrix._version)
    held, found = affine.memo.get("direct", (None, None))
    if held != key:
        if matrix.requires_grad:
            matrix = matrix.detach()
        if matrix.dtype != dtype:
            matrix = matrix.to(dtype)
        small = len(matrix) <= SMALL and matrix.is_cpu
        # A dispatch mode that counts operations sees none of LAPACK's.
        make = _by_lapack if small and not is_in_torch_dispatch_mode() else _by_torch
        found = make(matrix, affine.column_sum)
        affine.memo["direct"] = (key, found)
    factorised: TorchFactors | LapackFactors = found
    return factorised


def _shift(column_sum: float | None, size: int) -> tuple[float, float]:
    """Return k and k / c; zeros where the sum is not known."""
    if column_sum is None:
        return 0.0, 0.0
    shift = (1 - column_sum) / size
    return shift, shift / column_sum


def _by_torch(matrix: Tensor, column_sum: float | None) -> TorchFactors:
    shift, lift = _shift(column_sum, len(matrix))
    system = shift - matrix
    system.diagonal().add_(1)
    # Rows are the columns that LAPACK wants: V^T costs a fourth to a third less than V.
    lu, pivots, _ = torch.linalg.lu_factor_ex(system.mT)
    return TorchFactors(lift, lu, pivots)


def _by_lapack(matrix: Tensor, column_sum: float | None) -> LapackFactors:
    shift, lift = _shift(column_sum, len(matrix))
    system = np.subtract(shift, matrix.numpy(), order="C")
    system.reshape(-1)[:: len(matrix) + 1] += 1
    letter = "s" if matrix.dtype == torch.float32 else "d"
    # As above, and without a copy.
    lu, pivots, _ = getattr(lapack, letter + "getrf")(system.T, overwrite_a=True)
    return LapackFactors(lift, lu, pivots, letter)


@dataclass(eq=False)
class _Inverted(ABC):
    """What is solved for many rows by one inverse.

    Attributes:
        lift: k / c; 0 where the sum is not known.
    """

    lift: float

    def multiplied(self, offset: Tensor, *, transposed: bool) -> Tensor:
        """Return z with U z = offset, or U^T z = offset, for each row: (B, d) -> (B, d).

        What c enters is added apart, so that nothing cancels.
        """
        inverse, ones = self.inverse, self._solved_ones
        z = offset @ (inverse.mT if transposed else inverse)
        if not self.lift:
            return z
        if transposed:
            return z.add_((offset @ ones).unsqueeze(1), alpha=self.lift)
        return z.addr_(offset.sum(1), ones, alpha=self.lift)

    @cached_property
    @abstractmethod
    def inverse(self) -> Tensor:
        """V^-T, (d, d): what rows are multiplied by."""

    @cached_property
    def _solved_ones(self) -> Tensor:
        """V^-1 1, (d,)."""
        return self.inverse.sum(0)


@dataclass(eq=False)
class TorchFactors(_Inverted):
    """V^T as torch has it: on any device, differentiable.

    Attributes:
        lu: Of V^T, (d, d).
        pivots: (d,).
    """

    lu: Tensor
    pivots: Tensor

    def solve(self, offset: Tensor, *, transposed: bool) -> Tensor:
        """Return z with U z = offset, or U^T z = offset, for each row: (B, d) -> (B, d)."""
        recorded = self.lu.requires_grad or offset.requires_grad
        if len(offset) >= MANY * offset.shape[1] and not recorded:
            return self.multiplied(offset, transposed=transposed)
        rows = offset if transposed else self._lifted(offset)
        z = torch.linalg.lu_solve(self.lu, self.pivots, rows.mT, adjoint=not transposed).mT
        return self._lifted(z) if transposed else z

    def _lifted(self, rows: Tensor) -> Tensor:
        """Return (I + (k / c) 1 1^T) x for each row x."""
        return torch.add(rows, rows.sum(1, keepdim=True), alpha=self.lift) if self.lift else rows

    @cached_property
    def inverse(self) -> Tensor:
        """V^-T, (d, d)."""
        eye = torch.eye(len(self.lu), dtype=self.lu.dtype, device=self.lu.device)
        solved: Tensor = torch.linalg.lu_solve(self.lu, self.pivots, eye)
        return solved


@dataclass(eq=False)
class LapackFactors(_Inverted):
    """V^T as LAPACK has it: on the CPU, without a graph.

    Attributes:
        lu: Of V^T, (d, d).
        pivots: (d,).
        letter: Of the type, in LAPACK's names.
    """

    lu: Any
    pivots: Any
    letter: str

    def solve(self, offset: Tensor, *, transposed: bool) -> Tensor:
        """Return z with U z = offset, or U^T z = offset, for each row: (B, d) -> (B, d)."""
        if len(offset) >= MANY * offset.shape[1]:
            return self.multiplied(offset, transposed=transposed)
        rows = offset.numpy(force=True)
        if self.lift and not transposed:
            rows = rows + np.add.reduce(rows, 1, keepdims=True) * self.lift
        getrs = getattr(lapack, self.letter + "getrs")
        fresh = rows.base is None
        z = getrs(self.lu, self.pivots, rows.T, trans=not transposed, overwrite_b=fresh)[0].T
        if self.lift and transposed:
            z += z.sum(1, keepdims=True) * self.lift
        return torch.from_numpy(z)

    @cached_property
    def inverse(self) -> Tensor:
        """V^-T, (d, d)."""
        return torch.from_numpy(getattr(lapack, self.letter + "getri")(self.lu, self.pivots)[0])

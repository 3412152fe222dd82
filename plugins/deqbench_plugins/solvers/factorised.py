"""I - M of an affine map, factorised so that a known column sum costs no digits.

Where 1^T (I - M) = c 1^T is known, U = I - M nears a singular matrix as c -> 0, along one direction.
With k = (1 - c) / d the matrix V = U + k 1 1^T has column sums 1, whatever c, and

    U^-1 = V^-1 (I + (k / c) 1 1^T),    U^-T = (I + (k / c) 1 1^T) V^-T.

So V is factorised, and c enters through an exact sum alone. Source: J. Sherman and W. J. Morrison (1950),
with 1^T U^-1 = 1^T / c put in; its use here is this project's own.
"""

from __future__ import annotations

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


def factors(affine: AffineMap, dtype: torch.dtype, *, graph: bool) -> TorchFactors | LapackFactors:
    """Return the factorisation, made once for a matrix; anew wherever a graph through it is wanted.

    On the CPU it is LAPACK's: it works in place, and at dimension 64 calling it costs a fifth of torch's.

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
        matrix = matrix.detach().to(dtype)
        # A dispatch mode that counts operations sees none of LAPACK's.
        hidden = matrix.device.type == "cpu" and not is_in_torch_dispatch_mode()
        make = _by_lapack if hidden else _by_torch
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
    lu, pivots, _ = torch.linalg.lu_factor_ex(system)
    return TorchFactors(lu, pivots, lift)


def _by_lapack(matrix: Tensor, column_sum: float | None) -> LapackFactors:
    shift, lift = _shift(column_sum, len(matrix))
    system = np.subtract(shift, matrix.numpy(), order="C")
    system.reshape(-1)[:: len(matrix) + 1] += 1
    letter = "s" if matrix.dtype == torch.float32 else "d"
    # Rows are, without a copy, the columns that LAPACK wants: V^T is what it sees.
    lu, pivots, _ = getattr(lapack, letter + "getrf")(system.T, overwrite_a=True)
    return LapackFactors(lu, pivots, lift, letter)


@dataclass(frozen=True)
class TorchFactors:
    """V as torch has it: on any device, differentiable.

    Attributes:
        lu: Of V, (d, d).
        pivots: (d,).
        lift: k / c; 0 where the sum is not known.
    """

    lu: Tensor
    pivots: Tensor
    lift: float

    def solve(self, offset: Tensor, *, transposed: bool) -> Tensor:
        """Return z with U z = offset, or U^T z = offset, for each row: (B, d) -> (B, d)."""
        rows = offset if transposed else self._lifted(offset)
        z: Tensor = torch.linalg.lu_solve(self.lu, self.pivots, rows, left=False, adjoint=not transposed)
        return self._lifted(z) if transposed else z

    def _lifted(self, rows: Tensor) -> Tensor:
        """Return (I + (k / c) 1 1^T) x for each row x."""
        return torch.add(rows, rows.sum(1, keepdim=True), alpha=self.lift) if self.lift else rows


@dataclass(eq=False)
class LapackFactors:
    """V^T as LAPACK has it: on the CPU, without a graph; the attributes are as in ``TorchFactors``."""

    lu: Any
    pivots: Any
    lift: float
    letter: str

    def solve(self, offset: Tensor, *, transposed: bool) -> Tensor:
        """Return z with U z = offset, or U^T z = offset, for each row: (B, d) -> (B, d)."""
        if len(offset) >= MANY * offset.shape[1]:
            return self._multiplied(offset, transposed=transposed)
        rows = offset.detach().numpy()
        if self.lift and not transposed:
            rows = rows + rows.sum(1, keepdims=True) * self.lift
        getrs = getattr(lapack, self.letter + "getrs")
        fresh = rows.base is None
        z = getrs(self.lu, self.pivots, rows.T, trans=not transposed, overwrite_b=fresh)[0].T
        if self.lift and transposed:
            z += z.sum(1, keepdims=True) * self.lift
        return torch.from_numpy(z)

    def _multiplied(self, offset: Tensor, *, transposed: bool) -> Tensor:
        """Return the same by the inverse; what c enters is added apart, so that nothing cancels."""
        inverse, ones = self._inverse, self._solved_ones
        z = offset @ (inverse.mT if transposed else inverse)
        if not self.lift:
            return z
        if transposed:
            return z.add_((offset @ ones).unsqueeze(1), alpha=self.lift)
        return z.addr_(offset.sum(1), ones, alpha=self.lift)

    @cached_property
    def _inverse(self) -> Tensor:
        """V^-T, (d, d): what rows are multiplied by."""
        return torch.from_numpy(getattr(lapack, self.letter + "getri")(self.lu, self.pivots)[0])

    @cached_property
    def _solved_ones(self) -> Tensor:
        """V^-1 1, (d,)."""
        return self._inverse.sum(0)

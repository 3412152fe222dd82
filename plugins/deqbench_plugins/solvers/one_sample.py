"""The algebra of one small state on the CPU: BLAS and LAPACK on views of its tensors.

A call of BLAS from Python costs a third of an operation on tensors, which for one small state is all the
time there is. BLAS is called by name because numpy's own operators warn of what a diverging search does.
A row is an array (d,), columns an array (k, d); nothing is changed in place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.linalg import blas, lapack

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

Row = np.ndarray
"""What tells this algebra from that of tensors."""

AXPY: dict[str, Any] = {"f": blas.saxpy, "d": blas.daxpy}
DOT: dict[str, Any] = {"f": blas.sdot, "d": blas.ddot}
GEMM: dict[str, Any] = {"f": blas.sgemm, "d": blas.dgemm}
GEMV: dict[str, Any] = {"f": blas.sgemv, "d": blas.dgemv}
SCAL: dict[str, Any] = {"f": blas.sscal, "d": blas.dscal}
TRSV: dict[str, Any] = {"f": blas.strsv, "d": blas.dtrsv}


LIMITS: dict[str, Any] = {"f": torch.finfo(torch.float32), "d": torch.finfo(torch.float64)}


def rounding(values: NDArray[Any]) -> float:
    """Return the rounding unit of the type."""
    return float(LIMITS[values.dtype.char].eps)


def tiny(values: NDArray[Any]) -> float:
    """Return the least normal number of the type."""
    return float(LIMITS[values.dtype.char].tiny)


def row(x: Tensor) -> NDArray[Any]:
    """Return x, (1, *s), as (d,); a view where it can be."""
    values: NDArray[Any] = x.numpy(force=True)
    return values.reshape(-1)


def state(values: NDArray[Any], like: Tensor) -> Tensor:
    """Return a row as a state of the shape of ``like``; a view."""
    return torch.from_numpy(values.reshape(like.shape))


def moved(start: NDArray[Any], by: NDArray[Any], factor: float) -> NDArray[Any]:
    """Return start + factor by."""
    found: NDArray[Any] = AXPY[start.dtype.char](by, start.copy(), a=factor)
    return found


def scaled(values: NDArray[Any], factor: float) -> NDArray[Any]:
    """Return factor times a row."""
    found: NDArray[Any] = SCAL[values.dtype.char](factor, values.copy())
    return found


def square(values: NDArray[Any]) -> float:
    """Return the square of a row's length."""
    return float(DOT[values.dtype.char](values, values))


def products(columns: NDArray[Any], target: NDArray[Any]) -> NDArray[Any]:
    """Return the products of each column with the target, (k,)."""
    found: NDArray[Any] = GEMV[target.dtype.char](1.0, columns.T, target, trans=1)
    return found


def combination(
    start: NDArray[Any], columns: NDArray[Any], weights: NDArray[Any], factor: float
) -> NDArray[Any]:
    """Return start + factor sum_j weights_j columns_j."""
    found: NDArray[Any] = GEMV[start.dtype.char](factor, columns.T, weights, beta=1.0, y=start)
    return found


def appended(columns: Any, newest: NDArray[Any], most: int) -> NDArray[Any]:
    """Return the last columns, at most ``most``, with the newest; no columns may be an empty tuple."""
    if len(columns) == 0 or most == 1:
        return newest[None]
    return np.concatenate((columns[1 - most :], newest[None]))


def gram(columns: NDArray[Any], ridge: float, least: float) -> NDArray[np.float64]:
    """Return the products of the columns, (k, k), their squares times ``ridge`` and raised by ``least``."""
    found = GEMM[columns.dtype.char](1.0, columns.T, columns.T, trans_a=1).astype(np.float64)
    diagonal = found.reshape(-1, order="A")[:: len(columns) + 1]
    diagonal *= ridge
    diagonal += least
    system: NDArray[np.float64] = found
    return system


def solution(system: NDArray[np.float64], right: NDArray[Any]) -> NDArray[np.float64]:
    """Return system^-1 right, (k,); zeros if the system is singular to the last digit."""
    _, _, found, failed = lapack.dgesv(system, right)
    return np.zeros(len(right)) if failed else found


def bordered(chain: NDArray[Any] | None, seen: NDArray[Any], corner: float) -> NDArray[Any]:
    """Return the lower triangle, (k, k), with one more row: ``seen``, (k,), negated, then ``corner``."""
    k = len(seen)
    found = np.zeros((k + 1, k + 1), seen.dtype)
    if chain is not None:
        found[:k, :k] = chain
    found[k, :k] = -seen
    found[k, k] = corner
    return found


def forward_substitution(lower: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """Return lower^-1 right for a lower triangle, (k, k); no entry of its diagonal is 0."""
    found: NDArray[Any] = TRSV[right.dtype.char](lower.T, right, lower=0, trans=1)
    return found

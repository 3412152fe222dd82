"""Small symmetric systems, one a sample: one by one where they are few, all at once where they are many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

MANY = 256
"""Systems from which on elimination of all of them at once is faster than LAPACK, called for each."""
DEPENDENT = 4 * np.finfo(np.float64).eps
"""Share of its square that a column must add to those before it, or its weight is 0."""


def solution(gram: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """Return gram^-1 right, (B, k); a singular system costs its own sample's weights, never an exception.

    Args:
        gram: Products of columns, (B, k, k) float64, symmetric and, but for rounding, positive definite.
        right: (B, k) float64.
    """
    if len(gram) >= MANY:
        return eliminated(gram, right)
    try:
        found: NDArray[Any] = np.linalg.solve(gram, right[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        pair = (torch.from_numpy(part) for part in (gram, right[:, :, None]))
        found = torch.linalg.solve_ex(*pair)[0].squeeze(2).numpy()
    return found


def eliminated(gram: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """Return the same by elimination with the diagonal's pivots, each operation on all samples at once.

    A positive definite system needs no other pivots. A column that depends on those before it is left out.
    """
    k = right.shape[1]
    system = np.empty((k, k + 1, len(right)))
    system[:, :k], system[:, k] = gram.transpose(1, 2, 0), right.T
    least = DEPENDENT * system[range(k), range(k)]
    for j in range(k):
        pivot = system[j, j]
        pivot[pivot <= least[j]] = np.inf
        row = system[j, j + 1 :] / pivot
        system[j + 1 :, j + 1 :] -= system[j, j + 1 : k, None] * row
        system[j, j + 1 :] = row
    found = system[:, k]
    for j in range(k - 1, 0, -1):
        found[:j] -= system[:j, j] * found[j]
    return found.T

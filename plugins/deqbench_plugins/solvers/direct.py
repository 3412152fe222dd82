"""Exact equilibria of affine maps, by one LU factorisation that the adjoint equation reuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch

from deqbench.plugin import InapplicableError, Iterate

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.solving import AffineMap, Map


@dataclass(frozen=True)
class Direct:
    """Solves z = M z + offset exactly: (I - M) is factorised once, for the map and its transpose.

    Where 1^T (I - M) = c 1^T is known (the DELM: c = 1 - gamma), what LU loses as c -> 0 lies along one
    direction, and the known sum 1^T z = 1^T offset / c puts it back; the adjoint equation has the like.
    Further steps refine the residual, which the first one all but always brings to rounding.

    Source: LU with partial pivoting; the correction by the known sum is this project's own.
    """

    def init(self, f: Map, z0: Tensor) -> Iterate:  # noqa: ARG002 -- it needs no start
        """Solve; one call, to let the core see the residual.

        Raises:
            InapplicableError: The map is not affine.
        """
        affine = f.affine
        if affine is None:
            raise InapplicableError(
                "The solver 'direct' needs an affine map, and this one is not; use deq-linear with it, "
                "or another solver, e.g. 'anderson'."
            )
        z = _solve(affine, f.inputs[0])
        return Iterate(z, f(z))

    def step(self, f: Map, state: Iterate) -> Iterate:
        """Refine by the residual; one call."""
        affine = f.affine
        assert affine is not None, "init has seen to it"
        z = state.z + _solve(affine, state.fz - state.z)
        return Iterate(z, f(z))


class _Factors(NamedTuple):
    """U = I - M of the untransposed map, factorised."""

    lu: Tensor
    pivots: Tensor
    sums: Tensor | None  # q = U^-1 1, (d,); only where the column sums of U are known


def _solve(affine: AffineMap, offset: Tensor) -> Tensor:
    """Return z with (I - M) z = offset for each row, (B, d)."""
    factors = _factors(affine)
    z: Tensor = torch.linalg.lu_solve(factors.lu, factors.pivots, offset.mT, adjoint=affine.transposed).mT
    if factors.sums is None or affine.column_sum is None:
        return z
    q = factors.sums
    if affine.transposed:
        # U^T z = offset and U q = 1 give 1^T z = q^T offset; the loss lies along 1.
        return z + ((offset @ q) - z.sum(1)).unsqueeze(1) / q.numel()
    # 1^T z = 1^T offset / c; the loss lies along q, which nears the Perron vector as c -> 0.
    missing = offset.sum(1) / affine.column_sum - z.sum(1)
    return z + missing.unsqueeze(1) * (q / q.sum())


def _factors(affine: AffineMap) -> _Factors:
    """Return the factorisation, made once for a matrix, and once more where a graph is wanted."""
    key = ("direct", torch.is_grad_enabled() and affine.matrix.requires_grad)
    if key not in affine.memo:
        matrix = affine.matrix.mT if affine.transposed else affine.matrix
        system = torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device) - matrix
        lu, pivots = torch.linalg.lu_factor(system)
        affine.memo[key] = _Factors(lu, pivots, _sums(lu, pivots, affine.column_sum))
    factors: _Factors = affine.memo[key]
    return factors


def _sums(lu: Tensor, pivots: Tensor, column_sum: float | None) -> Tensor | None:
    """Return U^-1 1, rescaled to the sum d / c that it is known to have."""
    if column_sum is None:
        return None
    ones = lu.new_ones(len(lu), 1)
    q: Tensor = torch.linalg.lu_solve(lu, pivots, ones).squeeze(1)
    return q * (len(lu) / column_sum / q.sum())

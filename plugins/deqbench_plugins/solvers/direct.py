"""Exact equilibria of affine maps, by one LU factorisation that the adjoint equation reuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from deqbench.plugin import InapplicableError, Iterate
from deqbench_plugins.solvers.factorised import factors

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.solving import AffineMap, Map


@dataclass(frozen=True)
class Direct:
    """Solves z = M z + offset exactly: I - M is factorised once, for the map and its transpose.

    Where 1^T (I - M) = c 1^T is known (the DELM: c = 1 - gamma), what LU would lose as c -> 0 lies along
    one direction, and the known sum gives it exactly. Further steps refine the residual, which the first
    one all but always brings to rounding. Half precision is solved in float32 and rounded once.

    A singular I - M gives infinities, which the core reports as ``non_finite``.

    Source: LU with partial pivoting (LAPACK's on the CPU); the use of the known sum is this project's own.
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


def _solve(affine: AffineMap, offset: Tensor) -> Tensor:
    """Return z with (I - M) z = offset for each row, (B, d)."""
    half = offset.dtype in (torch.float16, torch.bfloat16)
    dtype = torch.float32 if half else offset.dtype
    graph = torch.is_grad_enabled() and (offset.requires_grad or affine.matrix.requires_grad)
    held = factors(affine, dtype, graph=graph)
    return held.solve(offset.to(dtype), transposed=affine.transposed).to(offset.dtype)

"""Spectral radius of the map's Jacobian at equilibrium: the asymptotic rate of plain iteration.

Power iteration on ||J v|| is wrong here: for a non-normal Jacobian the norm of a step is not an eigenvalue,
and a complex pair makes the iterate turn for ever. Eigenvalues are computed instead: by QR (LAPACK) where the
Jacobian is small enough to be written down, by Arnoldi (ARPACK) from products with vectors where it is not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from pydantic import Field
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.solving import Map
    from deqbench.interfaces import Observation

_KRYLOV = 40
"""Arnoldi vectors; many, because the samples' Jacobians are alike and their eigenvalues cluster."""

_WRITABLE = 512
"""Where Arnoldi fails, Jacobians up to this size are written down after all: seconds, not minutes."""

_TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
"""Relative accuracy asked of an eigenvalue: what products in that dtype can give."""


@dataclass(frozen=True)
class SpectralRadius:
    """Largest modulus of an eigenvalue of df/dz at z*, over some test samples; nothing for explicit models.

    Below 1, plain iteration converges near z*, asymptotically by this factor a step. The Jacobian of the
    samples together is block diagonal, so its spectral radius is the largest of theirs.

    Source: R. Lehoucq, D. Sorensen & C. Yang, ARPACK Users' Guide, SIAM (1998), for large states.
    """

    samples: Annotated[int, Field(ge=1, description="Test samples that are looked at, from the first.")] = 16
    dense: Annotated[
        int, Field(ge=4, description="State sizes up to this have their Jacobian written down.")
    ] = 128

    def observe(self, view: Observation) -> dict[str, float]:
        """Return ``spectral_radius``."""
        if view.ledger.last is None:
            return {}
        f, z = view.ledger.last
        if f.inputs:  # a map without inputs may hide tensors with a row per sample: it cannot be narrowed
            rows = torch.arange(min(self.samples, z.shape[0]), device=z.device)
            f, z = f.rows(rows), z[rows]
        return {"spectral_radius": spectral_radius(f, z, dense=self.dense, seed=view.seed)}


def spectral_radius(f: Map, z: Tensor, *, dense: int = 128, seed: int = 0) -> float:
    """Return the spectral radius of the block-diagonal Jacobian of f at z; NaN if it is not finite.

    Args:
        f: The map, with a Jacobian-vector product.
        z: Points, (B, *s).
        dense: Largest state size whose Jacobian is written down.
        seed: Of the Arnoldi method's first vector.
    """
    size = z[0].numel()
    with torch.no_grad():
        if f.affine is not None and f.affine.matrix.shape[0] == size:
            return _largest(f.affine.matrix)
        if size <= dense:
            return _largest(jacobians(f, z))
        return _by_arnoldi(f, z, seed)


def jacobians(f: Map, z: Tensor) -> Tensor:
    """Return the Jacobian of each sample, (B, d, d): one product with d copies of every sample."""
    samples, size = z.shape[0], z[0].numel()
    basis = torch.eye(size, dtype=z.dtype, device=z.device)
    if not f.inputs:
        columns = [f.jvp(z, column.expand(samples, size).reshape(z.shape)) for column in basis]
        return torch.stack([column.reshape(samples, size) for column in columns], dim=-1)
    index = torch.arange(samples, device=z.device).repeat_interleave(size)
    points = z[index]
    products = f.rows(index).jvp(points, basis.repeat(samples, 1).reshape(points.shape))
    return products.reshape(samples, size, size).mT  # row i * d + j is column j of Jacobian i


def _largest(matrices: Tensor) -> float:
    if not bool(torch.isfinite(matrices).all()):
        return math.nan
    # On the CPU: a GPU solves small non-symmetric eigenproblems one by one, and slower.
    return float(torch.linalg.eigvals(matrices.double().cpu()).abs().max())


def _by_arnoldi(f: Map, z: Tensor, seed: int) -> float:
    def product(v: np.ndarray) -> np.ndarray:
        direction = torch.from_numpy(np.ascontiguousarray(v)).to(z).reshape(z.shape)
        return f.jvp(z, direction).reshape(-1).double().cpu().numpy()

    size = z.numel()
    start = np.random.default_rng(seed).standard_normal(size)
    image = product(start)
    if not np.isfinite(image).all():
        return math.nan
    if not image.any():  # a zero Jacobian, as of a dead ReLU; ARPACK refuses it
        return 0.0
    operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
    try:
        values = eigs(
            operator,
            k=1,
            v0=start,
            ncv=min(_KRYLOV, size - 1),
            tol=_TOLERANCE.get(z.dtype, 1e-5),
            return_eigenvectors=False,
        )
    except ArpackNoConvergence:
        return _largest(jacobians(f, z)) if z[0].numel() <= _WRITABLE else math.nan
    return float(np.abs(values).max())

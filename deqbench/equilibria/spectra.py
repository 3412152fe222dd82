"""The spectral radius of a map's Jacobian: whether, and how fast, plain iteration converges."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs
from torch import Tensor

from deqbench.equilibria.maps import Function, Map

_KRYLOV = 40
"""Arnoldi vectors; many, for eigenvalues near the edge of a spectrum cluster."""

_WRITABLE = 512
"""Where Arnoldi fails, Jacobians up to this size are written down after all: seconds, not minutes."""

_TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-14}
"""Asked of an eigenpair's residual: what products in that type can give, for an ill-conditioned eigenvalue
of a non-normal Jacobian is many times less accurate."""


def spectral_radius(f: Function, z: Tensor, *inputs: Tensor, dense: int = 128, seed: int = 0) -> Tensor:
    """Return the largest modulus of an eigenvalue of each sample's df/dz, (B,) float64; NaN if not finite.

    Right for non-normal Jacobians and for complex pairs, which a power method's Rayleigh quotient is not:
    eigenvalues of the Jacobian written down where that is small, else by Arnoldi (ARPACK) from products.
    Below 1, plain iteration converges near z, asymptotically by this factor a step.

    Args:
        f: The map f(z, *inputs).
        z: Points, (B, *s).
        inputs: What f takes after z.
        dense: Largest state size whose Jacobian is written down.
        seed: Of the Arnoldi method's first vector.

    Source: R. Lehoucq, D. Sorensen, C. Yang (1998), "ARPACK Users' Guide".
    """
    map_ = Map(f, inputs)
    with torch.no_grad():
        if z.shape[0] == 0:
            return z.new_zeros(0, dtype=torch.float64)
        size = z[0].numel()
        if map_.affine is not None and map_.affine.matrix.shape[0] == size:
            return _largest(map_.affine.matrix.expand(1, -1, -1)).expand(z.shape[0])
        if size <= dense:
            return _largest(map_.jacobian(z))
        found = [_by_arnoldi(*_alone(map_, z, row), seed) for row in range(z.shape[0])]
        return torch.tensor(found, dtype=torch.float64, device=z.device)


def _alone(f: Map, z: Tensor, row: int) -> tuple[Map, Tensor, int]:
    """Return the map of one sample, or, if it cannot be narrowed, of all, with the sample's place."""
    if not f.inputs:
        return f, z, row
    index = torch.tensor([row], device=z.device)
    return f.rows(index), z[index], 0


def _largest(matrices: Tensor) -> Tensor:
    """Return the spectral radius of each matrix, (B, d, d) -> (B,) float64."""
    finite = torch.isfinite(matrices).flatten(1).all(1)
    # On the CPU: a GPU solves small non-symmetric eigenproblems one by one, and slower.
    clean = matrices.double().where(finite[:, None, None], 0.0).cpu()
    radius = torch.linalg.eigvals(clean).abs().amax(1).to(matrices.device)
    return torch.where(finite, radius, math.nan)


def _by_arnoldi(f: Map, z: Tensor, row: int, seed: int) -> float:
    leaf, fz = f.linearise(z)

    def product(v: np.ndarray) -> np.ndarray:
        """Return J^T v, whose eigenvalues are J's, along the one recorded graph."""
        direction = torch.zeros_like(z)
        direction[row] = torch.from_numpy(np.ascontiguousarray(v)).to(z).reshape(z.shape[1:])
        found = torch.autograd.grad(fz, leaf, direction, retain_graph=True, materialize_grads=True)[0]
        return found[row].reshape(-1).double().cpu().numpy()

    if not fz.requires_grad:
        return 0.0
    size = z[row].numel()
    start = np.random.default_rng(seed).standard_normal(size)
    image = product(start)
    if not np.isfinite(image).all():
        return math.nan
    if not image.any():  # a zero Jacobian, as of a dead ReLU; ARPACK refuses it
        return 0.0
    operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
    vectors, tolerance = min(_KRYLOV, size - 1), _TOLERANCE.get(z.dtype, 1e-5)
    try:
        values = eigs(operator, k=1, v0=start, ncv=vectors, tol=tolerance, return_eigenvectors=False)
    except ArpackNoConvergence:
        return float(_largest(f.jacobian(z))[row]) if size <= _WRITABLE else math.nan
    return float(np.abs(values).max())

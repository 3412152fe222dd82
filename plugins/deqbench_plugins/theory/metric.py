"""The matrix D of the DELM's dynamics, d vec W / dt = -D vec G, applied without being formed.

D and its inverse act on matrices of W's shape (m_y, m). D is symmetric positive definite::

    D = (U^-T x I) blockdiag_k(I + gamma^2 W J_k^2 W') (U^-1 x I)

so that its least eigenvalue has a two-sided certificate (own), sharper than the paper's bound, the first::

    1/(m(1+gamma)^2) <= 1/(1+gamma sqrt m)^2 <= 1/||U||^2 <= lambda_min(D) <= Rayleigh quotients at u x v

with u the top left singular vector of U; where rank W < m_y the third is an equality.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench_plugins.theory.delm import Delm

Linear = Callable[["Tensor"], "Tensor"]
"""A linear map on matrices (m_y, m)."""

_DENSE = 24
"""Up to this order an eigenvalue is computed of the matrix itself: Lanczos' method takes 20 products."""

_WRITABLE = 2048
"""Up to this order it is so too where Lanczos' method does not converge."""


@dataclass(frozen=True)
class Sandwich:
    """Bounds low <= lambda_min(D) <= high, to rounding."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """(high - low) / low."""
        return (self.high - self.low) / self.low


@dataclass(frozen=True)
class Metric:
    """D at one state.

    Attributes:
        state: The DELM's weights; everything else follows from them.
    """

    state: Delm

    @property
    def shape(self) -> torch.Size:
        """The shape (m_y, m) of what D acts on."""
        return self.state.B.shape

    def apply(self, v: Tensor) -> Tensor:
        """Return D v, (m_y, m), in O(m^2 m_y)."""
        return self.state.pushed(self.state.gradient(v))

    def solve(self, v: Tensor) -> Tensor:
        """Return D^-1 v, (m_y, m), in O(m^2 m_y) once the blocks are factorised."""
        u = self.state.U
        inside = (v @ u).T.unsqueeze(2)  # (m, m_y, 1): column k is block k's
        inner: Tensor = torch.cholesky_solve(inside, self.factors)
        return inner.squeeze(2).T @ u.T

    def root(self, v: Tensor) -> Tensor:
        """Return F v, (m_y, m), where D = F F'."""
        return torch.einsum("kab,bk->ak", self.factors, v) @ self.state.inverse

    def root_transposed(self, v: Tensor) -> Tensor:
        """Return F'v, (m_y, m)."""
        return torch.einsum("kba,bk->ak", self.factors, v @ self.state.inverse.T)

    @cached_property
    def factors(self) -> Tensor:
        """Lower triangular L_k with L_k L_k' = I + gamma^2 W J_k^2 W', (m, m_y, m_y); O(m^2 m_y^2).

        From a QR decomposition of I stacked on gamma (W J_k)', so that no square is rounded: a Cholesky
        decomposition of the block breaks down where W is large.
        """
        w, s, gamma = self.state.W, self.state.S, self.state.gamma
        means = w @ s  # (m_y, m): column k is W S_k
        eye = torch.eye(w.shape[0], dtype=w.dtype)
        stacks = [
            torch.cat([eye, gamma * ((w - means[:, k : k + 1]) * s[:, k]).T]) for k in range(s.shape[0])
        ]
        upper: Tensor = torch.linalg.qr(torch.stack(stacks), mode="r")[1]
        return upper.mT

    @cached_property
    def sandwich(self) -> Sandwich:
        """The certificate of lambda_min(D), in O(m^3 + m^2 m_y^2)."""
        u = self.state.U
        values, vectors = torch.linalg.eigh(u @ u.T)  # of ||U||^2 and its top left singular vector
        low = 1.0 / float(values[-1])
        weights = (self.state.inverse @ vectors[:, -1]).square()
        quotients = torch.linalg.eigvalsh(torch.einsum("k,kac,kbc->ab", weights, self.factors, self.factors))
        return Sandwich(low, max(low, float(quotients[0])))

    def least(self, seed: int = 0, tolerance: float = 0.0) -> float:
        """Return lambda_min(D) by Lanczos on D^-1, whose largest eigenvalue is 1 / lambda_min(D).

        Args:
            seed: Of the first vector.
            tolerance: Relative accuracy asked of ARPACK; 0 for rounding.
        """
        return 1.0 / largest(self.solve, self.shape, seed, tolerance)

    def steepest(self, hessian: Linear, seed: int = 0, tolerance: float = 0.0) -> float:
        """Return lambda_max(D H) = lambda_max(F'H F) for a symmetric H, (m_y, m) -> (m_y, m)."""
        return largest(lambda v: self.root_transposed(hessian(self.root(v))), self.shape, seed, tolerance)

    def reach(self, hessian: Linear, seed: int = 0, tolerance: float = 0.0) -> float:
        """Return delta bar = 1 / lambda_max(D H): G_delta = D^-1 - delta H > 0 below it, and only there.

        Infinite where H has no positive eigenvalue.
        """
        steepest = self.steepest(hessian, seed, tolerance)
        return 1.0 / steepest if steepest > 0 else math.inf

    def condition(self, hessian: Linear) -> float:
        """Return the condition number of D^1/2 H D^1/2 on its range; dense, for small problems."""
        return condition(lambda v: self.root_transposed(hessian(self.root(v))), self.shape)


def floor(size: int, gamma: float) -> float:
    """Return 1 / (1 + gamma sqrt m)^2, which bounds lambda_min(D) from below at every state (own)."""
    return (1.0 + gamma * math.sqrt(size)) ** -2


def paper_floor(size: int, gamma: float) -> float:
    """Return the paper's bound 1 / (m (1 + gamma)^2) of lambda_min(D)."""
    return 1.0 / (size * (1.0 + gamma) ** 2)


def largest(linear: Linear, shape: torch.Size, seed: int = 0, tolerance: float = 0.0) -> float:
    """Return the largest eigenvalue of a symmetric linear map on matrices of a shape.

    Args:
        linear: The map.
        shape: (m_y, m).
        seed: Of Lanczos' first vector.
        tolerance: Relative accuracy asked of ARPACK; 0 for rounding.

    Returns:
        The eigenvalue; NaN where ARPACK does not find it and the order is large.
    """
    size = shape.numel()
    if size <= _DENSE:
        return float(torch.linalg.eigvalsh(dense(linear, shape))[-1])

    def product(v: np.ndarray) -> Any:
        return linear(torch.from_numpy(np.ascontiguousarray(v)).view(shape)).reshape(-1).numpy()

    operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
    start = np.random.default_rng(seed).standard_normal(size)
    if not np.any(product(start)):
        return 0.0
    try:
        values = eigsh(operator, k=1, which="LA", v0=start, tol=tolerance, return_eigenvectors=False)
    except ArpackNoConvergence:
        return float(torch.linalg.eigvalsh(dense(linear, shape))[-1]) if size <= _WRITABLE else math.nan
    return float(values[-1])


def condition(linear: Linear, shape: torch.Size) -> float:
    """Return the condition number of a symmetric positive semidefinite linear map on its range; dense.

    Eigenvalues below 1e-12 of the largest count as zero.
    """
    values = torch.linalg.eigvalsh(dense(linear, shape))
    positive = values[values > 1e-12 * values[-1]]
    return float(positive[-1] / positive[0])


def dense(linear: Linear, shape: torch.Size) -> Tensor:
    """Return the symmetric matrix of a linear map on matrices of a shape, flattened row by row."""
    basis = torch.eye(shape.numel(), dtype=torch.float64)
    columns = torch.stack([linear(row.view(shape)).reshape(-1) for row in basis])
    return (columns + columns.T) / 2

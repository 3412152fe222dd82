"""The subproblem to machine precision, by one eigendecomposition; for small models."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from deqbench.plugin import InapplicableError, NonFiniteError
from deqbench_plugins.trainers.trust_region.loop import Step

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.interfaces import HessianProduct
    from deqbench_plugins.trainers.trust_region.metrics import ApplyInverse

LIMIT = 2000
"""Most parameters for which a dense Hessian is formed: 32 MB, and some seconds for its eigenvectors."""


def exact(
    g: Tensor, hessian: HessianProduct, apply_inverse: ApplyInverse, radius: float, tolerance: float
) -> Step:
    """Minimise g'p + p'Hp / 2 in the ball ||p||_M <= radius exactly.

    With M^-1 = L L' and p = L q the ball is ||q|| <= radius and the Hessian L'HL = V diag(w) V'.

    Args:
        g: Gradient, (P,), P <= LIMIT.
        hessian: v -> H v; called P times, and charged so.
        apply_inverse: r -> M^-1 r, M symmetric positive definite.
        radius: Of the ball, > 0.
        tolerance: Not used.

    Returns:
        The step; the global minimiser also where H is indefinite (hard case included).

    Raises:
        InapplicableError: The model has more than LIMIT parameters.
        NonFiniteError: The Hessian holds inf or nan.

    Source: Moré & Sorensen (1983), on an eigendecomposition instead of repeated Cholesky factors.
    """
    del tolerance
    dense = dense_hessian(hessian, g)
    basis = torch.eye(len(g), dtype=g.dtype, device=g.device)
    inverse = torch.stack([apply_inverse(row) for row in basis])
    factor = torch.linalg.cholesky((inverse + inverse.T) / 2)
    w, v = torch.linalg.eigh(factor.T @ dense @ factor)
    c = v.T @ (factor.T @ g)
    q = _in_ball(w, c, radius)
    predicted = -float(q @ (c + w * q / 2))
    return Step(factor @ (v @ q), predicted, float(torch.linalg.vector_norm(q)))


def dense_hessian(hessian: HessianProduct, like: Tensor) -> Tensor:
    """Return the symmetric Hessian (P, P) from P products; ``like`` (P,) gives its size, dtype and device.

    Raises:
        InapplicableError: P > LIMIT.
        NonFiniteError: It holds inf or nan.
    """
    size = len(like)
    if size > LIMIT:
        raise InapplicableError(
            f"A dense Hessian of {size} parameters was asked for; at most {LIMIT} are allowed. "
            "Use subproblem=steihaug or a smaller model."
        )
    basis = torch.eye(size, dtype=like.dtype, device=like.device)
    dense = torch.stack([hessian(row) for row in basis])
    if not bool(dense.isfinite().all()):
        raise NonFiniteError("The Hessian holds inf or nan.")
    return (dense + dense.T) / 2


def _in_ball(w: Tensor, c: Tensor, radius: float) -> Tensor:
    """Return the q of norm <= radius that minimises c'q + q'diag(w)q / 2; w ascending.

    q_i = -c_i / (w_i + lam) with the least lam >= max(0, -w_0) that keeps q in the ball.
    """
    low = max(0.0, -float(w[0]))
    scale = max(abs(float(w[0])), abs(float(w[-1])), torch.finfo(w.dtype).tiny)
    tiny = torch.finfo(w.dtype).eps * scale
    flat = w + low <= tiny  # where the model bends no more at lam = low
    q = torch.where(flat, torch.zeros_like(c), -c / torch.where(flat, torch.ones_like(w), w + low))
    inside = float(torch.linalg.vector_norm(q))
    pulls = float(c[flat].abs().max()) if bool(flat.any()) else 0.0
    if inside <= radius and pulls <= torch.finfo(w.dtype).eps * float(torch.linalg.vector_norm(c)):
        if low > 0.0:  # the hard case: the edge is reached along the lowest eigenvector
            q[0] = math.sqrt(max(radius**2 - inside**2, 0.0))
        return q
    return -c / (w + _multiplier(w, c, radius, low))


def _multiplier(w: Tensor, c: Tensor, radius: float, low: float) -> float:
    """Return lam > low with ||c / (w + lam)|| = radius: bracketed Newton on 1 / radius - 1 / ||q||."""
    high = low + float(torch.linalg.vector_norm(c)) / radius
    lam = high
    for _ in range(100):
        squares = (c / (w + lam)).square()
        norm = math.sqrt(float(squares.sum()))
        if abs(norm - radius) <= 4 * torch.finfo(w.dtype).eps * radius:
            break
        low, high = (lam, high) if norm > radius else (low, lam)
        slope = float((squares / (w + lam)).sum())
        lam += (norm - radius) / radius * norm**2 / slope
        if not low < lam < high:
            lam = (low + high) / 2
    return lam

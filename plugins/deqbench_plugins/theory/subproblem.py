"""The trust-region subproblem in the metric G = D^-1 - delta H, solved matrix-free without theorem 2.

Newton's method on the secular equation ||v(lam)||_G = radius, where (H + lam G) v(lam) = -g is solved by
conjugate gradients, preconditioned by D. The theorem says where it ends: lam = 1 / delta, v = -delta D g.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch

from deqbench.plugin import NonFiniteError

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench_plugins.theory.equivalence import Equivalence
    from deqbench_plugins.theory.metric import Linear

_TOLERANCE = 1e-13
_ROUNDS = 50


class Answer(NamedTuple):
    """The minimiser v (m_y, m) in the ball, and its multiplier."""

    v: Tensor
    multiplier: float


def in_the_ball(case: Equivalence, tolerance: float = 1e-11) -> Answer:
    """Return the minimiser of g'v + v'H v / 2 in ||v||_G <= radius, H >= 0.

    Args:
        case: Its metric, H, g and radius; the radius is all that is taken from theorem 2.
        tolerance: Relative accuracy of ||v||_G.

    Raises:
        NonFiniteError: The multiplier was not found.

    Source: Moré & Sorensen (1983), with conjugate gradients for their Cholesky factors.
    """
    radius, g = case.radius, case.gradient
    lam = float(torch.linalg.vector_norm(g)) * 1e-3 / radius  # any positive start below the root converges
    low, high = 0.0, math.inf
    for _ in range(_ROUNDS):
        v = _solve(case, lam, -g)
        inside = case.inside(v)
        length = float((v * inside).sum().sqrt())
        if abs(length - radius) <= tolerance * radius:
            return Answer(v, lam)
        low, high = (lam, high) if length > radius else (low, lam)
        slope = float((inside * _solve(case, lam, inside)).sum())
        lam += (length / radius - 1) * length**2 / slope
        if not low < lam < high:
            lam = math.sqrt(max(low, 1e-8 * high) * high) if math.isfinite(high) else 10 * low
    raise NonFiniteError("The trust region's multiplier was not found; H or the metric may not be finite.")


def _solve(case: Equivalence, lam: float, right: Tensor) -> Tensor:
    """Return (H + lam G)^-1 right, by conjugate gradients preconditioned by D / lam."""

    def product(v: Tensor) -> Tensor:
        return (1 - lam * case.delta) * case.hessian(v) + lam * case.metric.solve(v)

    return _conjugate_gradients(product, lambda r: case.metric.apply(r) / lam, right)


def _conjugate_gradients(product: Linear, precondition: Linear, right: Tensor) -> Tensor:
    x, r = torch.zeros_like(right), right
    y = precondition(r)
    d, ry = y, float((r * y).sum())
    goal = _TOLERANCE**2 * ry
    for _ in range(4 * right.numel() + 50):
        if not ry > goal:
            break
        image = product(d)
        alpha = ry / float((d * image).sum())
        x, r = x + alpha * d, r - alpha * image
        y = precondition(r)
        ry_next = float((r * y).sum())
        d, ry = y + (ry_next / ry) * d, ry_next
    return x

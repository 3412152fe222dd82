"""The subproblem by truncated conjugate gradients, preconditioned by the metric."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from deqbench.plugin import NonFiniteError
from deqbench_plugins.trainers.trust_region.loop import Step

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.interfaces import HessianProduct
    from deqbench_plugins.trainers.trust_region.metrics import ApplyInverse


def steihaug(
    g: Tensor, hessian: HessianProduct, apply_inverse: ApplyInverse, radius: float, tolerance: float
) -> Step:
    """Minimise g'p + p'Hp / 2 in the ball ||p||_M <= radius by truncated CG from p = 0.

    Norms in M come from recurrences, so only M^-1 is ever applied. The residual r = g + H p is carried, so
    the predicted reduction -(g'p + p'Hp / 2) = -p'(g + r) / 2 costs no product and no cancellation.
    The device is read once a CG step.

    Args:
        g: Gradient, (P,).
        hessian: v -> H v; called at most 2 P + 50 times.
        apply_inverse: r -> M^-1 r, M symmetric positive definite.
        radius: Of the ball, > 0.
        tolerance: Ends where ||r|| is at most this times ||g||, both in M^-1.

    Returns:
        The step; on the ball's edge where the curvature is not positive or the ball is left.

    Raises:
        NonFiniteError: The first product, or M^-1 g, is not finite.

    Source: Steihaug (1983); Conn, Gould & Toint (2000), the preconditioned Steihaug-Toint method.
    """
    p, r = torch.zeros_like(g), g
    y = apply_inverse(r)
    d, ry_here = -y, r @ y  # d: direction; r'y = ||r||^2 in M^-1
    ry = float(ry_here)
    goal = tolerance**2 * ry
    pp, pd, dd = 0.0, 0.0, ry  # p'Mp, p'Md, d'Md
    for _ in range(2 * len(g) + 50):
        hd = hessian(d)
        curvature = d @ hd
        r_next = torch.addcmul(r, ry_here / curvature, hd)
        y_next = apply_inverse(r_next)
        ry_ahead = r_next @ y_next
        kappa, ry_next = torch.stack((curvature, ry_ahead)).tolist()
        if not math.isfinite(kappa):
            break
        alpha = ry / kappa if kappa > 0 else math.inf
        pp_next = pp + alpha * (2 * pd + alpha * dd)
        if not pp_next < radius**2:  # a nan ends here too
            tau = _to_edge(pp, pd, dd, radius)
            return _step(g, p.add(d, alpha=tau), r.add(hd, alpha=tau), radius)
        p, r, pp = p.add(d, alpha=alpha), r_next, pp_next
        if not ry_next > goal:
            break
        beta = ry_next / ry
        pd, dd = beta * (pd + alpha * dd), ry_next + beta**2 * dd
        d = torch.add(-y_next, d, alpha=beta)
        ry, ry_here = ry_next, ry_ahead
    if pp == 0.0:
        raise NonFiniteError("A Hessian-vector product or the metric's inverse is not finite.")
    return _step(g, p, r, math.sqrt(pp))


def _to_edge(pp: float, pd: float, dd: float, radius: float) -> float:
    """Return tau >= 0 with ||p + tau d||_M = radius, written so that nothing cancels (p'Md >= 0)."""
    room = radius**2 - pp
    return room / (pd + math.sqrt(pd**2 + dd * room))


def _step(g: Tensor, p: Tensor, r: Tensor, length: float) -> Step:
    return Step(p, -0.5 * float(p @ (g + r)), length)

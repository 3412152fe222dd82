"""Theorem 2: the instantaneous flow step is a trust-region Newton step in the metric G = D^-1 - delta H.

With v = -delta D g: (H + G / delta) v = D^-1 v / delta = -g, and H + G / delta = D^-1 / delta > 0. So v is
the global minimiser of g'v + v'H v / 2 in the ball ||v||_G <= delta ||D g||_G, with multiplier 1 / delta, for
every delta below delta bar = 1 / lambda_max(D H); there G is positive definite, and only there.

The theorem is an identity between instantaneous steps in a norm that holds H itself: the Newton part
cancels. A flow of finite length delta differs from v by O(delta^2), a relative error of first order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.linalg
import scipy.optimize
import torch

from deqbench_plugins.theory.metric import dense

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench_plugins.theory.metric import Linear, Metric


@dataclass(frozen=True)
class Equivalence:
    """Theorem 2 at one state, for one delta.

    Attributes:
        metric: D.
        hessian: V -> H V at the state, (m_y, m) -> (m_y, m).
        gradient: g = grad L0(W), (m_y, m).
        delta: > 0; below ``metric.reach(hessian)`` for the theorem to hold.
    """

    metric: Metric
    hessian: Linear
    gradient: Tensor
    delta: float

    @property
    def step(self) -> Tensor:
        """-delta D g, (m_y, m): what the flow does to W in an instant, times delta."""
        return -self.delta * self.metric.apply(self.gradient)

    def inside(self, v: Tensor) -> Tensor:
        """Return G_delta v = D^-1 v - delta H v, (m_y, m)."""
        return self.metric.solve(v) - self.delta * self.hessian(v)

    @property
    def radius(self) -> float:
        """The radius delta ||D g||_G of the ball; NaN where G is not positive along the step."""
        step = self.step
        return float((step * self.inside(step)).sum().sqrt())

    def residual(self, v: Tensor, multiplier: float) -> float:
        """Return ||(H + multiplier G) v + g|| / ||g||: the first condition of optimality, to be zero."""
        left = self.hessian(v) + multiplier * self.inside(v) + self.gradient
        return float(torch.linalg.vector_norm(left) / torch.linalg.vector_norm(self.gradient))

    @property
    def kkt_residual(self) -> float:
        """The residual of the flow's step with multiplier 1 / delta."""
        return self.residual(self.step, 1.0 / self.delta)

    def dense(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return H and G (N, N), N = m_y m, and g (N,), for solvers that know nothing of D."""
        shape = self.metric.shape
        whole = dense(self.hessian, shape).numpy()
        return whole, dense(self.inside, shape).numpy(), self.gradient.reshape(-1).numpy()


class Solved(NamedTuple):
    """An answer to min g'v + v'H v / 2 in ||v||_G <= radius: v (N,) and its multiplier."""

    v: np.ndarray
    multiplier: float


def by_secular_equation(hessian: np.ndarray, inside: np.ndarray, g: np.ndarray, radius: float) -> Solved:
    """Solve the subproblem by one generalised eigendecomposition and a root of its secular equation.

    H x = mu G x with x'G x = 1 makes it diagonal: v = -X (mu + lam)^-1 X'g, and ||v||_G = radius has one root
    lam >= 0. Independent of D and of theorem 2. H >= 0 and G > 0 are symmetric, (N, N).

    Raises:
        numpy.linalg.LinAlgError: G is not positive definite.

    Source: Moré & Sorensen (1983), without the hard case: H of a convex loss is not indefinite.
    """
    values, vectors = scipy.linalg.eigh(hessian, inside)
    pulls = vectors.T @ g

    def excess(lam: float) -> float:
        return 1.0 / radius - 1.0 / float(np.linalg.norm(pulls / (values + lam)))

    low = 1e-14 * float(np.abs(values).max())  # H may be singular, and its zeros are rounded
    if excess(low) <= 0:
        return Solved(-vectors @ (pulls / (values + low)), 0.0)  # the Newton step is inside the ball
    high = 2 * (low + float(np.linalg.norm(pulls)) / radius)
    lam = float(scipy.optimize.brentq(excess, low, high, xtol=1e-300, rtol=8.9e-16, maxiter=500))
    return Solved(-vectors @ (pulls / (values + lam)), lam)


def by_slsqp(hessian: np.ndarray, inside: np.ndarray, g: np.ndarray, radius: float) -> np.ndarray:
    """Solve the subproblem by scipy's SLSQP from v = 0, for small N; accurate to about 1e-8."""
    minimize: Any = scipy.optimize.minimize  # its stubs want each constraint typed apart
    found = minimize(
        lambda v: g @ v + v @ hessian @ v / 2,
        np.zeros_like(g),
        jac=lambda v: g + hessian @ v,
        method="SLSQP",
        constraints={
            "type": "ineq",
            "fun": lambda v: 1.0 - v @ inside @ v / radius**2,
            "jac": lambda v: -2.0 * (inside @ v) / radius**2,
        },
        options={"ftol": 1e-16, "maxiter": 1000},
    )
    return np.asarray(found.x)

"""The optimal loss L* and a W* that attains it: exact for the square loss, convex optimisation else.

The DELM and the linear function W phi are one class of functions, for B is free and U invertible: L* of the
one is L* of the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from deqbench.interfaces import Split
from deqbench.learning.losses import Loss, signs, targets
from deqbench.learning.objective import Objective
from deqbench_plugins.theory.losses import Hull
from deqbench_plugins.trainers.trust_region.loop import TrustRegion
from deqbench_plugins.trainers.trust_region.steihaug import steihaug

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from deqbench_plugins.theory.losses import ConvexLoss

_ATTAINED = 1e-10
"""Curvature at W* below which the optimum is taken to lie at infinity: the data are separable in part."""

_AT_INFINITY = 1e-8
"""Gradient norm that is enough where no minimiser exists: L* is as near, and W only grows from there."""

_STEPS = 300
"""Outer steps of the trust region; it needs 10 to 30 where an optimum exists."""


@dataclass(frozen=True)
class Optimum:
    """The infimum of a convex loss.

    Attributes:
        value: L*, at the loss's scale; 0 where the data are separable.
        weights: W*, (m_y, m), a minimiser; where none exists, a W that separates the data.
        gradient_norm: Of the mean loss at ``weights``.
        attained: Whether a minimiser exists, so far as the curvature at ``weights`` shows. Where none does,
            no set holds it and kappa is meaningless, and so is the bound of theorem 1.
    """

    value: float
    weights: Tensor
    gradient_norm: float
    attained: bool


def optimum(loss: ConvexLoss, gtol: float = 1e-12) -> Optimum:
    """Return the optimum of a convex loss of W.

    The square loss by least squares of minimum norm, with the tolerance of the loss's own singular values.
    The others by trust-region Newton until the gradient of the mean loss is at most ``gtol`` or at its floor
    of rounding. A W whose margins are all positive proves that the data are separable: then the infimum is
    0, and no W attains it.

    Args:
        loss: What is minimised.
        gtol: Gradient norm of the mean loss to reach.
    """
    if loss.name == "square":
        return _least_squares(loss)
    objective = Objective(_Linear(loss), Loss(loss.name), Split(loss.features, loss.y))
    norm = float("inf")
    for count, outer in enumerate(_region(gtol).descend(objective)):
        norm = outer.gradient_norm
        if separates(loss, _weights(objective)):
            return Optimum(0.0, _weights(objective), norm, attained=False)
        if count >= _STEPS or (norm <= _AT_INFINITY and not _attained(loss, _weights(objective))):
            break
    found = _weights(objective)
    return Optimum(loss.value(found), found, norm, _attained(loss, found))


def separates(loss: ConvexLoss, weights: Tensor) -> bool:
    """Return whether every sample is on the right side of every decision of W, strictly.

    Logistic: each column's sign; cross-entropy: the sample's class has the greatest prediction.
    """
    q = loss.features @ weights.T
    if loss.name == "logistic":
        return bool((signs(loss.y, q) * q > 0).all())
    right = targets(loss.y, q).bool()
    return bool((q[right] > q.masked_fill(right, -torch.inf).amax(1)).all())


def _attained(loss: ConvexLoss, weights: Tensor) -> bool:
    return Hull(loss).widened(weights).tau > _ATTAINED


def _least_squares(loss: ConvexLoss) -> Optimum:
    singular = loss.singular
    inverse = torch.linalg.pinv(loss.features, rtol=singular.tolerance / singular.largest)
    goal = targets(loss.y, loss.features.new_empty(len(loss.features), loss.outputs))
    weights = (inverse @ goal).T
    norm = float(torch.linalg.vector_norm(loss.gradient(weights))) / (loss.scale * len(loss.features))
    return Optimum(loss.value(weights), weights, norm, attained=True)


def _region(gtol: float) -> TrustRegion:
    return TrustRegion(
        metric=lambda _hessian: lambda r: r,
        subproblem=steihaug,
        forcing=lambda norm: min(0.1, norm),
        radius=10.0,
        gtol=gtol,
    )


def _weights(objective: Objective) -> Tensor:
    return objective.parameters[0].detach().clone()


class _Linear(nn.Module):
    """q = W phi, started at zero, with its Hessian in closed form."""

    def __init__(self, loss: ConvexLoss) -> None:
        super().__init__()
        self._loss = loss
        self.weight = nn.Parameter(loss.features.new_zeros(loss.outputs, loss.features.shape[1]))

    def forward(self, features: Tensor) -> Tensor:
        return features @ self.weight.T

    def hessian_product(self, x: Tensor, y: Tensor, loss: str) -> Callable[[Tensor], Tensor]:
        del y, loss
        product, share = self._loss.hessian(self.weight.detach()), self._loss.scale * len(x)
        return lambda v: product(v.view_as(self.weight)).reshape(-1) / share

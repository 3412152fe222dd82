"""Metrics: the norm a trust region is a ball in, known only by the inverse r -> M^-1 r.

A metric given by its inverse costs nothing extra: preconditioned CG measures ||p||_M from recurrences.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch

from deqbench.plugin import InapplicableError, NonFiniteError

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.interfaces import HessianProduct
    from deqbench.learning.objective import Objective

ApplyInverse = Callable[["Tensor"], "Tensor"]
"""r -> M^-1 r, both (P,)."""

MetricAt = Callable[["HessianProduct"], ApplyInverse]
"""Called once at each new point, with its Hessian products."""

PROBES = 10
"""Products that estimate a Hessian's diagonal where the module has no closed form; each is charged."""


@runtime_checkable
class LinearInFeatures(Protocol):
    """A module q = W features(x) with one parameter, W (K, m)."""

    def features(self, x: Tensor) -> Tensor:
        """Return what W multiplies, (n, m)."""
        ...


def identity(objective: Objective) -> MetricAt:
    """Return M = I, the Euclidean norm."""
    del objective
    return lambda _hessian: lambda r: r


def hessian_diagonal(objective: Objective) -> MetricAt:
    """Return M = diag(H), anew at each point.

    Exact where the module knows it; else the absolute mean of v * H v over Rademacher v (Bekas, Kokiopoulou
    & Saad, 2007). Entries are kept above a share of their mean, so that M stays positive definite.
    """
    generator = torch.Generator().manual_seed(objective.order_seed)

    def at(hessian: HessianProduct) -> ApplyInverse:
        diagonal = objective.hessian_diagonal()
        share = 1e-6
        if diagonal is None:
            diagonal = _estimate(hessian, objective.vector, generator)
            share = 1e-2  # an estimate's small entries are mostly noise
        floor = share * diagonal.mean() + torch.finfo(diagonal.dtype).tiny
        inverse = diagonal.clamp(min=floor).reciprocal()
        return lambda r: r * inverse

    return at


def _estimate(hessian: HessianProduct, like: Tensor, generator: torch.Generator) -> Tensor:
    total = torch.zeros_like(like)
    for _ in range(PROBES):
        signs = torch.randint(2, like.shape, generator=generator).to(like) * 2 - 1
        total += signs * hessian(signs)
    return (total / PROBES).abs()


def data_gram(objective: Objective, shift: float) -> MetricAt:
    """Return M = I x (X'X / 2n + shift I), constant: Böhning's bound on the multinomial Hessian.

    Args:
        objective: Of a module that is linear in features X (n, m).
        shift: Keeps M positive definite where features are dependent; the loss's l2 is a good value.

    Raises:
        InapplicableError: The module is not linear in features.
        NonFiniteError: The features are not finite.

    Source: Böhning (1992), a lower-bound algorithm for multinomial logistic regression.
    """
    module = objective.module
    if not (isinstance(module, LinearInFeatures) and len(objective.parameters) == 1):
        raise InapplicableError(
            f"metric=data-gram needs a model that is linear in features, such as 'linear'; "
            f"{type(module).__name__} is not. Use metric=identity or hessian-diagonal."
        )
    features = module.features(objective.x)
    gram = features.T @ features / (2 * len(features))
    gram.diagonal().add_(shift)
    factor, failed = torch.linalg.cholesky_ex(gram)
    if int(failed):
        raise NonFiniteError("The features' Gram matrix is not positive definite; raise the shift.")
    inverse = torch.cholesky_inverse(factor)
    width = len(inverse)
    return lambda _hessian: lambda r: (r.view(-1, width) @ inverse).view(-1)

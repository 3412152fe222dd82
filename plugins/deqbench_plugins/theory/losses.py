"""Convex losses of W with gradient, Hessian product, and the constant kappa of their gradient inequality.

kappa is the number in ||grad L0(W)||^2 >= kappa (L0(W) - L*), for the loss *and its scale*: a loss summed
over samples has a kappa that is n times that of its mean, while lambda_min(D) is the same for both. So the
two are kept in one object.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn import functional

from deqbench.learning.losses import LossName, signs, targets

if TYPE_CHECKING:
    from torch import Tensor


class Singular(NamedTuple):
    """What is known of the features' singular values.

    Attributes:
        smallest: The smallest one that is not zero.
        largest: The largest one.
        rank: How many are not zero.
        tolerance: Those up to this count as zero.
    """

    smallest: float
    largest: float
    rank: int
    tolerance: float


def singular_values(features: Tensor) -> Singular:
    """Return the smallest non-zero singular value of features (n, m), and the tolerance that decided.

    The tolerance is max(n, m) eps times the largest, as in ``numpy.linalg.matrix_rank``.
    """
    values = torch.linalg.svdvals(features)
    tolerance = max(features.shape) * torch.finfo(features.dtype).eps * float(values[0])
    kept = values[values > tolerance]
    return Singular(float(kept[-1]), float(values[0]), len(kept), tolerance)


@dataclass(frozen=True)
class ConvexLoss:
    """scale * sum_i loss(W phi_i, y_i), a convex function of W (m_y, m).

    Attributes:
        name: ``square`` (no factor 1/2), ``logistic`` (one-vs-rest) or ``cross-entropy``, as in
            :mod:`deqbench.learning.losses`.
        features: phi_i in rows, (n, m), float64.
        y: Class indices (n,), or targets (n, m_y).
        outputs: Columns of a prediction, m_y.
        scale: 1 for the sum of the theory, 1 / n for the mean that trainers minimise.
    """

    name: LossName
    features: Tensor
    y: Tensor
    outputs: int
    scale: float = 1.0

    @classmethod
    def mean(cls, name: LossName, features: Tensor, y: Tensor, outputs: int) -> ConvexLoss:
        """Return the mean over samples: what :class:`deqbench.learning.objective.Objective` minimises."""
        return cls(name, features, y, outputs, 1.0 / len(features))

    def value(self, w: Tensor) -> float:
        """Return the loss at W."""
        q = self.features @ w.T
        if self.name == "square":
            total = (q - targets(self.y, q)).square().sum()
        elif self.name == "logistic":
            total = -functional.logsigmoid(signs(self.y, q) * q).sum()  # torch's softplus is cut off at 20
        else:
            total = functional.cross_entropy(q, self.y, reduction="sum")
        return self.scale * float(total)

    def gradient(self, w: Tensor) -> Tensor:
        """Return G = grad L0(W), (m_y, m)."""
        q = self.features @ w.T
        if self.name == "square":
            pull = 2 * (q - targets(self.y, q))
        elif self.name == "logistic":
            sign = signs(self.y, q)
            pull = -sign * (-sign * q).sigmoid()  # sigmoid(q) - 1 would cancel where q is large
        else:
            right = targets(self.y, q)
            wrong = q.softmax(1) * (1 - right)
            pull = wrong - right * wrong.sum(1, keepdim=True)  # nor may softmax - 1 cancel
        return self.scale * (pull.T @ self.features)

    def hessian(self, w: Tensor) -> Callable[[Tensor], Tensor]:
        """Return V -> H V at W, both (m_y, m), in two matrix products each."""
        q = self.features @ w.T
        if self.name == "logistic":
            p = q.sigmoid() * (-q).sigmoid()
        elif self.name == "cross-entropy":
            p = q.softmax(1)

        def product(v: Tensor) -> Tensor:
            change = self.features @ v.T  # (n, m_y)
            curved = 2 * change if self.name == "square" else p * change
            if self.name == "cross-entropy":
                curved = curved - p * curved.sum(1, keepdim=True)
            return self.scale * (curved.T @ self.features)

        return product

    @cached_property
    def singular(self) -> Singular:
        """The features' smallest non-zero singular value; computed once."""
        return singular_values(self.features)

    def kappa(self, tau: float = 2.0) -> float:
        """Return kappa = 2 tau sigma^2 scale, with sigma the smallest non-zero singular value.

        Args:
            tau: Least curvature of the loss in its predictions on a convex set that holds the whole
                trajectory and an optimum: 2 for the square loss, else :meth:`Hull.tau`.

        Source: Kawaguchi (2021) for the square and the logistic loss; that the non-zero singular values
        suffice, and the constant for the cross-entropy, are own. :attr:`Hull.kappa` is sharper.
        """
        return 2.0 * tau * self.singular.smallest**2 * self.scale


@dataclass(frozen=True)
class Hull:
    """A convex set of matrices W, known by what the predictions of each sample reach in it.

    The square loss needs none. For the logistic loss, the greatest |q_ik|, (n, m_y); for cross-entropy the
    greatest q_ik - q_ij, (n, m_y, m_y). Either is a polyhedron that contains every W it was widened by, and
    so all segments between them. Per sample it is far tighter than a ball around the trajectory (own).
    """

    loss: ConvexLoss
    reach: Tensor | None = None

    def widened(self, w: Tensor) -> Hull:
        """Return the least hull of this kind that also holds W."""
        if self.loss.name == "square":
            return self
        q = self.loss.features @ w.T
        here = q.abs() if self.loss.name == "logistic" else q.unsqueeze(2) - q.unsqueeze(1)
        return Hull(self.loss, here if self.reach is None else torch.maximum(self.reach, here))

    @property
    def curvatures(self) -> Tensor:
        """Least curvature of each sample's loss on the hull, (n, 1), or (n, m_y) for the logistic loss.

        2 (square), inf p (1 - p) (logistic, each column), inf min_j p_j (cross-entropy: a bound of the second
        eigenvalue of diag(p) - p p', the first belonging to predictions shifted alike, which change nothing).
        """
        if self.loss.name == "square":
            return self.loss.features.new_full((len(self.loss.features), 1), 2.0)
        if self.reach is None:
            raise ValueError("An empty hull has no curvature; widen it by a point first.")
        if self.loss.name == "logistic":
            return self.reach.sigmoid() * (-self.reach).sigmoid()
        # p_j = 1 / sum_k exp(q_k - q_j), and the term k = j is exp(0) = 1
        return torch.exp(-torch.logsumexp(self.reach, dim=1)).amin(1, keepdim=True)

    @property
    def tau(self) -> float:
        """The least of the samples' curvatures."""
        return float(self.curvatures.min())

    @property
    def kappa(self) -> float:
        """2 mu, mu the least non-zero eigenvalue of scale * sum_i tau_i phi_i phi_i' (own).

        On the hull the Hessian is at least this matrix, on the span of the features; tau_i are the samples'
        own curvatures. It is never below the kappa of their least, ``loss.kappa(tau)``, and far above it
        where a few samples lie far out.
        """
        rank = self.loss.singular.rank
        roots = self.curvatures.sqrt()
        least = min(
            float(torch.linalg.svdvals(column[:, None] * self.loss.features)[rank - 1]) for column in roots.T
        )
        return 2.0 * self.loss.scale * least**2

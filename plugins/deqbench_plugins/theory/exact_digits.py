"""A DELM and the square loss in more digits than float64: what settles whether a violation is a rounding.

The weights of a float64 state are taken as they are, exactly; softmax, equilibrium, D, its least eigenvalue
and the gap are then computed by mpmath. Every context is a private one, so that mpmath's global precision
neither matters nor changes. For small models: D is formed, of order m m_y.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import mpmath
import torch

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench_plugins.theory.delm import Delm
    from deqbench_plugins.theory.losses import ConvexLoss

DIGITS = 50
"""Decimal digits; float64 has 16."""

Matrix = Any
"""A matrix of mpmath, which ships no types."""


def context(digits: int = DIGITS) -> Any:
    """Return a context of its own with so many decimal digits."""
    own = mpmath.MPContext()
    own.dps = digits
    return own


def to_digits(own: Any, tensor: Tensor) -> Matrix:
    """Return a tensor (rows, columns) as a matrix of a context, exactly."""
    return own.matrix(tensor.tolist())


def from_digits(matrix: Matrix) -> Tensor:
    """Return a matrix rounded to float64, (rows, columns)."""
    return torch.tensor([[float(value) for value in row] for row in matrix.tolist()], dtype=torch.float64)


def squares(matrix: Matrix) -> Any:
    """Return the sum of the squares of a matrix's entries."""
    return matrix.ctx.fsum((value for value in matrix), squared=True)


def column_softmax(own: Any, free: Tensor) -> Matrix:
    """Return the column softmax of a tensor (d, d)."""
    rows = [[own.exp(value) for value in row] for row in free.tolist()]
    totals = [own.fsum(column) for column in zip(*rows, strict=True)]
    return own.matrix([[value / total for value, total in zip(row, totals, strict=True)] for row in rows])


@dataclass(frozen=True)
class ExactDelm:
    """A state of :class:`deqbench_plugins.theory.delm.Delm`; its names mean the same here.

    Attributes:
        own: The context.
        S: Column softmax of A, (m, m).
        B: (m_y, m).
        complement: 1 - gamma.
    """

    own: Any = field(repr=False)
    S: Matrix
    B: Matrix
    complement: Any

    @classmethod
    def of(cls, state: Delm, own: Any) -> ExactDelm:
        """Return a float64 state, taken exactly, in a context; matrices of two contexts do not mix."""
        return cls(own, column_softmax(own, state.A), to_digits(own, state.B), own.mpf(state.complement))

    @property
    def gamma(self) -> Any:
        """The contraction factor."""
        return 1 - self.complement

    @cached_property
    def U(self) -> Matrix:  # noqa: N802 -- the paper's letter
        """I - gamma S, (m, m)."""
        return self.own.eye(self.S.rows) - self.gamma * self.S

    @cached_property
    def inverse(self) -> Matrix:
        """U^-1, (m, m)."""
        return self.own.inverse(self.U)

    @cached_property
    def W(self) -> Matrix:  # noqa: N802 -- the paper's letter
        """B U^-1, (m_y, m)."""
        return self.B * self.inverse

    def equilibrium(self, features: Tensor) -> Matrix:
        """Return z*(x) of features (n, m) in rows, (n, m)."""
        return to_digits(self.own, features) * self.inverse.T

    @cached_property
    def blocks(self) -> list[Matrix]:
        """I + gamma^2 W J_k^2 W', (m_y, m_y), for k = 1 to m."""
        means = self.W * self.S  # (m_y, m): column k is W S_k
        found = []
        for k in range(self.S.rows):
            turned = self.own.matrix(self.W.rows, self.S.rows)  # gamma W J_k
            for a in range(self.W.rows):
                for i in range(self.S.rows):
                    turned[a, i] = self.gamma * (self.W[a, i] - means[a, k]) * self.S[i, k]
            found.append(self.own.eye(self.W.rows) + turned * turned.T)
        return found

    def apply(self, v: Matrix) -> Matrix:
        """Return D v, both (m_y, m)."""
        pulled = v * self.inverse.T
        turned = self.own.matrix(v.rows, v.cols)
        for k, block in enumerate(self.blocks):
            turned[:, k] = block * pulled[:, k]
        return turned * self.inverse

    def squared_gradient(self, outer: Matrix) -> Any:
        """Return ||grad L(A, B)||^2 = <G, D G>, given G = grad L0(W), (m_y, m)."""
        return self.own.fdot(outer, self.apply(outer))

    @cached_property
    def dense(self) -> Matrix:
        """D, (m_y m, m_y m), flattened row by row; N_k[a, b] (U^-1)[k, j] (U^-1)[k, l] summed over k."""
        rows, size = self.W.rows, self.S.rows
        found = self.own.matrix(rows * size, rows * size)
        for a in range(rows):
            for b in range(a + 1):
                weighted = self.own.diag([block[a, b] for block in self.blocks]) * self.inverse
                part = self.inverse.T * weighted
                for j in range(size):
                    for k in range(size):
                        found[a * size + j, b * size + k] = part[j, k]
                        found[b * size + k, a * size + j] = part[j, k]
        return found

    @cached_property
    def least(self) -> Any:
        """lambda_min(D): 1 / ||U||^2 where rank W < m_y for certain, else of D itself."""
        if self.W.rows > self.S.rows:
            return 1 / self.own.eigsy(self.U * self.U.T, eigvals_only=True)[self.S.rows - 1]
        return self.own.eigsy(self.dense, eigvals_only=True)[0]

    @property
    def paper_floor(self) -> Any:
        """The paper's bound 1 / (m (1 + gamma)^2)."""
        return 1 / (self.S.rows * (1 + self.gamma) ** 2)


@dataclass(frozen=True)
class ExactSquare:
    """scale * sum_i |W phi_i - y_i|^2 as a function of W, by (W - W*) alone: nothing cancels near W*.

    Attributes:
        own: The context.
        gram: sum_i phi_i phi_i', (m, m), on the span that float64 counts as the features' own.
        weights: W*, (m_y, m), of minimum norm.
        least: Its smallest non-zero eigenvalue, sigma^2.
        scale: 1 for the sum over samples.
    """

    own: Any = field(repr=False)
    gram: Matrix
    weights: Matrix
    least: Any
    scale: Any

    @classmethod
    def of(cls, loss: ConvexLoss, own: Any) -> ExactSquare:
        """Return a square loss; its rank is what float64 found, for features of rank 3 are so to rounding."""
        features, y = to_digits(own, loss.features), to_digits(own, loss.y)
        values, vectors = own.eigsy(features.T * features)
        kept = vectors[:, vectors.cols - loss.singular.rank :]
        large = [values[k] for k in range(vectors.cols - loss.singular.rank, vectors.cols)]
        inverse = kept * own.diag([1 / value for value in large]) * kept.T
        gram = kept * own.diag(large) * kept.T
        return cls(own, gram, y.T * features * inverse, large[0], own.mpf(loss.scale))

    def gap(self, w: Matrix) -> Any:
        """Return L0(W) - L*."""
        away = w - self.weights
        return self.scale * self.own.fdot(away * self.gram, away)

    def gradient(self, w: Matrix) -> Matrix:
        """Return G, (m_y, m)."""
        return 2 * self.scale * (w - self.weights) * self.gram

    @property
    def kappa(self) -> Any:
        """4 sigma^2 scale."""
        return 4 * self.least * self.scale

"""The explicit shallow model: q = W [x, 1], convex in its parameters, with its Hessian in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.interfaces import HessianProduct


@dataclass(frozen=True)
class Linear:
    """An affine model, started at zero, where every class and column is alike.

    With a square, logistic or cross-entropy loss its training problem is convex, so its optimal loss is the
    yardstick for every trainer.
    """

    implicit: ClassVar[bool] = False

    def build(self, inputs: tuple[int, ...], outputs: int) -> nn.Module:
        """Return the module, at zero."""
        return Affine(math.prod(inputs), outputs)


class Affine(nn.Module):
    """q = W [x, 1] with one parameter: the bias is a column of W, flat parameters are W row by row.

    Attributes:
        weight: (K, m), m = inputs + 1; the last column is the bias.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs + 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return predictions (B, K) of inputs (B, *in)."""
        return nn.functional.linear(x.flatten(1), self.weight[:, :-1], self.weight[:, -1])

    def features(self, x: Tensor) -> Tensor:
        """Return [x, 1], (B, m), whose product with W is the prediction."""
        rows = x.flatten(1)
        return torch.cat([rows, rows.new_ones(len(rows), 1)], dim=1)

    def hessian_product(self, x: Tensor, y: Tensor, loss: str) -> HessianProduct | None:
        """Return v -> H v of the mean loss, in two matrix products each.

        H v = (1/n) sum_i (C_i V x_i) x_i', where C_i = d2 loss / dq2 at sample i is 2 I (square),
        diag(p (1 - p)) (logistic) or diag(p) - p p' (cross-entropy).
        """
        del y  # none of the three curvatures depends on the labels
        features = self.features(x)  # (n, m)
        shape, scale = self.weight.shape, 1.0 / len(features)
        weights = self._curvature(features, loss)

        def product(vector: Tensor) -> Tensor:
            change = features @ vector.view(shape).T  # (n, K), the predictions' change
            if weights is None:
                return (change.T @ features).mul_(2 * scale).view(-1)
            curved = weights * change
            if loss == "cross-entropy":
                curved.addcmul_(weights, curved.sum(1, keepdim=True), value=-1)
            return (curved.T @ features).mul_(scale).view(-1)

        return product

    def hessian_diagonal(self, x: Tensor, y: Tensor, loss: str) -> Tensor | None:
        """Return the diagonal of H, (P,), in one matrix product: (1/n) sum_i C_i[k, k] x_i[j]^2."""
        del y
        features = self.features(x)
        weights = self._curvature(features, loss)
        squares = features.square()
        if weights is None:
            return squares.mean(0).mul(2).repeat(self.weight.shape[0])
        own = weights * (1 - weights) if loss == "cross-entropy" else weights
        return (own.T @ squares).div_(len(features)).view(-1)

    def _curvature(self, features: Tensor, loss: str) -> Tensor | None:
        """Return p (cross-entropy) or p (1 - p) (logistic), (n, K); None for the square loss: constant."""
        if loss == "square":
            return None
        q = features @ self.weight.detach().T
        if loss == "cross-entropy":
            return q.softmax(1)
        p = q.sigmoid()
        return p * (1 - p)

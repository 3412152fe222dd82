"""Maps that are linear in z up to an offset: ``AffineMap``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class AffineMap:
    """The map z -> M z + offset, whose one input is the offset; samples are rows.

    Attributes:
        matrix: M, (d, d); may be attached to a graph.
        column_sum: c where 1^T (I - M) = c 1^T is known exactly, as for M = gamma S with S a column
            softmax: c = 1 - gamma. Passing c, not gamma, keeps its digits as gamma -> 1.
        memo: What a solver keeps between solves with this matrix (factorisations); shared with ``T``.
        transposed: Whether this is the transpose of the map that ``memo`` and ``column_sum`` describe.
    """

    matrix: Tensor
    column_sum: float | None = None
    memo: dict[Any, Any] = field(default_factory=dict, repr=False)
    transposed: bool = False

    @functools.cached_property
    def turned(self) -> Tensor:
        """M^T, without a graph: making this view at every call would cost half a small product."""
        return self.matrix.detach().mT

    def __call__(self, z: Tensor, offset: Tensor) -> Tensor:
        """Return M z + offset for each row: (B, d), (B, d) -> (B, d)."""
        live = self.matrix.requires_grad and torch.is_grad_enabled()
        turned = self.matrix.mT if live else self.turned
        if z.dim() == 2 and offset.shape == z.shape:
            return torch.addmm(offset, z, turned)
        return z @ turned + offset

    def at(self, z: Tensor, offset: Tensor) -> Callable[[Tensor], Tensor]:
        """Return z -> M z + offset for states like this one: what is asked of them is asked once."""
        if z.dim() != 2 or offset.shape != z.shape or torch.is_grad_enabled():
            return lambda point: self(point, offset)
        addmm, turned = torch.addmm, self.turned
        return lambda point: addmm(offset, point, turned)

    def linear(self, v: Tensor) -> Tensor:
        """Return M v for each row: the Jacobian-vector product at every z."""
        return v @ self.matrix.mT

    @property
    def T(self) -> AffineMap:  # noqa: N802 -- the transpose's name in linear algebra and in torch
        """The map z -> M^T z + offset: the adjoint equation's, with the incoming gradient as offset."""
        return AffineMap(self.matrix.mT, self.column_sum, self.memo, not self.transposed)

"""The DELM's state (A, B, gamma): equilibrium, gradient and lift in O(m^3 + m^2 m_y), and its invariants.

Shapes: ``m`` features, ``n`` samples, ``m_y`` outputs. Nothing of size m^2 x m^2 is ever formed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import torch

from deqbench_plugins.models.deq_linear import DeqLinearModule, column_softmax

if TYPE_CHECKING:
    from torch import Tensor, nn


class Weights(NamedTuple):
    """A direction in, or a gradient with respect to, the parameters: A (m, m) and B (m_y, m)."""

    A: Tensor
    B: Tensor

    def squared_norm(self) -> float:
        """Return the squared Euclidean norm of both together."""
        return float(self.A.square().sum() + self.B.square().sum())


@dataclass(frozen=True)
class Delm:
    """Weights of a DELM, and what follows from them; each part is computed once, when it is asked for.

    Attributes:
        A: (m, m), float64.
        B: (m_y, m), float64.
        complement: 1 - gamma, in (0, 1]. It is given rather than gamma, because a gamma near 1 has lost the
            digits of 1 - gamma, which is U's column sum.
    """

    A: Tensor
    B: Tensor
    complement: float

    @property
    def gamma(self) -> float:
        """The contraction factor, in [0, 1)."""
        return 1.0 - self.complement

    @cached_property
    def S(self) -> Tensor:  # noqa: N802 -- the paper's letter
        """The column softmax of A, (m, m): columns sum to 1."""
        return column_softmax(self.A)

    @cached_property
    def U(self) -> Tensor:  # noqa: N802 -- the paper's letter
        """I - gamma S, (m, m); its columns sum to 1 - gamma.

        The diagonal is summed up from the column's other entries, so that nothing cancels as gamma -> 1.
        """
        off = -self.gamma * (self.S - torch.diag(self.S.diagonal()))
        return off + torch.diag(self.complement - off.sum(0))

    @cached_property
    def inverse(self) -> Tensor:
        """U^-1, (m, m): not negative, columns sum to 1 / (1 - gamma).

        Elimination loses digits along the Perron vector alone (own); the known sums give them back.
        """
        rough: Tensor = torch.linalg.inv(self.U).clamp_min(0.0)
        return rough * (1.0 / self.complement / rough.sum(0))

    @cached_property
    def W(self) -> Tensor:  # noqa: N802 -- the paper's letter
        """B U^-1, (m_y, m): the matrix of the linear function that the DELM is."""
        return self.B @ self.inverse

    def equilibrium(self, features: Tensor) -> Tensor:
        """Return z*(x) of features (n, m) in rows, (n, m)."""
        return features @ self.inverse.T

    def jacobian(self, columns: Tensor) -> Tensor:
        """Return J_k c_k for every column c_k of an (m, m) matrix, J_k = diag(S_k) - S_k S_k'.

        J_k is the derivative of softmax at A's column k; it is symmetric.
        """
        return self.S * (columns - (self.S * columns).sum(0))

    def gradient(self, outer: Tensor) -> Weights:
        """Return the gradient with respect to (A, B), given G = grad L0(W), (m_y, m).

        With P = G U^-T: dL/dB = P and dL/dA_k = J_k (gamma W'P)_k. It is also the lift: of all directions
        in (A, B) that move W by D G to first order, this one is the shortest.
        """
        pulled = outer @ self.inverse.T
        return Weights(self.jacobian(self.gamma * (self.W.T @ pulled)), pulled)

    def pushed(self, direction: Weights) -> Tensor:
        """Return dW = (dB + gamma W dS) U^-1, (m_y, m), of a direction in (A, B)."""
        return (direction.B + self.gamma * self.W @ self.jacobian(direction.A)) @ self.inverse

    def moved(self, direction: Weights, length: float = 1.0) -> Delm:
        """Return the state at (A, B) + length * direction."""
        return replace(self, A=self.A + length * direction.A, B=self.B + length * direction.B)

    def read_as(self, weights: Tensor) -> Delm:
        """Return the state of the same A whose function is W = weights (m_y, m): B = W U."""
        return replace(self, B=weights @ self.U)

    @property
    def vector(self) -> Tensor:
        """A, then B, row by row: (m^2 + m_y m,)."""
        return torch.cat([self.A.reshape(-1), self.B.reshape(-1)])

    def at(self, vector: Tensor) -> Delm:
        """Return the state of the same shapes and gamma whose parameters are a vector."""
        size = self.A.numel()
        return replace(self, A=vector[:size].view_as(self.A), B=vector[size:].view_as(self.B))


def state_of(module: nn.Module) -> Delm | None:
    """Return the state of a model ``deq-linear`` as float64 copies on the CPU; None for any other model."""
    if not isinstance(module, DeqLinearModule):
        return None
    a, b = (weight.detach().to("cpu", torch.float64).clone() for weight in (module.A, module.B))
    return Delm(a, b, 1.0 - module.gamma)


def perron_error(state: Delm, features: Tensor) -> float:
    """Return the largest relative error of 1'z* = 1'phi / (1 - gamma), which holds for every A (own).

    It tells the column softmax from the row softmax: with the wrong axis it is not small. Relative to
    |phi|_1 / (1 - gamma), so that features that sum to zero do no harm.
    """
    known = features.sum(1) / state.complement
    scale = features.abs().sum(1) / state.complement
    return float(((state.equilibrium(features).sum(1) - known).abs() / scale).max())


def column_sums(state: Delm) -> Tensor:
    """Return 1'A, (m,): constant along the flow, gradient descent, SGD and momentum, for 1'J_k = 0 (own)."""
    return state.A.sum(0)

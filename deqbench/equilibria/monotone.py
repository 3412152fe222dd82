"""Monotone maps z -> s(W z + offset): what operator splitting needs of them, and their adjoint.

If I - W is strongly monotone and the activation s is a proximal operator, the equilibrium exists and is
unique for every offset, however large W is.

Source: E. Winston and J. Z. Kolter (2020), "Monotone operator equilibrium networks", arXiv 2006.08591.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from deqbench.equilibria.linear_parts import LinearPart, circular_blocks, monotone_blocks

__all__ = [
    "Activation",
    "Identity",
    "LinearPart",
    "MonotoneMap",
    "Relu",
    "Scaling",
    "Tanh",
    "circular_blocks",
    "monotone_blocks",
]

NEWTON_STEPS = 6, 10
"""Newton steps on tanh's proximal equation to full precision: for steps in [0.05, 5], and beyond."""


class Activation(Protocol):
    """An activation, entry by entry, that is the proximal operator of a convex function g."""

    def __call__(self, v: Tensor, *parts: Tensor) -> Tensor:
        """Return s(v) = prox_g(v); ``parts`` are the map's inputs after the offset."""
        ...

    def prox(self, v: Tensor, step: float, *parts: Tensor) -> Tensor:
        """Return prox_{step g}(v), step > 0: s itself at step 1."""
        ...

    def slope(self, value: Tensor, *parts: Tensor) -> Tensor:
        """Return s' where s takes this value, in [0, 1]."""
        ...


@dataclass(frozen=True)
class Relu:
    """max(v, 0): the projection onto v >= 0, its proximal operator at every step."""

    def __call__(self, v: Tensor, *_parts: Tensor) -> Tensor:
        """Return max(v, 0)."""
        return torch.relu(v)

    def prox(self, v: Tensor, step: float, *_parts: Tensor) -> Tensor:  # noqa: ARG002 -- the same at every step
        """Return max(v, 0)."""
        return torch.relu(v)

    def slope(self, value: Tensor, *_parts: Tensor) -> Tensor:
        """Return 1 where the value is positive, else 0, as autograd does."""
        return (value > 0).to(value.dtype)


@dataclass(frozen=True)
class Identity:
    """v itself: the map is then affine."""

    def __call__(self, v: Tensor, *_parts: Tensor) -> Tensor:
        """Return v."""
        return v

    def prox(self, v: Tensor, step: float, *_parts: Tensor) -> Tensor:  # noqa: ARG002 -- the same at every step
        """Return v."""
        return v

    def slope(self, value: Tensor, *_parts: Tensor) -> Tensor:
        """Return 1."""
        return torch.ones_like(value)


@dataclass(frozen=True)
class Tanh:
    """tanh v: the proximal operator of g(x) = x atanh x + log(1 - x^2) / 2 - x^2 / 2."""

    def __call__(self, v: Tensor, *_parts: Tensor) -> Tensor:
        """Return tanh v."""
        return torch.tanh(v)

    def prox(self, v: Tensor, step: float, *_parts: Tensor) -> Tensor:
        """Return tanh y with (1 - step) tanh y + step y = v.

        The left side is odd, and for y > 0 concave (step < 1) or convex (step > 1). Both y = v and the
        y that takes tanh for 1 lie on the side of the root from which Newton's method never leaps over it.
        """
        if step == 1:
            return torch.tanh(v)
        size = v.abs()
        y, far = size, (size - (1 - step)) / step
        y = torch.maximum(y, far) if step < 1 else torch.minimum(y, far)
        for _ in range(NEWTON_STEPS[0] if 0.05 <= step <= 5 else NEWTON_STEPS[1]):
            t = torch.tanh(y)
            y = y - ((1 - step) * t + step * y - size) / (1 - (1 - step) * t * t)
        return torch.copysign(torch.tanh(y), v)

    def slope(self, value: Tensor, *_parts: Tensor) -> Tensor:
        """Return 1 - tanh^2."""
        return 1 - value * value


@dataclass(frozen=True)
class Scaling:
    """D v with slopes D in [0, 1] given as the map's second input: the adjoint equation's activation."""

    def __call__(self, v: Tensor, *parts: Tensor) -> Tensor:
        """Return D v."""
        return parts[0] * v

    def prox(self, v: Tensor, step: float, *parts: Tensor) -> Tensor:
        """Return D v / (D + step (1 - D)): g is (1 / D - 1) x^2 / 2."""
        slope = parts[0]
        return slope * v / (slope + step * (1 - slope))

    def slope(self, value: Tensor, *parts: Tensor) -> Tensor:  # noqa: ARG002 -- it is linear
        """Return D."""
        return parts[0]


@dataclass(frozen=True, eq=False)
class MonotoneMap:
    """The map z -> s(W z + offset), whose first input is the offset; samples are rows.

    Attributes:
        operator: W. Its ``monotonicity`` is m, its ``lipschitz`` is L = ||I - W||_2.
        activation: s.
    """

    operator: LinearPart
    activation: Activation

    def __call__(self, z: Tensor, offset: Tensor, *parts: Tensor) -> Tensor:
        """Return s(W z + offset), (B, *s)."""
        return self.activation(self.inner(z, offset), *parts)

    def inner(self, z: Tensor, offset: Tensor) -> Tensor:
        """Return W z + offset, (B, *s)."""
        return self.operator(z, offset)

    def adjoint(self, value: Tensor, *parts: Tensor) -> tuple[MonotoneMap, Tensor]:
        """Return the adjoint equation as a monotone map v -> D (W^T v + g), and D.

        With the slopes D of s at z*, u = J^T u + g has the solution u = W^T v + g, which is the
        returned map's ``inner(v, g)``. Its inputs are g and D.

        Args:
            value: The map's value at z*, (B, *s).
            parts: The map's inputs after the offset.

        Source: theorem 2 of Winston and Kolter (2020), whose operator D^-1 - I is that of ``Scaling``.
        """
        return MonotoneMap(self.operator.T, Scaling()), self.activation.slope(value, *parts)

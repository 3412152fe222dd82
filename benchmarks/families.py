"""The map families of known difficulty that every benchmark is run on, for us and for torchdeq.

- ``lin``: z = gamma S z + x, S a column softmax of N(0, 1): rate gamma.
- ``tanh``: z = tanh(W z + x), W Gaussian of spectral norm s: real rate about .4 at s = .99.
- ``tanhsym``: the same with symmetric W and x small (N(0, .1^2)), so that the rate is near the norm.

``x`` stands for phi(x) or U x + b, which no iteration computes again.
Everything is drawn in float64 from a fixed seed and cast, so both types see one problem.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from deqbench.equilibria.affine import AffineMap
from deqbench.equilibria.maps import Function, Map
from deqbench_plugins.models.deq_linear import column_softmax

SIZES = ((1, 64), (64, 256), (512, 512), (4096, 128))
"""(batch, dimension)."""

DIFFICULTIES = (
    *(("lin", level) for level in (0.5, 0.9, 0.99)),
    *(("tanh", level) for level in (0.5, 0.9, 0.99)),
    *(("tanhsym", level) for level in (0.9, 0.99)),
)
"""(family, level): every one of them contracts."""

ACCURACIES = ((1e-3, torch.float32), (1e-6, torch.float32), (1e-10, torch.float64))
"""(relative tolerance, type)."""


@dataclass(frozen=True)
class Case:
    """One problem: a family at a difficulty, a size and a type.

    Attributes:
        family: ``lin``, ``tanh`` or ``tanhsym``.
        level: gamma, or the spectral norm of W, < 1.
        batch: Samples.
        dimension: Of one state.
        dtype: Of everything.
        scale: Units of the state: z and f are multiplied by it.
    """

    family: str
    level: float
    batch: int
    dimension: int
    dtype: torch.dtype = torch.float32
    scale: float = 1.0

    def __str__(self) -> str:
        short = "f32" if self.dtype == torch.float32 else "f64"
        return f"{self.family} {self.level:g} ({self.batch},{self.dimension}) {short}"

    def draw(self) -> tuple[Tensor, Tensor]:
        """Return the weights, A of ``lin`` or W of the others, (d, d), and the input x, (B, d).

        Whoever asks is given the same memory, so that no competitor finds its operands colder than another.
        """
        weights, x = _drawn(self)
        return weights.detach(), x.detach()

    def function(self, weights: Tensor) -> Function:
        """Return f(z, x) with these weights, differentiable in them; an ``AffineMap`` for ``lin``."""
        if self.family == "lin" and self.scale == 1:
            return AffineMap(self.level * column_softmax(weights), column_sum=1 - self.level)
        matrix = self.level * column_softmax(weights) if self.family == "lin" else weights
        transposed, scale, linear = matrix.mT, self.scale, self.family == "lin"

        def f(z: Tensor, x: Tensor) -> Tensor:
            pre = torch.addmm(x, z if scale == 1 else z / scale, transposed)
            value = pre if linear else torch.tanh(pre)
            return value if scale == 1 else scale * value

        return f

    def map(self) -> tuple[Map, Tensor]:
        """Return the counted map and a zero start."""
        weights, x = self.draw()
        return Map(self.function(weights), (x,)), torch.zeros_like(x)

    def closure(self) -> tuple[Callable[[Tensor], Tensor], Tensor]:
        """Return z -> f(z), what torchdeq is handed, and a zero start."""
        weights, x = self.draw()
        return self.close(weights, x), torch.zeros_like(x)

    def close(self, weights: Tensor, x: Tensor) -> Callable[[Tensor], Tensor]:
        """Return z -> f(z, x) with these weights, without a layer of ours between."""
        if self.family == "lin" and self.scale == 1:
            transposed = (self.level * column_softmax(weights)).mT
            return lambda z: torch.addmm(x, z, transposed)
        f = self.function(weights)
        return lambda z: f(z, x)

    def exact(self) -> Callable[[Tensor], Tensor]:
        """Return z -> f(z) in float64, the very map: its numbers are those of ``dtype``, not drawn anew."""
        weights, x = self.draw()
        f, wide = self.function(weights), x.double()
        if isinstance(f, AffineMap):
            matrix = f.matrix.double()
            return lambda z: torch.addmm(wide, z, matrix.mT)
        g = self.function(weights.double())
        return lambda z: g(z, wide)


@functools.lru_cache(maxsize=8)
def _drawn(case: Case) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(0)
    weights = torch.randn(case.dimension, case.dimension, generator=g, dtype=torch.float64)
    x = torch.randn(case.batch, case.dimension, generator=g, dtype=torch.float64)
    if case.family != "lin":
        weights = (weights + weights.T) / 2 if case.family == "tanhsym" else weights
        weights = weights * (case.level / torch.linalg.matrix_norm(weights, 2))
        x = x * (0.1 if case.family == "tanhsym" else 1.0)
    return weights.to(case.dtype), x.to(case.dtype)


def residual(closure: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """Return ||f(z) - z||_2 / ||f(z)||_2 of each sample, (B,); in float64 by ``Case.exact``."""
    fz = closure(z)
    found: Tensor = (fz - z).norm(dim=1) / fz.norm(dim=1)
    return found


def bare(closure: Callable[[Tensor], Tensor], z0: Tensor, calls: int) -> Callable[[], Tensor]:
    """Return the floor: ``calls`` bare calls of the map, one after the other."""

    def run() -> Tensor:
        z = z0
        with torch.no_grad():
            for _ in range(calls):
                z = closure(z)
        return z

    return run

"""Gradient descent on a wide ReLU equilibrium model of a few samples, in closed formulas.

z = relu(W z + U x), f = a'z, loss = sum (f - y)^2 / 2. Entries of W have variance 2 * .04 / m, so that
||W||_2 is about .57 and equilibria are unique; those of U 2 / d, those of a 1 / m; ||x|| = sqrt(d).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import torch

from deqbench_plugins.claims.cases import draw, normal

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

SAMPLES, INPUTS, VARIANCE = 8, 10, 0.04
STEPS = 1000
"""At most so many."""
DIVERGED = 1e6
"""Multiple of the first loss at which descent is given up."""
_TOLERANCE, _ROUNDS = 1e-12, 500
_EXACT = 200
"""Up to this width ||W||_2 is computed at every step."""


@dataclass(frozen=True)
class Case:
    """What is descended, and how.

    Attributes:
        seed: Data and weights are drawn from it; data alike at every width.
        m: Width.
        goal: Share of the first loss at which it ends.
        share: eta times the largest eigenvalue of the tangent kernel at the start.
        frozen: Whether the readout a stays as it was.
        precision: From 1 on equilibria are solved 100 times more tightly.
    """

    seed: int
    m: int
    goal: float = 1e-8
    share: float = 1.0
    frozen: bool = False
    precision: int = 0


@dataclass(frozen=True)
class Descent:
    """One run of gradient descent.

    Attributes:
        rate: eta.
        losses: Loss over the first loss, step 0 included.
        first_eigenvalue: Least eigenvalue of the kernel at step 0: Z'Z, or the tangent kernel of (W, U).
        least_eigenvalue: The least one seen at any step.
        first_norm: ||W||_2 at step 0.
        largest_norm: The largest ||W||_2 seen, or a bound of it at large widths.
        moved: ||W - W_0||_F at the end.
    """

    rate: float
    losses: tuple[float, ...]
    first_eigenvalue: float
    least_eigenvalue: float
    first_norm: float
    largest_norm: float
    moved: float


@dataclass(frozen=True)
class _Point:
    """Weights W (m, m), U (m, d), a (m,), and what the last solves ended at, (m, n) each.

    z are the equilibria; p solves p = a + W'D p, D their activations; v = D p, so that df/dW = v z'.
    """

    W: Tensor
    U: Tensor
    a: Tensor
    z: Tensor
    p: Tensor
    v: Tensor

    def stepped(self, x: Tensor, error: Tensor, rate: float, *, frozen: bool) -> _Point:
        """Return the weights after one step of gradient descent, given f - y at the n samples."""
        pull = self.v * error
        moved = replace(self, W=self.W - rate * pull @ self.z.mT, U=self.U - rate * pull @ x.mT)
        return moved if frozen else replace(moved, a=self.a - rate * self.z @ error)


class _Kernel(NamedTuple):
    """The least eigenvalue that the claim is about, and the largest one of the whole tangent kernel."""

    least: float
    largest: float


def descent(case: Case) -> Descent:
    """Return gradient descent from a random start."""
    generator = draw(case.seed)
    x = normal(generator, INPUTS, SAMPLES)
    x *= INPUTS**0.5 / x.norm(dim=0)
    y = normal(generator, SAMPLES)
    here, tolerance = _start(generator, case.m), _TOLERANCE / 100 ** min(case.precision, 1)
    start, first_norm = here.W, float(torch.linalg.matrix_norm(here.W, 2))
    rate, first, least, largest = 0.0, 0.0, float("inf"), first_norm
    losses: list[float] = []
    for _ in range(STEPS + 1):
        here = _solved(here, x, tolerance)
        kernel = _kernel(here, x, frozen=case.frozen)
        error = here.a @ here.z - y
        losses.append(float(error @ error) / 2)
        if not losses[-1] < DIVERGED * losses[0]:
            losses[-1] = DIVERGED * losses[0]  # at least; it may be infinite or not a number
            break
        if not rate:
            first, rate = kernel.least, case.share / kernel.largest
        least, largest = min(least, kernel.least), max(largest, _norm(here.W, start, first_norm))
        if losses[-1] <= case.goal * losses[0]:
            break
        here = here.stepped(x, error, rate, frozen=case.frozen)
    ratios = tuple(loss / losses[0] for loss in losses)
    return Descent(rate, ratios, first, least, first_norm, largest, float((here.W - start).norm()))


def _start(generator: torch.Generator, m: int) -> _Point:
    return _Point(
        normal(generator, m, m) * (2 * VARIANCE / m) ** 0.5,
        normal(generator, m, INPUTS) * (2 / INPUTS) ** 0.5,
        normal(generator, m) / m**0.5,
        *(torch.zeros(m, SAMPLES, dtype=torch.float64) for _ in range(3)),
    )


def _solved(here: _Point, x: Tensor, tolerance: float) -> _Point:
    """Return the same weights with their equilibria and adjoints, each iterated from the last ones."""
    drive = here.U @ x
    z = _iterated(lambda z: (here.W @ z + drive).clamp_min(0), here.z, tolerance)
    active = (here.W @ z + drive > 0).to(z.dtype)
    p = _iterated(lambda p: here.a[:, None] + here.W.mT @ (active * p), here.p, tolerance)
    return replace(here, z=z, p=p, v=active * p)


def _iterated(f: Callable[[Tensor], Tensor], z: Tensor, tolerance: float) -> Tensor:
    for _ in range(_ROUNDS):
        after = f(z)
        change, z = float((after - z).norm()), after
        if change <= tolerance * float(z.norm()):
            break
    return z


def _kernel(here: _Point, x: Tensor, *, frozen: bool) -> _Kernel:
    readout = here.z.mT @ here.z
    layer = (here.v.mT @ here.v) * (readout + x.mT @ x)
    if not bool(torch.isfinite(layer).all()):
        return _Kernel(0.0, float("inf"))
    whole = layer if frozen else layer + readout
    least = torch.linalg.eigvalsh(layer if frozen else readout)[0]
    return _Kernel(float(least), float(torch.linalg.eigvalsh(whole)[-1]))


def _norm(weights: Tensor, start: Tensor, first_norm: float) -> float:
    """Return ||W||_2, or where it is large its bound ||W_0||_2 + ||W - W_0||_F, which is cheap."""
    if len(weights) <= _EXACT:
        return float(torch.linalg.matrix_norm(weights, 2))
    return first_norm + float((weights - start).norm())

"""Gradients of the mean-square loss at the true equilibria, in float64, by dense solves; and our own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from families import Case
from torch import Tensor

from deqbench_plugins.models.deq_linear import column_softmax

CHUNK = 32
"""Samples whose Jacobians are held at once."""


class Gradients(NamedTuple):
    """dL/dA (d, d), A the weights, and dL/dx (B, d), of L = mean z*^2."""

    weights: Tensor
    x: Tensor

    def errors(self, truth: Gradients) -> tuple[float, float]:
        """Return the relative 2-norm errors of both."""
        pairs = zip(self, truth, strict=True)
        return tuple(float((a.double() - b).norm() / b.norm()) for a, b in pairs)  # type: ignore[return-value]  # two


class Truth(NamedTuple):
    """Equilibria z* and adjoint solutions u, (B, d), and the gradients they give, all float64."""

    z: Tensor
    u: Tensor
    gradients: Gradients

    def rounding(self, case: Case) -> float:
        """Return the error that one call, differentiated in the case's type at the true z* and u, makes."""
        found = _pull(case, self.z.to(case.dtype), self.u.to(case.dtype))
        return max(found.errors(self.gradients))


def true_gradients(case: Case) -> Truth:
    """Return the truth of a case, whatever its type, by Newton and dense adjoint solves in float64."""
    case = replace(case, dtype=torch.float64)
    weights, x = case.draw()
    z, u = torch.zeros_like(x), torch.empty_like(x)
    f = case.function(weights)
    for _ in range(0 if case.family == "lin" else 300):  # near enough for Newton
        z = f(z, x)
    for start in range(0, case.batch, CHUNK):
        rows = slice(start, start + CHUNK)
        z[rows] = _newton(case, weights, z[rows], x[rows])
        systems = torch.eye(case.dimension, dtype=z.dtype) - _jacobians(case, weights, z[rows], x[rows])
        incoming = 2 * z[rows] / z.numel()
        u[rows] = torch.linalg.solve(systems.mT, incoming.unsqueeze(2)).squeeze(2)
    return Truth(z, u, _pull(case, z, u))


def _pull(case: Case, z: Tensor, u: Tensor) -> Gradients:
    """Return u^T df/dA and u^T df/dx at z."""
    weights, x = (part.requires_grad_() for part in case.draw())
    return Gradients(*torch.autograd.grad(case.function(weights)(z, x), (weights, x), u))


def _newton(case: Case, weights: Tensor, z: Tensor, x: Tensor) -> Tensor:
    f, eye = case.function(weights), torch.eye(case.dimension, dtype=z.dtype)
    for _ in range(2 if case.family == "lin" else 4):
        step = torch.linalg.solve(eye - _jacobians(case, weights, z, x), (f(z, x) - z).unsqueeze(2))
        z = z + step.squeeze(2)
    return z


def _jacobians(case: Case, weights: Tensor, z: Tensor, x: Tensor) -> Tensor:
    """Return df/dz of each sample, (B, d, d); one, (1, d, d), if all have the same."""
    if case.family == "lin":
        return case.level * column_softmax(weights).unsqueeze(0)
    slope: Tensor = 1 - torch.tanh(z @ weights.mT + x) ** 2
    return slope.unsqueeze(2) * weights


def loss_gradients(
    case: Case, layer: Callable[[Tensor, Tensor], Tensor], *, factor: float = 1.0
) -> Callable[[], Gradients]:
    """Return a run that makes an equilibrium, takes factor * L backward, and gives both gradients.

    Args:
        case: The problem.
        layer: Weights (d, d), x (B, d), both attached -> z*, (B, d).
        factor: What the loss is multiplied by; the gradients are divided by it again.
    """
    weights, x = case.draw()
    weights.requires_grad_()
    x.requires_grad_()

    def run() -> Gradients:
        weights.grad = x.grad = None
        (factor * layer(weights, x).square().mean()).backward()  # type: ignore[no-untyped-call]  # torch's
        assert weights.grad is not None, "it takes part"
        assert x.grad is not None, "it too"
        if factor == 1:
            return Gradients(weights.grad, x.grad)
        return Gradients(weights.grad / factor, x.grad / factor)

    return run

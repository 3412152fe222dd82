"""Checks of gradients, on an affine map whose exact gradient torch.linalg.solve gives."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from deqbench.equilibria.binding import Ledger, equilibrium
from deqbench.equilibria.solving import Stop

BATCH, SIZE = 4, 3


def _sides(gradient: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the equilibrium by the gradient and by a direct solve, and d(sum z^2)/dM by each."""
    generator = torch.Generator().manual_seed(0)
    raw = torch.randn(SIZE, SIZE, generator=generator, dtype=torch.float64)
    offset = torch.randn(BATCH, SIZE, generator=generator, dtype=torch.float64)
    matrix = (0.3 * raw / torch.linalg.matrix_norm(raw, ord=2)).requires_grad_()
    found = equilibrium(
        lambda z, x: z @ matrix.mT + x,
        torch.zeros_like(offset),
        offset,
        gradient=gradient,
        stop=Stop(tolerance=1e-10, max_calls=200),
        ledger=Ledger(),
    )
    identity = torch.eye(SIZE, dtype=torch.float64)
    exact = torch.linalg.solve(identity - matrix, offset.mT).mT
    (by_gradient,) = torch.autograd.grad(found.square().sum(), matrix)
    (by_solve,) = torch.autograd.grad(exact.square().sum(), matrix)
    return found.detach(), exact.detach(), by_gradient, by_solve


def returns_the_equilibrium(gradient: Any) -> str | None:
    """What it returns is the equilibrium."""
    found, exact, _, _ = _sides(gradient)
    error = float((found - exact).abs().max())
    return None if error < 1e-6 else f"it is {error:.1e} away"


def descends(gradient: Any) -> str | None:
    """Its gradient is finite and points up the exact one, if it does not equal it."""
    _, _, found, exact = _sides(gradient)
    if not torch.isfinite(found).all():
        return "it is not finite"
    cosine = float(torch.nn.functional.cosine_similarity(found.flatten(), exact.flatten(), dim=0))
    return None if cosine > 0.5 else f"its cosine with the exact gradient is {cosine:.2f}"


CHECKS = (returns_the_equilibrium, descends)

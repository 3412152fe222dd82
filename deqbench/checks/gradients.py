"""Checks of gradients, on an affine map whose exact gradient torch.linalg.solve gives."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from deqbench.checks.honesty import generators, seeded
from deqbench.equilibria.binding import Ledger, equilibrium
from deqbench.equilibria.solving import Stop
from deqbench.errors import InapplicableError

BATCH, SIZE = 4, 3
EVERY = slice(None)


class _Differentiated(NamedTuple):
    """An equilibrium and the gradient of the sum of its squares, by the gradient or by a dense solve."""

    z: Tensor  # (B, SIZE)
    by_matrix: Tensor  # (SIZE, SIZE)
    by_offset: Tensor  # (B, SIZE)
    evaluations: int = 0  # that the map saw of itself
    ledger: Ledger | None = None


def _numbers(rows: slice, spoilt: int | None) -> tuple[Tensor, Tensor]:
    """Return a matrix of norm 0.3 and offsets, both wanting a gradient; a spoilt offset is NaN."""
    generator = torch.Generator().manual_seed(0)
    raw = torch.randn(SIZE, SIZE, generator=generator, dtype=torch.float64)
    offset = torch.randn(BATCH, SIZE, generator=generator, dtype=torch.float64)
    if spoilt is not None:
        offset[spoilt] = torch.nan
    matrix = 0.3 * raw / torch.linalg.matrix_norm(raw, ord=2)
    return matrix.requires_grad_(), offset[rows].clone().requires_grad_()


def _by(
    gradient: Any, *, rows: slice = EVERY, spoilt: int | None = None, scale: float = 1.0
) -> _Differentiated:
    """Differentiate by the gradient, with the default solver or, where it needs that one, with Broyden's."""
    try:
        return _by_solver(gradient, None, rows, spoilt, scale)
    except InapplicableError:
        return _by_solver(gradient, "broyden", rows, spoilt, scale)


def _by_solver(
    gradient: Any, solver: str | None, rows: slice, spoilt: int | None, scale: float
) -> _Differentiated:
    matrix, offset = _numbers(rows, spoilt)
    evaluations, ledger = 0, Ledger()

    def f(z: Tensor, x: Tensor) -> Tensor:
        nonlocal evaluations
        evaluations += 1
        return z @ matrix.mT + x

    stop = Stop(tolerance=1e-10, max_calls=200)
    start = torch.zeros_like(offset)
    z = equilibrium(f, start, offset, solver=solver, gradient=gradient, stop=stop, ledger=ledger)
    by_matrix, by_offset = torch.autograd.grad(scale * z.square().sum(), (matrix, offset))
    return _Differentiated(z.detach(), by_matrix, by_offset, evaluations, ledger)


def _exactly() -> _Differentiated:
    matrix, offset = _numbers(EVERY, None)
    z = torch.linalg.solve(torch.eye(SIZE, dtype=torch.float64) - matrix, offset.mT).mT
    by_matrix, by_offset = torch.autograd.grad(z.square().sum(), (matrix, offset))
    return _Differentiated(z.detach(), by_matrix, by_offset)


def returns_the_equilibrium(gradient: Any) -> str | None:
    """What it returns is the equilibrium."""
    error = float((_by(gradient).z - _exactly().z).abs().max())
    return None if error < 1e-6 else f"it is {error:.1e} away"


def descends(gradient: Any) -> str | None:
    """Its gradient is finite and points up the exact one, if it does not equal it."""
    found, exact = _by(gradient), _exactly()
    for name, part, truth in (
        ("parameters", found.by_matrix, exact.by_matrix),
        ("inputs", found.by_offset, exact.by_offset),
    ):
        if not torch.isfinite(part).all():
            return f"that of the {name} is not finite"
        cosine = float(torch.nn.functional.cosine_similarity(part.flatten(), truth.flatten(), dim=0))
        if cosine <= 0.5:
            return f"that of the {name} has a cosine of {cosine:.2f} with the exact one"
    return None


def scales_with_the_loss(gradient: Any) -> str | None:
    """Scaling the loss by a million, up or down, scales its gradient and changes nothing else."""
    plain = _by(gradient)
    for scale in (1e-6, 1e6):
        scaled = _by(gradient, scale=scale)
        error = float((scaled.by_offset / scale - plain.by_offset).norm() / plain.by_offset.norm())
        if error > 1e-12:
            return f"scaled by {scale:g}, it differs by a relative {error:.1e}"
    return None


def keeps_samples_apart(gradient: Any) -> str | None:
    """A sample's gradient does not depend on the other samples of its batch."""
    together, alone = _by(gradient), _by(gradient, rows=slice(0, 1))
    error = float((together.by_offset[:1] - alone.by_offset).abs().max())
    return None if error < 1e-8 else f"alone, the first sample's gradient differs by {error:.1e}"


def survives_a_failed_sample(gradient: Any) -> str | None:
    """A sample that turns NaN changes no other sample's gradient."""
    clean, failed = _by(gradient), _by(gradient, spoilt=1)
    others = [row for row in range(BATCH) if row != 1]
    error = (clean.by_offset[others] - failed.by_offset[others]).abs().nan_to_num(torch.inf)
    worst = float(error.max())
    return None if worst < 1e-8 else f"beside a NaN, another sample's gradient differs by {worst:.1e}"


def charges_what_it_asks(gradient: Any) -> str | None:
    """Every evaluation of the map, forward and backward, is in the ledger, and none that was not made."""
    found = _by(gradient)
    assert found.ledger is not None, "the gradient's own run has one"
    charged = found.ledger.forward.map_calls + found.ledger.backward.map_calls
    if charged == found.evaluations:
        return None
    return f"{charged} calls are in the ledger, the map saw {found.evaluations}"


def serves_an_empty_batch(gradient: Any) -> str | None:
    """An empty batch gives an empty equilibrium and a zero gradient."""
    found = _by(gradient, rows=slice(0, 0))
    if found.z.shape != (0, SIZE):
        return f"its shape is {tuple(found.z.shape)}"
    return "the gradient is not zero" if bool(found.by_matrix.any()) else None


def repeats_itself(gradient: Any) -> str | None:
    """The same input gives the same gradient, bit by bit, without the global random generator."""
    found = []
    for seed in (3, 5):
        with seeded(seed):
            before = generators()
            found.append(_by(gradient))
            touched = [name for name, state in generators().items() if state != before[name]]
        if touched:
            return f"it draws from {touched[0]}"
    once, again = found
    same = torch.equal(once.by_matrix, again.by_matrix) and torch.equal(once.by_offset, again.by_offset)
    return None if same else "a second run differs: something is kept, or drawn at random"


CHECKS = (
    returns_the_equilibrium,
    descends,
    scales_with_the_loss,
    keeps_samples_apart,
    survives_a_failed_sample,
    charges_what_it_asks,
    serves_an_empty_batch,
    repeats_itself,
)

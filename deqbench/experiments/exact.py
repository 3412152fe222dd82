"""The exact gradient of a small equilibrium in float64: Newton to rounding, then a dense adjoint solve.

Shares nothing with the solvers and gradients that are measured against it but the map and autograd.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from deqbench.equilibria.maps import Map, flat_rows
from deqbench.errors import ConfigurationError, NonFiniteError

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.problems import Problem

MOST_BYTES = 2**30
"""Of the dense Jacobians of a batch; larger problems are refused."""
STEPS = 100
HALVINGS = 20
ROUNDING = 16.0
"""Units of rounding of ||f(z)|| below which a residual is nothing else."""
ACCURACY = 1e-10
"""Relative residual, far above rounding, that must be met; Newton's last steps all but always pass it."""


class Exact:
    """A gradient, for ``bound``: z* by Newton's method, dL/dz* pulled back by (I - J^T)^-1."""

    def attach(self, problem: Problem) -> Tensor:
        """Return z*, (B, *s), attached to the map's inputs and weights.

        Raises:
            ConfigurationError: The Jacobians would not fit into a gibibyte.
            NonFiniteError: Newton's method found no equilibrium.
        """
        f = Map(problem.f.function, problem.f.inputs)
        z = newton(f, problem.z0.detach())
        leaf, fz = problem.attach(z)
        attached: Tensor = _Pulled.apply(fz, z, jacobian(leaf, fz))  # type: ignore[no-untyped-call]  # torch's
        return attached


class _Pulled(torch.autograd.Function):
    """(f(z*) with its graph, z*, J) -> z*; backward sends (I - J^T)^-1 g into the graph of f."""

    @staticmethod
    def forward(ctx: Any, _fz: Tensor, z: Tensor, jacobians: Tensor) -> Tensor:
        ctx.save_for_backward(jacobians)
        return z.view_as(z)

    @staticmethod
    def backward(ctx: Any, incoming: Tensor) -> tuple[Tensor, None, None]:
        (jacobians,) = ctx.saved_tensors
        u: Tensor = torch.linalg.solve(_minus(jacobians).mT, flat_rows(incoming))
        return u.reshape(incoming.shape), None, None


@torch.no_grad()
def newton(f: Map, z: Tensor) -> Tensor:
    """Return z = f(z), (B, *s), to rounding, by Newton's method with dense Jacobians and halved steps.

    Each sample's step is halved until its residual falls; it ends where that is rounding, or falls no more.

    Args:
        f: The map, differentiable in z.
        z: Start, (B, *s), float64.

    Raises:
        ConfigurationError: The Jacobians would not fit into a gibibyte.
        NonFiniteError: It ended with a relative residual above 1e-10.
    """
    fz = f(z)
    for _ in range(STEPS):
        leaf, graph = f.linearise(z)
        step = torch.linalg.solve(_minus(jacobian(leaf, graph)), flat_rows(fz - z)).reshape(z.shape)
        before = _gap(z, fz)
        z, fz = _advanced(f, z, fz, step)
        after = _gap(z, fz)
        rounding = ROUNDING * torch.finfo(fz.dtype).eps * flat_rows(fz).norm(dim=1)
        if bool(((after <= rounding) | (after >= before)).all()):
            break
    relative = float((_gap(z, fz) / flat_rows(fz).norm(dim=1).clamp_min(1e-300)).max())
    if not relative <= ACCURACY:
        raise NonFiniteError(
            f"The exact equilibrium was not found: Newton's method ended at a relative residual of "
            f"{relative:.1e}. Take an easier or a smaller map."
        )
    return z


def jacobian(leaf: Tensor, fz: Tensor) -> Tensor:
    """Return df/dz of each sample, (B, d, d), row by row from a recorded call of f.

    Raises:
        ConfigurationError: It would not fit into a gibibyte.
    """
    batch, size = flat_rows(fz).shape
    if batch * size**2 * fz.element_size() > MOST_BYTES:
        raise ConfigurationError(
            f"The exact gradient needs {batch} Jacobians of {size} x {size}, more than a gibibyte; "
            "make the map's batch or dimension smaller."
        )
    rows = []
    for place in range(size):
        unit = torch.zeros(batch, size, dtype=fz.dtype, device=fz.device)
        unit[:, place] = 1
        found = torch.autograd.grad(fz, leaf, unit.reshape(fz.shape), retain_graph=True, allow_unused=True)[0]
        rows.append(unit * 0 if found is None else flat_rows(found))
    return torch.stack(rows, 1)


def _minus(jacobians: Tensor) -> Tensor:
    """Return I - J, (B, d, d)."""
    return torch.eye(jacobians.shape[-1], dtype=jacobians.dtype, device=jacobians.device) - jacobians


def _gap(z: Tensor, fz: Tensor) -> Tensor:
    """Return ||f(z) - z||_2 of each sample, (B,); infinite where it is not a number."""
    gap: Tensor = flat_rows(fz - z).norm(dim=1)
    return gap.nan_to_num(nan=math.inf)


def _advanced(f: Map, z: Tensor, fz: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """Return z + t step and f there, t halved for each sample until its residual falls; else z stays."""
    gap, spread = _gap(z, fz), [-1, *[1] * (z.dim() - 1)]
    share, found, value = torch.ones_like(gap), z, fz
    pending = torch.ones_like(gap, dtype=torch.bool)
    for _ in range(HALVINGS):
        trial = z + share.reshape(spread) * step
        image = f(trial)
        better = (pending & (_gap(trial, image) < gap)).reshape(spread)
        found, value = torch.where(better, trial, found), torch.where(better, image, value)
        pending = pending & ~better.flatten()
        if not bool(pending.any()):
            break
        share = torch.where(pending, share / 2, share)
    return found, value

"""Reference solvers: torchdeq's four, on the counted map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from torchdeq.solver.anderson import anderson_solver
from torchdeq.solver.broyden import broyden_solver
from torchdeq.solver.fp_iter import fixed_point_iter, simple_fixed_point_iter

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.solving import Map, Stop

NEVER = 0.0
"""Tolerance given to torchdeq: the core judges its calls as everybody's, sample by sample."""

Damping = Annotated[float, Field(gt=0, le=1, description="Share of the step that is taken; torchdeq's tau.")]


@dataclass(frozen=True)
class TorchdeqPicard:
    """torchdeq's ``fixed_point_iter``: Picard iteration with its statistics.

    The batch goes through as one call; samples that are done stay in it.
    """

    damping: Damping = 1.0

    def solve(self, f: Map, z0: Tensor, stop: Stop) -> Tensor:
        """Iterate until the core interrupts; returns its point of least residual."""
        found: Tensor = fixed_point_iter(f, z0, max_iter=stop.max_calls, tol=NEVER, tau=self.damping)[0]
        return found


@dataclass(frozen=True)
class TorchdeqSimple:
    """torchdeq's ``simple_fixed_point_iter``: Picard iteration that looks at nothing."""

    def solve(self, f: Map, z0: Tensor, stop: Stop) -> Tensor:
        """Iterate until the core interrupts; returns its last point."""

        def stepped(z: Tensor, tau: float = 1.0) -> Tensor:  # noqa: ARG001 -- torchdeq hands tau to the map
            return f(z)

        found: Tensor = simple_fixed_point_iter(stepped, z0, max_iter=stop.max_calls)[0]
        return found


@dataclass(frozen=True)
class TorchdeqAnderson:
    """torchdeq's ``anderson_solver``: type II, sample by sample, with an absolute ridge."""

    memory: Annotated[int, Field(ge=2, description="Residuals that are mixed; torchdeq's m.")] = 6
    ridge: Annotated[float, Field(ge=0, description="Added to the Gram matrix; torchdeq's lam.")] = 1e-4
    damping: Damping = 1.0

    def solve(self, f: Map, z0: Tensor, stop: Stop) -> Tensor:
        """Iterate until the core interrupts; returns its point of least residual."""
        found: Tensor = anderson_solver(
            f, z0, max_iter=stop.max_calls, tol=NEVER, m=self.memory, lam=self.ridge, tau=self.damping
        )[0]
        return found


@dataclass(frozen=True)
class TorchdeqBroyden:
    """torchdeq's ``broyden_solver``: good Broyden, sample by sample.

    Holds two states for every call that the limit allows, or twice ``memory`` if that is given.
    """

    memory: Annotated[
        int | None, Field(ge=1, description="Updates kept; torchdeq's LBFGS_thres. None: all.")
    ] = None

    def solve(self, f: Map, z0: Tensor, stop: Stop) -> Tensor:
        """Iterate until the core interrupts; returns its point of least residual."""
        found: Tensor = broyden_solver(f, z0, max_iter=stop.max_calls, tol=NEVER, LBFGS_thres=self.memory)[0]
        return found

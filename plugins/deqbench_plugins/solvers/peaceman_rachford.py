"""Peaceman-Rachford splitting of a monotone map: implicit in W and in the activation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple

import torch
from pydantic import Field

from deqbench_plugins.solvers.monotone_form import monotone_form

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.solving import Map


class SplitState(NamedTuple):
    """The point, the map's value, and the reflected iterate that the point is the prox of."""

    z: Tensor  # (B, *s)
    fz: Tensor  # (B, *s)
    reflected: Tensor  # (B, *s)


@dataclass(frozen=True)
class PeacemanRachford:
    """Peaceman-Rachford splitting: reflect at the resolvent of I - W, then at the activation's.

    Converges for every step a > 0, by the factor sqrt(1 - 4 a m / (1 + a L)^2) at most. The resolvent
    (I + a (I - W))^-1 is formed once for a map and is one product a step; the residual that the core judges
    is a call more, so a step is two map-equivalents. Needs a monotone map, or an affine one with I - M
    strongly monotone.

    Source: E. Winston and J. Z. Kolter (2020), "Monotone operator equilibrium networks", arXiv 2006.08591.
    """

    step_size: Annotated[float, Field(gt=0, description="a, the step of both resolvents.")] = 1.0

    def init(self, f: Map, z0: Tensor) -> SplitState:
        """Evaluate the start.

        Raises:
            InapplicableError: The map is not monotone.
        """
        monotone_form(f, "peaceman-rachford")
        return SplitState(z0, f(z0), z0)

    def step(self, f: Map, state: SplitState) -> SplitState:
        """Reflect twice; one resolvent and one call."""
        monotone = f.monotone
        assert monotone is not None, "init has seen to it"
        size = self.step_size
        ahead = 2 * state.z - state.reflected
        middle = f.resolvent(torch.add(ahead, f.inputs[0], alpha=size), size)
        reflected = 2 * middle - ahead
        z = monotone.activation.prox(reflected, size, *f.inputs[1:])
        return SplitState(z, f(z), reflected)

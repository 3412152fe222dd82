"""Fixed-point iteration, z <- f(z), damped on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from deqbench.plugin import Iterate

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.solving import Map


@dataclass(frozen=True)
class Picard:
    """Fixed-point iteration, z <- (1 - damping) z + damping f(z).

    Converges linearly at the map's contraction factor, undamped. Damping keeps oscillating maps in hand
    and slows the others; the residual that the core judges is that of f, never of the damped step.

    Source: the method of successive approximations, Picard (1890) and Banach (1922).
    """

    damping: Annotated[
        float, Field(gt=0, le=1, description="Share of the step that is taken; 1 is undamped.")
    ] = 1.0

    def init(self, f: Map, z0: Tensor) -> Iterate:
        """Evaluate the start."""
        return Iterate(z0, f(z0))

    def step(self, f: Map, state: Iterate) -> Iterate:
        """Move to the map's value; one call."""
        z = state.fz if self.damping == 1 else state.z.lerp(state.fz, self.damping)
        return Iterate(z, f(z))

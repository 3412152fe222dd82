"""Fixed-point iteration, z <- f(z), damped or with momentum on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple

from pydantic import Field

from deqbench.plugin import Iterate

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.solving import Map


class PicardState(NamedTuple):
    """A point and the map's value there; the point before it where there is momentum."""

    z: Tensor  # (B, *s)
    fz: Tensor  # (B, *s)
    before: Tensor  # (B, *s)


@dataclass(frozen=True)
class Picard:
    """Fixed-point iteration, z <- z + damping (f(z) - z) + momentum (z - z of the step before).

    Converges linearly at the map's contraction factor, plain. Damping keeps oscillating maps in hand
    and slows the others. Momentum (the heavy ball) speeds up maps whose Jacobian is symmetric with
    eigenvalues near 1: where they lie in [0, rho], (1 - sqrt(1 - rho))^2 is best without damping, and
    the rate is 1 - sqrt(1 - rho) instead of rho. The residual that the core judges is that of f, never
    of the step taken.

    Source: the method of successive approximations, Picard (1890) and Banach (1922); momentum: B. T. Polyak
    (1964), "Some methods of speeding up the convergence of iteration methods".
    """

    damping: Annotated[
        float, Field(gt=0, le=1, description="Share of the step that is taken; 1 is undamped.")
    ] = 1.0
    momentum: Annotated[
        float, Field(ge=0, lt=1, description="Share of the last step that is taken again; 0 is none.")
    ] = 0.0

    def init(self, f: Map, z0: Tensor) -> Iterate | PicardState:
        """Evaluate the start."""
        fz = f(z0)
        return PicardState(z0, fz, z0) if self.momentum else Iterate(z0, fz)

    def step(self, f: Map, state: Iterate | PicardState) -> Iterate | PicardState:
        """Move towards the map's value; one call."""
        z = state.fz if self.damping == 1 else state.z.lerp(state.fz, self.damping)
        if not isinstance(state, PicardState):
            return Iterate(z, f(z))
        z = z + self.momentum * (state.z - state.before)
        return PicardState(z, f(z), state.z)

    def steps(self, f: Map, state: Iterate | PicardState, count: int) -> Iterate | PicardState:
        """Take several steps that nobody looks at in between; plain, they are the map's calls and no more."""
        if self.damping == 1 and not self.momentum and f.fz is state.fz:
            del state  # its memory serves the next values
            return Iterate(*f.repeated(count))
        for _ in range(count):
            state = self.step(f, state)
        return state

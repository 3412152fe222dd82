"""A solver for deqbench: the heavy ball."""

from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from deqbench.plugin import Entry, hookimpl


class State(NamedTuple):
    z: Any  # (B, *s)
    fz: Any  # f(z), (B, *s)
    before: Any  # the z before this one, (B, *s)


@dataclass(frozen=True)
class HeavyBall:
    """Fixed-point iteration with momentum: z+ = f(z) + beta (z - z-)."""

    beta: Annotated[float, Field(ge=0, lt=1, description="Momentum.")] = 0.2

    def init(self, f, z0):
        return State(z0, f(z0), z0)

    def step(self, f, state):
        z = state.fz + self.beta * (state.z - state.before)
        return State(z, f(z), state.z)


@hookimpl
def deqbench_solvers():
    return [Entry("heavyball", HeavyBall)]

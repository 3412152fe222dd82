"""Solvers whose fate is known beforehand."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import Field

from deqbench.plugin import Iterate
from deqbench_plugins.solvers.anderson import Anderson

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.solving import Map


@dataclass(frozen=True)
class Twin:
    """Picard's iteration again, under a second name: nothing may tell the two apart."""

    def init(self, f: Map, z0: Tensor) -> Iterate:
        """Evaluate the start."""
        return Iterate(z0, f(z0))

    def step(self, f: Map, state: Iterate) -> Iterate:
        """Move to the map's value."""
        return Iterate(state.fz, f(state.fz))


@dataclass(frozen=True)
class Sleeps(Twin):
    """Picard's iteration that sleeps in each step; CPU time does not see it, wall time does."""

    seconds: Annotated[float, Field(ge=0, le=1, description="Sleep in each step.")] = 0.002

    def step(self, f: Map, state: Iterate) -> Iterate:
        """Sleep, then move."""
        time.sleep(self.seconds)
        return Twin.step(self, f, state)


@dataclass(frozen=True)
class Idle(Twin):
    """Stays where it is; the cheapest of all, if it were believed."""

    def step(self, f: Map, state: Iterate) -> Iterate:
        """Do nothing."""
        del f
        return Iterate(state.z, state.fz)


class _Counted(NamedTuple):
    """Another solver's state, and the steps taken."""

    inner: Any
    steps: int

    @property
    def z(self) -> Tensor:
        return self.inner.z  # type: ignore[no-any-return]  # (B, *s), whatever the other solver is

    @property
    def fz(self) -> Tensor:
        return self.inner.fz  # type: ignore[no-any-return]  # likewise


@dataclass(frozen=True)
class Crashes:
    """Anderson's method that aborts its process where a problem takes more than a few steps.

    On what it survives it is as good as Anderson's, on average better: the hard problems are missing.
    """

    steps: Annotated[int, Field(ge=1, description="Steps after which it aborts.")] = 12
    _anderson: Anderson = field(default_factory=Anderson, init=False)

    def init(self, f: Map, z0: Tensor) -> _Counted:
        """Start as Anderson's method does."""
        return _Counted(self._anderson.init(f, z0), 0)

    def step(self, f: Map, state: _Counted) -> _Counted:
        """Step as Anderson's method does, or crash."""
        if state.steps >= self.steps:
            os.abort()
        return _Counted(self._anderson.step(f, state.inner), state.steps + 1)

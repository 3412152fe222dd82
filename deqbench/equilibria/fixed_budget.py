"""A fixed budget of steps: nothing is judged, counted on the host or synchronised on the way.

``iterate`` takes K steps of a solver and returns where they ended. It is a plain function of tensors, so
``torch.compile(..., fullgraph=True)`` makes one graph of it and of the model around it. ``Compiled``
brings such graphs into ``equilibrium``: a solver that takes K steps of another at once::

    budget = Stop(max_calls=51, check_every=None)
    z = equilibrium(f, z0, x, solver=Compiled(Picard(), stride=50), stop=budget, ledger=ledger)

What is spared is the looking, not the truth: the last iterate is judged, so that status and residual
are honest, and every call is charged. With a ``check_every`` the judge looks after each stride instead.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from deqbench.equilibria.lowering import inductor
from deqbench.equilibria.maps import Function, Map
from deqbench.errors import ConfigurationError
from deqbench.interfaces import Iterate, Solver

Backend = Literal["inductor", "aot_eager", "eager"]


def iterate(solver: Solver, f: Function, z0: Tensor, *inputs: Tensor, steps: int) -> Iterate:
    """Take a fixed number of a solver's steps: the last point and the map's value there.

    Differentiated through, it gives the gradient of these very steps (unrolled). For the
    one-step gradient take the steps under ``torch.no_grad()`` and call f once more outside; for the
    implicit one call :func:`~deqbench.equilibria.binding.equilibrium` with a fixed budget.

    Args:
        solver: A stepwise solver.
        f: The map, f(z, *inputs).
        z0: Start, (B, *s).
        inputs: Tensors (B, ...) that f takes after z.
        steps: Steps after the call at the start, >= 0; ``Picard`` calls f ``steps`` + 1 times.

    Raises:
        ConfigurationError: ``steps`` is negative, or f changes the shape or type of its state.
    """
    if steps < 0:
        raise ConfigurationError(f"steps is {steps}; give a whole number >= 0.")
    map_ = _TracedMap(f, inputs)
    state = solver.init(map_, z0)
    for _ in range(steps):
        state = solver.step(map_, state)
    # A value that the map did not return for this very point is not taken on trust.
    fz = state.fz if map_.returned(state.z, state.fz) else map_(state.z)
    return Iterate(state.z, fz)


@dataclass(frozen=True)
class Compiled:
    """A solver that takes several steps of another in one compiled graph; charged like the other.

    The graph is made at the first use with a solver, a map's code, shapes and types, which takes seconds,
    and used again whenever these recur. A map that cannot be compiled whole is torch's error. Steps are
    taken uncompiled where a graph for backward is recorded on the way: by the unrolled gradient
    (compile :func:`iterate` and what is around it instead), and in the adjoint solves of the implicit one,
    unless the map is affine.

    Attributes:
        solver: A stepwise solver.
        stride: Steps at once, >= 1. The calls of a solve are 1 + a multiple of it.
        backend: Of ``torch.compile``. ``inductor`` needs a C++ compiler; the others make the same
            graph and run it uncompiled.

    Raises:
        ConfigurationError: ``stride`` is not positive, or the solver is not a stepwise one.
    """

    whole_batch: ClassVar[bool] = True  # a batch that shrinks would be compiled at every size

    solver: Solver
    stride: int = 20
    backend: Backend = "inductor"

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise ConfigurationError(f"stride is {self.stride}; give a whole number >= 1.")
        if not isinstance(self.solver, Solver):
            raise ConfigurationError(
                f"{type(self.solver).__name__} has no init and step; give a stepwise solver, e.g. Picard()."
            )

    def init(self, f: Map, z0: Tensor) -> Any:
        """Evaluate the start as the solver does."""
        return self.solver.init(f, z0)

    def step(self, f: Map, state: Any) -> Any:
        """Take a stride; the calls that were made are charged to f."""
        if torch.is_grad_enabled() or type(f) is not Map or not getattr(f.function, "traceable", True):
            for _ in range(self.stride):
                state = self.solver.step(f, state)
            return state
        state, calls, sample_calls, returned = _program(self)(f.function, f.inputs, state)
        f.counter.calls += calls
        f.counter.sample_calls += sample_calls
        if returned:
            f.vouch(state.z, state.fz)
        return state


class _TracedMap(Map):
    """A map that ``torch.compile`` traces: it counts while it is traced and keeps no witness."""

    __slots__ = ()

    def __call__(self, z: Tensor) -> Tensor:
        fz = self.function(z, *self.inputs)
        if fz.shape != z.shape or fz.dtype != z.dtype:
            raise ConfigurationError(
                f"The map returned {tuple(fz.shape)} {fz.dtype} for a state {tuple(z.shape)} "
                f"{z.dtype}; an equilibrium map keeps both. Mend the map or the start z0."
            )
        self.counter.calls += 1
        self.counter.sample_calls += z.shape[0]
        self.z, self.fz = z, fz
        return fz

    def returned(self, z: Tensor, fz: Tensor) -> bool:
        """Whether the last call was at this very z and returned this very fz."""
        return z is self.z and fz is self.fz


Program = Callable[[Function, tuple[Tensor, ...], Any], tuple[Any, int, int, bool]]
"""(f, inputs, state) -> the state a stride later, calls made, calls times samples, whether f vouches."""


@functools.cache
def _program(compiled: Compiled) -> Program:
    """Return the compiled stride, made once for a solver, a stride and a backend."""
    solver, stride = compiled.solver, compiled.stride

    def advance(function: Function, inputs: tuple[Tensor, ...], state: Any) -> tuple[Any, int, int, bool]:
        f = _TracedMap(function, inputs)
        for _ in range(stride):
            state = solver.step(f, state)
        return state, f.counter.calls, f.counter.sample_calls, f.returned(state.z, state.fz)

    # torch limits the graphs of one code object, so each solver and stride gets its own.
    own = FunctionType(advance.__code__.replace(), globals(), advance.__name__, None, advance.__closure__)
    backend = inductor if compiled.backend == "inductor" else compiled.backend
    program: Program = torch.compile(own, fullgraph=True, backend=backend)
    return program

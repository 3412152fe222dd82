"""``equilibrium(f, z0, *inputs)``: solve z = f(z) and connect the answer to the graph.

A model calls this and nothing else; which solver and which gradient serve it is bound from outside::

    with bound(solver=Anderson(), gradient=Implicit(), stop=Stop(1e-6), ledger=Ledger()):
        loss = criterion(module(x), y)

Outside any binding, Anderson mixing and the implicit gradient serve.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from deqbench.equilibria.ledger import Ledger, Totals
from deqbench.equilibria.maps import AffineMap, Function, Map
from deqbench.equilibria.problems import AnySolver, EquilibriumWarning, Problem, unit_rows
from deqbench.equilibria.solving import Stop
from deqbench.errors import ConfigurationError
from deqbench.interfaces import Gradient

__all__ = [
    "AffineMap",
    "AnySolver",
    "EquilibriumWarning",
    "Ledger",
    "Problem",
    "Stop",
    "Totals",
    "bound",
    "equilibrium",
    "recording",
    "unit_rows",
]


@dataclass(frozen=True)
class _Binding:
    """What serves the equilibria of a block of code."""

    solver: AnySolver | None = None
    gradient: Gradient | None = None
    stop: Stop | None = None
    ledger: Ledger | None = None


_UNBOUND = _Binding()
_binding: ContextVar[_Binding] = ContextVar("equilibrium_binding", default=_UNBOUND)


@contextmanager
def bound(
    *,
    solver: AnySolver,
    gradient: Gradient,
    stop: Stop | None = None,
    ledger: Ledger | None = None,
) -> Iterator[Ledger]:
    """Serve every equilibrium in the block with these; yield the ledger that records them.

    Bound solves never warn: their ledger says what missed its tolerance.
    """
    ledger = Ledger() if ledger is None else ledger
    token = _binding.set(_Binding(solver, gradient, stop, ledger))
    try:
        yield ledger
    finally:
        _binding.reset(token)


@contextmanager
def recording(ledger: Ledger) -> Iterator[Ledger]:
    """Record the block's solves in another ledger; solver, gradient and stop stay as they are."""
    token = _binding.set(replace(_binding.get(), ledger=ledger))
    try:
        yield ledger
    finally:
        _binding.reset(token)


def equilibrium(  # noqa: PLR0913 -- every option is a keyword of its own, none is **kwargs
    f: Function,
    z0: Tensor,
    *inputs: Tensor,
    solver: AnySolver | str | None = None,
    gradient: Gradient | str | None = None,
    stop: Stop | None = None,
    ledger: Ledger | None = None,
) -> Tensor:
    """Return z* = f(z*, *inputs), (B, *s), connected to the graph of the inputs and of f's weights.

    Args:
        f: The map; samples must not mix. Weights may live in it; whatever has a row per sample must
            be given as an input, so that samples that are done can leave the batch.
        z0: Start, (B, *s); its rows are samples. No gradient flows into it, except unrolled.
        inputs: Tensors (B, ...) that f takes after z.
        solver: A component, its name with parameters (``"anderson[memory=3]"``), or None for what
            is bound, else Anderson mixing.
        gradient: Likewise; else the implicit gradient.
        stop: When to stop; else what is bound.
        ledger: Where the solve is recorded; else what is bound.

    Raises:
        ConfigurationError: An input lacks a row per sample.

    Warns:
        EquilibriumWarning: Once a process, if a sample missed the tolerance and no ledger was given
            or bound that would say so.
    """
    _check_inputs(z0, inputs)
    binding = _binding.get()
    book = ledger or binding.ledger
    quiet = book is not None
    book = book or Ledger()
    problem = Problem(
        Map(f, inputs),
        z0,
        _component("solvers", solver or binding.solver or "anderson"),
        stop or binding.stop or Stop(),
        book,
        book.forward,
        quiet=quiet,
    )
    if not torch.is_grad_enabled():
        return problem.solve()
    attached: Tensor = _component("gradients", gradient or binding.gradient or "implicit").attach(problem)
    return attached


def _check_inputs(z0: Tensor, inputs: tuple[Tensor, ...]) -> None:
    for place, part in enumerate(inputs):
        if part.dim() == 0 or part.shape[0] != z0.shape[0]:
            raise ConfigurationError(
                f"Input {place} of the map has shape {tuple(part.shape)}, the start z0 has "
                f"{tuple(z0.shape)}; inputs have one row per sample. Let f itself hold what "
                "all samples share."
            )


def _component(kind: str, value: Any) -> Any:
    return _built(kind, value) if isinstance(value, str) else value


@functools.cache
def _built(kind: str, text: str) -> Any:
    from deqbench.discovery.registry import Registry  # noqa: PLC0415 -- only a name given as text needs it
    from deqbench.trials import Ref  # noqa: PLC0415 -- likewise

    return Registry.load().build(kind, Ref.parse(text))

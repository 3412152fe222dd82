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
from typing import Any, get_args

import torch
from torch import Tensor

from deqbench.equilibria.adjoints import unit_rows
from deqbench.equilibria.affine import AffineMap
from deqbench.equilibria.ledger import Ledger, Totals
from deqbench.equilibria.maps import Function, Map
from deqbench.equilibria.problems import AnySolver, Problem
from deqbench.equilibria.solving import Stop
from deqbench.equilibria.unconverged import EquilibriumWarning, Unconverged
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
    unconverged: Unconverged | None = None


_RESPONSES = get_args(Unconverged)
_UNBOUND = _Binding()
_binding: ContextVar[_Binding] = ContextVar("equilibrium_binding", default=_UNBOUND)


@contextmanager
def bound(
    *,
    solver: AnySolver,
    gradient: Gradient,
    stop: Stop | None = None,
    ledger: Ledger | None = None,
    unconverged: Unconverged = "record",
) -> Iterator[Ledger]:
    """Serve every equilibrium in the block with these; yield the ledger that records them.

    Unless told otherwise, bound solves neither warn nor raise: their ledger says what missed its tolerance.

    Raises:
        ConfigurationError: ``unconverged`` is none of the three.
    """
    ledger = Ledger() if ledger is None else ledger
    token = _binding.set(_Binding(solver, gradient, stop, ledger, _known(unconverged)))
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
    unconverged: Unconverged | None = None,
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
        unconverged: What is done when a sample misses the tolerance, forward or backward: ``record``
            counts it in the ledger, ``warn`` warns once a process too, ``raise`` raises too. Else
            what is bound; else ``record`` if there is a ledger that was given, and ``warn`` if there is none.

    Raises:
        ConfigurationError: An input lacks a row per sample, or an option is unknown.
        EquilibriumError: A sample missed the tolerance and that was to be raised.

    Warns:
        EquilibriumWarning: A sample missed the tolerance and that was to be warned of.
    """
    _check_inputs(z0, inputs)
    binding = _binding.get()
    book = ledger or binding.ledger
    usual: Unconverged = "warn" if book is None else "record"
    book = book or Ledger()
    problem = Problem(
        Map(f, inputs),
        z0,
        _component("solvers", solver or binding.solver or "anderson"),
        stop or binding.stop or Stop(),
        book,
        book.forward,
        unconverged=_known(unconverged or binding.unconverged or usual),
    )
    if not torch.is_grad_enabled():
        return problem.solve()
    attached: Tensor = _component("gradients", gradient or binding.gradient or "implicit").attach(problem)
    return attached


def _known(unconverged: Unconverged) -> Unconverged:
    if unconverged not in _RESPONSES:
        raise ConfigurationError(f"unconverged is {unconverged!r}; give 'record', 'warn' or 'raise'.")
    return unconverged


def _check_inputs(z0: Tensor, inputs: tuple[Tensor, ...]) -> None:
    if z0.dim() == 0 or not z0.is_floating_point():
        raise ConfigurationError(
            f"The start z0 has shape {tuple(z0.shape)} and type {z0.dtype}; give a tensor of a real "
            "floating type with one row per sample, (B, ...)."
        )
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

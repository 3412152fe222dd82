"""Two ways to hand a solved point on: with the graph of another value, or with an adjoint of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from deqbench.plugin import InapplicableError


def value_with_graph(graph: Tensor, value: Tensor) -> Tensor:
    """Return ``value`` whose gradient goes to ``graph``: every gradient returns the same z*, (B, *s).

    Raises:
        InapplicableError: In backward, if a second derivative is asked for.
    """
    attached: Tensor = _ValueOf.apply(graph, value)  # type: ignore[no-untyped-call]  # torch's is untyped
    return attached


def value_with_adjoint(value: Tensor, fz: Tensor, adjoint: Callable[[Tensor], Tensor]) -> Tensor:
    """Return ``value`` whose gradient g goes to the map's graph as ``adjoint(g)``.

    Args:
        value: z*, (B, *s), detached.
        fz: f there, attached to all that f depends on.
        adjoint: Takes g = dL/dz* and returns u, both (B, *s): dL/dtheta is u^T df/dtheta. It must not
            hold ``value``, or the graph would outlive the loss.

    Raises:
        InapplicableError: In backward, if a second derivative is asked for.
    """
    attached: Tensor = _AdjointOf.apply(adjoint, value, fz)  # type: ignore[no-untyped-call]  # likewise
    return attached


class _ValueOf(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, _graph: Tensor, value: Tensor) -> Tensor:
        return value.view_as(value)

    @staticmethod
    def backward(_ctx: Any, incoming: Tensor) -> tuple[Tensor, None]:
        refuse_second_derivatives()
        return incoming, None


class _AdjointOf(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, adjoint: Callable[[Tensor], Tensor], value: Tensor, _fz: Tensor) -> Tensor:
        ctx.adjoint = adjoint
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, incoming: Tensor) -> tuple[None, None, Tensor]:
        refuse_second_derivatives()
        return None, None, ctx.adjoint(incoming)


def refuse_second_derivatives() -> None:
    """Raise under ``create_graph``: what holds z* constant once would drop most of what a second one is."""
    if torch.is_grad_enabled():
        raise InapplicableError(
            "This gradient approximates first derivatives only, and a second one was asked for "
            "(create_graph=True); use the gradient 'implicit' or 'unrolled', whose derivatives of any "
            "order are right."
        )

"""Whether operator splitting can serve a map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deqbench.plugin import InapplicableError

if TYPE_CHECKING:
    from deqbench.equilibria.monotone import MonotoneMap
    from deqbench.equilibria.solving import Map


def monotone_form(f: Map, solver: str) -> MonotoneMap:
    """Return the map as s(W z + offset) with I - W strongly monotone.

    Raises:
        InapplicableError: It has not that form, or I - W is not strongly monotone.
    """
    monotone = f.monotone
    if monotone is None:
        raise InapplicableError(
            f"The solver '{solver}' splits a map s(W z + offset), and this one has not that form; "
            "use it with deq-monotone or a MonotoneMap, or take another solver, e.g. 'anderson'."
        )
    if not monotone.operator.strongly_monotone:
        margin = monotone.operator.monotonicity
        raise InapplicableError(
            f"The solver '{solver}' needs I - W strongly monotone; here its symmetric part has the "
            f"eigenvalue {margin:.2g}. Build W by monotone_blocks, or take another solver, e.g. 'anderson'."
        )
    return monotone

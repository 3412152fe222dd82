"""Equilibrium solvers: pure ``init`` and ``step``; the core drives, counts and judges them."""

from __future__ import annotations

from deqbench.plugin import Entry, hookimpl

_ROOM = "deqbench_plugins.solvers"


@hookimpl
def deqbench_solvers() -> list[Entry]:
    """Offer the built-in solvers."""
    return [
        Entry("direct", f"{_ROOM}.direct:Direct", "Exact for affine maps, by one LU factorisation"),
        Entry("picard", f"{_ROOM}.picard:Picard", "Fixed-point iteration, damped on request"),
        Entry(
            "anderson",
            f"{_ROOM}.anderson:Anderson",
            "Type-II Anderson mixing with a scale-free ridge",
        ),
        Entry("broyden", f"{_ROOM}.broyden:Broyden", "Good Broyden with limited memory"),
    ]

"""Gradients: how the derivative of a loss passes an equilibrium."""

from __future__ import annotations

from deqbench.plugin import Entry, hookimpl

_ROOM = "deqbench_plugins.gradients"


@hookimpl
def deqbench_gradients() -> list[Entry]:
    """Offer the built-in gradients."""
    return [
        Entry("implicit", f"{_ROOM}.implicit:Implicit", "Exact: the adjoint equation, by any solver"),
        Entry(
            "unrolled",
            f"{_ROOM}.unrolled:UnrolledGradient",
            "Backpropagation through the solver's steps",
        ),
        Entry(
            "one-step",
            f"{_ROOM}.one_step:OneStep",
            "Jacobian-free backpropagation (JFB): the last step only",
        ),
        Entry("phantom", f"{_ROOM}.phantom:Phantom", "A few damped steps from the equilibrium (phantom)"),
        Entry(
            "reversible",
            f"{_ROOM}.reversible:Reversible",
            "Backpropagation through a coupled iteration that is undone, not stored (RevDEQ)",
        ),
        Entry("shine", f"{_ROOM}.shine:Shine", "The forward quasi-Newton inverse, shared (SHINE)"),
        Entry("neumann", f"{_ROOM}.neumann:Neumann", "The adjoint equation's Neumann series, truncated"),
    ]

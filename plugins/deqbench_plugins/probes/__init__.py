"""Probes: numbers observed along a trial, off the clock."""

from __future__ import annotations

from deqbench.plugin import Entry, hookimpl

_ROOM = "deqbench_plugins.probes"


@hookimpl
def deqbench_probes() -> list[Entry]:
    """Offer the built-in probes."""
    return [
        Entry("loss", f"{_ROOM}.scores:LossProbe", "Loss on each split"),
        Entry("accuracy", f"{_ROOM}.scores:Accuracy", "Share of right classes on each split"),
        Entry("r2", f"{_ROOM}.scores:R2", "Coefficient of determination on each split"),
        Entry("residual", f"{_ROOM}.equilibria:Residual", "Residual of the evaluated equilibria"),
        Entry(
            "solver-calls",
            f"{_ROOM}.equilibria:SolverCalls",
            "Map calls a solve takes, forward and backward",
        ),
        Entry(
            "spectral-radius",
            f"{_ROOM}.spectral_radius:SpectralRadius",
            "Spectral radius of the map's Jacobian at equilibrium (Arnoldi; right for non-normal maps)",
        ),
    ]

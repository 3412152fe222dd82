"""Probes: numbers observed along a trial, off the clock."""

from __future__ import annotations

from deqbench.plugin import Entry, hookimpl

_ROOM = "deqbench_plugins.probes"

_PROBES = (
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
    Entry(
        "theory-rate",
        f"{_ROOM}.theory_rate:TheoryRate",
        "Theorem 1 along a run: gap, kappa, lambda_T and the predicted bound",
    ),
    Entry(
        "linear-gap",
        f"{_ROOM}.theory_rate:LinearGap",
        "Training loss less that of the best linear function",
    ),
    Entry(
        "theory-metric",
        f"{_ROOM}.theory_metric:TheoryMetric",
        "Two-sided bounds of lambda_min(D), and lambda_max(D), of a DELM's metric",
    ),
    Entry(
        "theory-trust-region",
        f"{_ROOM}.theory_metric:TheoryTrustRegion",
        "Theorem 2 along a run: delta bar, optimality of the flow's step, condition numbers",
    ),
    Entry(
        "theory-conditions",
        f"{_ROOM}.conditions:TheoryConditions",
        "Conditions of H and of D^1/2 H D^1/2, and the eigenvalues of D, along a run",
    ),
    Entry(
        "theory-invariants",
        f"{_ROOM}.theory_metric:TheoryInvariants",
        "What a DELM conserves: column sums of A, the sum of an equilibrium",
    ),
)


@hookimpl
def deqbench_probes() -> list[Entry]:
    """Offer the built-in probes."""
    return list(_PROBES)

"""Claims of the theory, each a plugin that makes its own case: quantity, bound, assumptions, control."""

from __future__ import annotations

from deqbench.plugin import Entry, hookimpl

_ROOM = "deqbench_plugins.claims"

_CLAIMS = (
    ("linear-rate-square", "linear_rate:LinearRateSquare", "C1: theorem 1, square loss, every regime"),
    ("linear-rate-sharp", "linear_rate:LinearRateSharp", "C1: the rate of theorem 1 is attained"),
    ("linear-rate-classes", "linear_rate:LinearRateClasses", "C2: theorem 1, logistic and cross-entropy"),
    ("least-eigenvalue", "linear_rate:LeastEigenvalue", "C4: the floor of lambda_min(D) along a flow"),
    ("trust-region", "trust_region:TrustRegionEquivalence", "C5: theorem 2 against an independent solver"),
    ("stationary-is-global", "trust_region:StationaryIsGlobal", "C6: no stationary point above the optimum"),
    ("depth-law", "invariants:DepthLaw", "C8: a DELM of depth H is gamma^H from its equilibrium"),
    ("column-sums", "invariants:ColumnSums", "C9: column sums of A are conserved, but not by Adam"),
)


@hookimpl
def deqbench_claims() -> list[Entry]:
    """Offer the built-in claims."""
    return [Entry(name, f"{_ROOM}.{target}", summary) for name, target, summary in _CLAIMS]

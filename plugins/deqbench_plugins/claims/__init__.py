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
    ("implicit-bias", "bias:ImplicitBias", "C13: the limit leaves minimum norm as gamma grows"),
    ("implicit-bias-helps", "bias:ImplicitBiasHelps", "P9: test risk on a DELM teacher, few data"),
    ("monotone-unique", "monotone:MonotoneUnique", "C14: a monotone equilibrium is unique"),
    ("forward-backward-rate", "monotone:ForwardBackwardRate", "C15: forward-backward's factor a step"),
    ("peaceman-rachford-rate", "monotone:PeacemanRachfordRate", "C16: Peaceman-Rachford's factor a step"),
    ("unrolled-error", "truncation:UnrolledError", "C20: unrolling errs by K rho^K"),
    ("phantom-error", "truncation:PhantomError", "C21: the bound of phantom and Neumann gradients"),
    ("one-step-error", "truncation:OneStepError", "C22: the bound of the one-step gradient"),
    ("any-width", "any_width:AnyWidth", "C3: digits at any width, by gradient descent"),
    ("one-step-descent", "one_step_descent:OneStepDescent", "C23: where the one-step gradient descends"),
    ("linear-deq-conservation", "well_posed:LinearDeqConservation", "C10: what a linear DEQ conserves"),
    ("perron-frobenius", "well_posed:PerronFrobenius", "C18: well-posed by lambda_pf, not by norm"),
    (
        "weak-sum-speed",
        "speed:WeakSumSpeed",
        "Where the implicit layer is faster, each model at its best step",
    ),
    ("subhomogeneous", "well_posed:Subhomogeneous", "C19: square roots contract in Thompson's metric"),
)


@hookimpl
def deqbench_claims() -> list[Entry]:
    """Offer the built-in claims."""
    return [Entry(name, f"{_ROOM}.{target}", summary) for name, target, summary in _CLAIMS]

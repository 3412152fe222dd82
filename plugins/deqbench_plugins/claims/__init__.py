"""Claims of the theory, each a plugin that makes its own case: quantity, bound, assumptions, control."""

from __future__ import annotations

from deqbench.plugin import Entry, hookimpl

_ROOM = "deqbench_plugins.claims"

_CLAIMS = (
    ("linear-rate-square", "linear_rate:LinearRateSquare", "C1: theorem 1, square loss, every regime"),
    ("linear-rate-data", "real_data:LinearRateData", "P5: theorem 1 on diabetes and wine"),
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
    ("descent-rate", "descent_rate:DescentRate", "C7: gradient descent keeps the rate below a step 1 / beta"),
    (
        "linear-deq-rate",
        "linear_deq_rate:LinearDeqRate",
        "C11: a linear DEQ's rate, and its condition",
    ),
    ("diagonal-bias", "diagonal_bias:DiagonalBias", "C12: the potential a diagonal DEQ's flow minimises"),
    ("monotone-lipschitz", "lipschitz:MonotoneLipschitz", "C17: a monotone equilibrium's Lipschitz constant"),
    ("one-step-on-delm", "one_step_on_delm:OneStepOnDelm", "C24: C23 says nothing of a DELM: INCONCLUSIVE"),
    ("near-one", "near_one:NearOne", "P15: digits kept as gamma nears 1, by the known column sum"),
    ("linear-deq-conservation", "well_posed:LinearDeqConservation", "C10: what a linear DEQ conserves"),
    ("perron-frobenius", "well_posed:PerronFrobenius", "C18: well-posed by lambda_pf, not by norm"),
    (
        "weak-sum-speed",
        "speed:WeakSumSpeed",
        "Where the implicit layer is faster, each model at its best step",
    ),
    ("slower-on-digits", "speed:SlowerOnDigits", "Where it is slower: digits at gamma = .9"),
    ("newton-tail", "newton_tail:NewtonTail", "Newton in a DELM's metric is superlinear at every gamma"),
    ("constant-memory", "memory:ConstantMemory", "C25: training memory does not grow with depth"),
    ("over-parameterised", "over_parameterised:OverParameterised", "C26: wide ReLU DEQ, gradient descent"),
    ("implicit-layer-alone", "over_parameterised:ImplicitLayerAlone", "C27: the same, readout frozen"),
    ("lazy-width", "over_parameterised:LazyWidth", "C26: how far W moves falls as m^(-1/2)"),
    ("eigenvalue-certificate", "certificate:EigenvalueCertificate", "P7: lambda_min(D) from both sides"),
    ("trust-region-tracking", "tracking:TrustRegionTracking", "C5: the trainer keeps to the flow"),
    ("recorded-column-sums", "recorded:RecordedColumnSums", "C9 on the records of any training"),
    ("recorded-least-eigenvalue", "recorded:RecordedLeastEigenvalue", "C4 on the records of any training"),
    ("recorded-rate", "recorded:RecordedRate", "C1 on the records of any training"),
    ("recorded-optimum", "recorded_optimum:RecordedOptimum", "P10: no DELM beats the best linear function"),
    ("recorded-weights", "recorded_optimum:RecordedWeights", "P10: where long trainings of a DELM end"),
    ("subhomogeneous", "well_posed:Subhomogeneous", "C19: square roots contract in Thompson's metric"),
)


@hookimpl
def deqbench_claims() -> list[Entry]:
    """Offer the built-in claims."""
    return [Entry(name, f"{_ROOM}.{target}", summary) for name, target, summary in _CLAIMS]

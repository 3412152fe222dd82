"""Each claim holds on a small case, and its control is found out."""

import pytest

from deqbench.claims import Outcome
from deqbench.discovery.registry import Registry
from deqbench.experiments.claim import examined
from deqbench.trials import Ref

REGISTRY = Registry.load()
SMALL = [
    "linear-rate-square[regime=narrow]",
    "linear-rate-square[regime=rank-deficient,gamma=0.99]",
    "linear-rate-data[data=wine,gamma=0.5]",
    "linear-rate-sharp",
    "linear-rate-classes[loss=logistic]",
    "linear-rate-classes[loss=cross-entropy]",
    "linear-rate-classes[data=tumours]",
    "least-eigenvalue",
    "trust-region[states=12]",
    "stationary-is-global[states=12]",
    "depth-law",
    "column-sums[dynamics=flow,steps=40]",
    "column-sums[dynamics=momentum,steps=40]",
    "any-width[m=3]",
    "implicit-bias[seeds=2]",
    "monotone-unique",
    "forward-backward-rate",
    "peaceman-rachford-rate",
    "unrolled-error",
    "phantom-error",
    "one-step-error",
    "one-step-descent",
    "descent-rate[gamma=0.5]",
    "linear-deq-rate",
    "diagonal-bias[readout=trained]",
    "diagonal-bias[readout=frozen]",
    "monotone-lipschitz",
    "near-one[m=5]",
    "constant-memory",
    "constant-memory[gradient=phantom,solver=anderson]",
    "over-parameterised[m=50]",
    "lazy-width[draws=1]",
    "implicit-layer-alone[m=200]",
    "eigenvalue-certificate[m=20]",
    "trust-region-tracking",
    "linear-deq-conservation",
    "perron-frobenius",
    "subhomogeneous",
    "weak-sum-speed",
    "slower-on-digits[loss=square]",
    "newton-tail[data=gaussian]",
]


@pytest.mark.parametrize("ref", SMALL)
def test_a_claim_holds_and_its_control_fails(ref):
    evidence, verdict, _ = examined(REGISTRY.build("claims", Ref.parse(ref)), seed=0)
    assert verdict.verdict is Outcome.HOLDS, verdict.reason
    assert verdict.control_fired
    assert evidence.control_name


def test_every_built_in_claim_has_a_small_case():
    live = {name for name in REGISTRY.names("claims") if hasattr(REGISTRY.target("claims", name), "examine")}
    assert {Ref.parse(ref).name for ref in SMALL} == live - SPECIAL


SPECIAL = {"implicit-bias-helps", "one-step-on-delm"}
"""Statistics over flows that take half a minute: the suite paper runs them."""


def test_separable_data_are_inconclusive():
    claim = REGISTRY.build("claims", Ref.parse("linear-rate-classes[data=separable]"))
    _, verdict, _ = examined(claim, seed=0)
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert "optimum exists" in verdict.reason

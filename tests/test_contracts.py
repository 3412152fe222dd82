"""Every built-in component passes every conformance check of its kind, as anyone's must."""

import pytest

from deqbench.checks import Outcome, check_component
from deqbench.discovery.registry import Registry
from deqbench.plugin import KINDS

REGISTRY = Registry.load()
BREAK_RULES = ("control-idle", "control-crash")
"""Negative controls that do nothing, or end their process; tests/controls runs them."""
BUILT_IN = [
    pytest.param(kind, offer.entry.name, id=f"{kind}/{offer.entry.name}")
    for kind in KINDS
    for offer in REGISTRY.offers(kind)
    if offer.origin.distribution == "deqbench" and offer.entry.name not in BREAK_RULES
]

NEEDS_MORE = {
    "openml": "reads the network; tests/datasets/test_openml.py checks it on a recorded response",
    "newton-cholesky": "fits the built-in linear model only; tests/trainers checks it there",
    "deq-metric-newton": "serves models linear in features; tests/trainers checks it on one",
    "deq-metric-trust-region": "serves models linear in features; tests/trainers checks it on one",
}
"""Components that some checks cannot serve, and what checks them instead."""

SMALLER = {
    "any-width": "[steps=300]",
    "column-sums": "[steps=40]",
    "implicit-bias": "[seeds=1]",
    "implicit-bias-helps": "[seeds=1]",
    "lazy-width": "[draws=1]",
    "trust-region": "[states=6]",
}
"""Parameters of claims that are examined at full size by the suites: three times is too long here."""


def test_there_are_no_broken_built_ins():
    assert REGISTRY.broken == ()
    assert len(BUILT_IN) > 30


@pytest.mark.parametrize(("kind", "name"), BUILT_IN)
def test_a_built_in_keeps_every_rule(kind, name):
    offer = next(one for one in REGISTRY.offers(kind) if one.entry.name == name)
    assert not offer.missing, f"the development extra should bring {offer.missing}"
    results = check_component(kind, name + SMALLER.get(name, ""), REGISTRY)
    assert [result for result in results if result.outcome is Outcome.FAILED] == []
    skipped = [result for result in results if result.outcome is Outcome.SKIPPED]
    reads_records = kind == "claims" and not hasattr(REGISTRY.target(kind, name), "examine")
    assert name in NEEDS_MORE or reads_records or skipped == []

"""Implicit bias: where the limit lies is foretold by the metric of the start, and intervals are shown."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from deqbench.claims import Outcome, decide
from deqbench_plugins.claims.bias import GAMMAS, ImplicitBias, ImplicitBiasHelps, limit
from deqbench_plugins.claims.cases import relative


@pytest.fixture(scope="module")
def helped():
    return ImplicitBiasHelps(seeds=3, outputs=2).examine(7, 0)


def test_the_claim_holds_and_a_gaussian_teacher_is_its_control(helped):
    verdict = decide(helped, ImplicitBiasHelps.tolerance)
    assert verdict.verdict is Outcome.HOLDS, verdict.reason
    assert verdict.control_fired


def test_the_ratio_is_what_the_metric_of_the_start_foretells(helped):
    facts = {one.name: one.value for one in helped.assumptions}
    assert facts["foretold_ratio"] == pytest.approx(facts["median_ratio"], abs=0.03)


def test_the_shortest_solution_without_an_implicit_layer_has_minimum_norm():
    case = ImplicitBiasHelps()._case(0, delm=True)
    weights = case.shortest(0.0)
    assert torch.allclose(weights, torch.linalg.lstsq(case.features, case.loss.y, driver="gelsd")[0].T)
    assert case.ratio(weights) == pytest.approx(1.0)


def test_with_one_output_the_sum_directions_share_is_often_too_small():
    """By the formula, which needs no flow: why nothing is claimed of one output."""

    def wins(outputs):
        cases = [ImplicitBiasHelps(outputs=outputs)._case(seed, delm=True) for seed in range(200)]
        return sum(case.ratio(case.shortest(0.8)) < 1 for case in cases) / len(cases)

    assert wins(1) < 0.85
    assert 0.9 < wins(3) < wins(10)


def test_the_means_grow_and_each_has_its_interval():
    seeds = 2
    evidence = ImplicitBias(seeds=seeds).examine(0, 0)
    facts = {one.name: one.value for one in evidence.assumptions}
    means = [facts[f"distance_{name}_mean"] for name in ("0", "0_1", "0_5", "0_9")]
    assert means == sorted(means)
    found = [relative(*limit(seed, GAMMAS[1], 0)) for seed in range(seeds)]
    low, high = stats.t.interval(0.95, seeds - 1, sum(found) / seeds, stats.sem(found))
    assert facts["distance_0_5_low"] == pytest.approx(low)
    assert facts["distance_0_5_high"] == pytest.approx(high)

"""Precision 2: a violation that rounding made is acquitted in 50 digits, a true one is not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from deqbench.claims import Evidence, Outcome, Point
from deqbench.experiments.claim import examined, settled
from deqbench_plugins.claims import invariants, linear_rate, more_digits, trust_region
from deqbench_plugins.claims.cases import random_loss, random_state
from deqbench_plugins.claims.linear_rate import LeastEigenvalue, LinearRateSquare, sharp_case
from deqbench_plugins.claims.more_digits import ExactFlow, again
from deqbench_plugins.theory.flow import Accuracy, delm_flow
from deqbench_plugins.theory.optimum import optimum
from deqbench_plugins.theory.rate import rate_along


@dataclass(frozen=True)
class Sharp:
    """Theorem 1 on the sharp instance, kappa times a factor, its float64 gaps spoiled by a share."""

    factor: float
    spoiled: float

    tolerance = 1e-6
    finest = 2

    def examine(self, seed, precision):
        start, loss = sharp_case(0.01)
        flow = delm_flow(start, loss, 3.0, Accuracy())
        rate = rate_along(flow, loss, optimum(loss), points=6, kappa_factor=self.factor)
        worse = [replace(one, gap=one.gap * (1 + self.spoiled)) for one in rate.checkpoints]
        points = linear_rate.points_of(replace(rate, checkpoints=tuple(worse)))
        if precision == 2:
            exact = ExactFlow(flow, loss, rate, self.factor)
            points = again(points, exact.gap_point, self.tolerance)
        return Evidence((), points)


def test_a_violation_that_rounding_made_is_acquitted_by_more_digits():
    _, verdict, precision = examined(Sharp(1.0, 1e-3), 0)
    assert (verdict.verdict, precision) == (Outcome.HOLDS, 2)


def test_a_true_violation_stays_one_in_more_digits():
    _, verdict, precision = examined(Sharp(1.02, 0.0), 0)
    assert (verdict.verdict, precision) == (Outcome.VIOLATED, 2)
    assert verdict.worst > 1.01


def test_more_digits_are_not_asked_for_where_float64_is_within_its_bound():
    _, verdict, precision = examined(Sharp(1.0, 0.0), 0)
    assert (verdict.verdict, precision) == (Outcome.HOLDS, 0)


@pytest.mark.parametrize(
    ("outcome", "precision", "words"),
    [
        (Outcome.HOLDS, 0, ""),
        (Outcome.VIOLATED, 1, " It does so with tolerances a hundred times tighter, too."),
        (Outcome.VIOLATED, 2, " It does so in more digits than float64, too."),
        (Outcome.HOLDS, 2, " At first it was violated; this was found in more digits than float64."),
    ],
)
def test_a_verdict_says_what_it_took(outcome, precision, words):
    assert settled(outcome, precision) == words


def test_checkpoints_within_their_bound_are_left_as_they_are():
    points = (Point(0.0, 0.5, 1.0), Point(1.0, 2.0, 1.0), Point(2.0, float("nan"), 1.0))
    places = []
    found = again(points, lambda place: places.append(place) or Point(9.0, 0.0, 1.0), 1e-6)
    assert places == [1, 2]
    assert found[0] is points[0]
    assert found[1].t == 9


def near_the_optimum(number, *_, **__):
    """A state whose gap lies below the rounding of the loss: float64 sees noise in its place."""
    loss = random_loss(number, "square", (30, 3, 2))
    loss = replace(loss, y=1e6 * loss.y)
    state = random_state(number, 3, 2, 0.5)
    return state.read_as(optimum(loss).weights * (1 + 1e-13)), loss


def test_c6_a_gap_made_of_rounding_is_acquitted(monkeypatch):
    monkeypatch.setattr(trust_region, "random_case", near_the_optimum)
    claim = trust_region.StationaryIsGlobal(states=8)
    assert max(point.ratio for point in claim.examine(0, 1).points) > 10  # float64 says: violated
    evidence, _, precision = examined(claim, 0)
    assert precision == 2
    assert max(point.ratio for point in evidence.points) <= 1


def test_c6_a_false_constant_stays_violated(monkeypatch):
    true = trust_region.gradient_point
    monkeypatch.setattr(trust_region, "random_case", near_the_optimum)
    monkeypatch.setattr(
        trust_region, "gradient_point", lambda *case: replace(true(*case), bound=true(*case).quantity / 2)
    )
    _, verdict, precision = examined(trust_region.StationaryIsGlobal(states=8), 0)
    assert (verdict.verdict, precision) == (Outcome.VIOLATED, 2)


def test_c5_a_step_that_float64_solves_badly_is_acquitted(monkeypatch):
    true = trust_region.by_secular_equation
    monkeypatch.setattr(
        trust_region,
        "by_secular_equation",
        lambda *case: (found := true(*case))._replace(v=found.v * (1 + 1e-7)),
    )
    claim = trust_region.TrustRegionEquivalence(states=1)
    evidence, verdict, precision = examined(claim, 2)  # the first state of seed 2 is a small one
    assert (verdict.verdict, precision) == (Outcome.HOLDS, 2)
    assert max(point.quantity for point in evidence.points) < 1e-30


def test_c4_a_least_eigenvalue_that_float64_gets_wrong_is_acquitted(monkeypatch):
    true = linear_rate.rate_along

    def spoiled(*args, **options):
        rate = true(*args, **options)
        return replace(rate, checkpoints=tuple(replace(one, floor_ratio=0.5) for one in rate.checkpoints[:5]))

    monkeypatch.setattr(linear_rate, "rate_along", spoiled)
    _, verdict, precision = examined(LeastEigenvalue(), 0)
    assert (verdict.verdict, precision) == (Outcome.HOLDS, 2)


def test_c1_in_50_digits_agrees_with_float64_at_every_checkpoint():
    claim = LinearRateSquare()
    loss, start = random_loss(7, "square", (20, 3, 6)), random_state(7, 3, 6, 0.8)
    flow = delm_flow(start, loss, 3.0 / loss.kappa())
    rate = rate_along(flow, loss, optimum(loss), points=4)
    exact = ExactFlow(flow, loss, rate)
    for place, point in enumerate(linear_rate.points_of(rate)):
        assert exact.gap_point(place).ratio == pytest.approx(point.ratio, rel=1e-6)
    assert claim.finest == 2


@pytest.mark.parametrize("gamma", [0.5, 0.99])
def test_c8_in_50_digits_the_law_holds_without_an_allowance_for_rounding(gamma):
    claim = invariants.DepthLaw(gamma)
    points = claim.examine(0, 2).points
    assert len(points) == len(invariants.DEPTHS)
    assert max(point.ratio for point in points) <= 1 + 1e-12


def test_c8_a_row_softmax_is_found_out_in_50_digits(monkeypatch):
    true = more_digits.column_softmax
    monkeypatch.setattr(more_digits, "column_softmax", lambda own, free: true(own, free.T).T)
    assert max(point.ratio for point in invariants.DepthLaw(0.5).examine(0, 2).points) > 1e20

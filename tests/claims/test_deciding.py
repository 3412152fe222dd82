"""The verdict protocol on hand-made evidence: every branch."""

import math

import pytest

from deqbench.claims import Assumption, Evidence, Outcome, Point, decide

FINE = Assumption("fine", 1.0, holds=True, sentence="all is well")
OPEN = Assumption("open", None, holds=False, sentence="nobody knows")
GOOD = (Point(1.0, 0.5, 1.0), Point(2.0, 0.9, 1.0))
BAD = (Point(1.0, 0.5, 1.0), Point(2.0, 1.1, 1.0))


def test_a_claim_holds_within_its_bound_if_its_control_fails():
    verdict = decide(Evidence((FINE,), GOOD, BAD, "false"), 1e-6)
    assert verdict.verdict is Outcome.HOLDS
    assert verdict.worst == 0.9
    assert verdict.margin == pytest.approx(0.1)
    assert verdict.control_fired is True
    assert "false" in verdict.reason


def test_a_claim_beyond_its_bound_is_violated():
    verdict = decide(Evidence((FINE,), BAD, BAD, "false"), 1e-6)
    assert verdict.verdict is Outcome.VIOLATED
    assert verdict.margin == pytest.approx(-0.1)


def test_a_violation_stands_though_its_control_did_not_fail():
    assert decide(Evidence((), BAD, GOOD, "false"), 1e-6).verdict is Outcome.VIOLATED


def test_the_tolerance_is_allowed_for():
    points = (Point(1.0, 1 + 1e-7, 1.0),)
    assert decide(Evidence((), points), 1e-6).verdict is Outcome.HOLDS
    assert decide(Evidence((), points), 1e-8).verdict is Outcome.VIOLATED


@pytest.mark.parametrize(
    ("evidence", "word"),
    [
        (Evidence((FINE, OPEN), BAD), "nobody knows"),
        (Evidence((FINE,), GOOD, BAD, vacuous="it predicts nothing"), "it predicts nothing"),
        (Evidence((FINE,), (), BAD), "No checkpoint"),
        (Evidence((FINE,), GOOD, GOOD, "false"), "did not"),
        (Evidence((FINE,), GOOD, (), "false"), "did not"),
        (Evidence((FINE,), (*GOOD, Point(3.0, math.nan, 1.0)), BAD), "not a number"),
        (Evidence((FINE,), (*GOOD, Point(3.0, 0.1, -1.0)), BAD), "not a number"),
    ],
    ids=["assumption", "vacuous", "no point", "deaf control", "no control point", "nan", "negative bound"],
)
def test_what_cannot_be_told_is_inconclusive_and_says_why(evidence, word):
    verdict = decide(evidence, 1e-6)
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert word in verdict.reason


def test_without_a_control_nothing_is_said_of_one():
    verdict = decide(Evidence((), GOOD), 1e-6)
    assert verdict.verdict is Outcome.HOLDS
    assert verdict.control_fired is None
    assert math.isnan(verdict.control_worst)


def test_a_bound_of_zero_is_met_by_zero_alone():
    assert decide(Evidence((), (Point(0.0, 0.0, 0.0),)), 1e-6).verdict is Outcome.HOLDS
    assert decide(Evidence((), (Point(0.0, 1e-300, 0.0),)), 1e-6).verdict is Outcome.VIOLATED

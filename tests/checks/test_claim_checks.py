"""The conformance checks of claims catch who breaks a rule, and let pass who keeps them all."""

import dataclasses
import math
import random
from typing import ClassVar

import mpmath
import pytest
import torch

from deqbench.checks import Outcome, check_component
from deqbench.checks import claims as checks
from deqbench.claims import Assumption, Evidence, Point
from deqbench.discovery.registry import Registry
from deqbench.errors import InapplicableError

GOOD = Evidence(
    (Assumption("known", 2.0, holds=True, sentence="it is known"),),
    (Point(1.0, 0.5, 1.0), Point(2.0, 0.7, 1.0)),
    (Point(1.0, 2.0, 1.0),),
    "twice as much",
)


class Sound:
    """Keeps every rule."""

    code: ClassVar[str] = "T1"
    statement: ClassVar[str] = "Quantities stay below one."
    source: ClassVar[str] = "own"
    tolerance: ClassVar[float] = 1e-6

    def examine(self, seed, precision):
        return self.show()

    def show(self):
        return GOOD


def shows(**changes):
    """A claim that is sound but for some parts of its evidence."""
    return type("Shown", (Sound,), {"show": lambda self: dataclasses.replace(GOOD, **changes)})()


def declares(**fields):
    return type("Declared", (Sound,), fields)()


def acts(deed):
    """A claim that does something beside showing its evidence."""

    def examine(self, seed, precision):
        return deed() or GOOD

    return type("Acting", (Sound,), {"examine": examine})()


def leaks(change, undo):
    """A claim that changes a global setting, and how to set it back."""
    return acts(lambda: change() and None), undo


def no_number(value):
    return (*GOOD.points, Point(3.0, value, 1.0))


def drawn():
    return dataclasses.replace(GOOD, points=(Point(1.0, random.random(), 1.0),))


def asked(precision_allowed):
    def examine(self, seed, precision):
        if precision > precision_allowed:
            raise ValueError(f"precision {precision} is unknown")
        return GOOD

    return type("Shy", (Sound,), {"examine": examine})()


OPEN = (Assumption("open", None, holds=False, sentence="nobody knows"),)
CAUGHT = [
    (declares(code=""), checks.declares_itself, "no code"),
    (declares(code="C 1"), checks.declares_itself, "is a word"),
    (declares(statement="Quantities stay below one"), checks.declares_itself, "sentence"),
    (declares(source=None), checks.declares_itself, "no source"),
    (declares(tolerance=0.5), checks.declares_itself, "tolerance is 0.5"),
    (declares(tolerance=math.nan), checks.declares_itself, "tolerance is nan"),
    (declares(finest=7), checks.declares_itself, "precision is 7"),
    (declares(examine=lambda self, seed, precision: [0.5]), checks.returns_evidence, "not Evidence"),
    (shows(points=list(GOOD.points)), checks.returns_evidence, "points are a list"),
    (acts(drawn), checks.is_decided_by_its_seed, "differ in their points"),
    (acts(drawn), checks.leaves_nothing_behind, "random generator"),
    (acts(lambda: torch.rand(1) is None or None), checks.leaves_nothing_behind, "random generator"),
    (shows(points=no_number(math.nan)), checks.points_are_numbers, "quantity is nan"),
    (shows(points=no_number(-0.1)), checks.points_are_numbers, "quantity is -0.1"),
    (shows(points=(Point(1.0, 0.0, 0.0),)), checks.points_are_numbers, "bound is 0.0"),
    (shows(points=(Point(math.inf, 0.1, 1.0),)), checks.points_are_numbers, "t = inf"),
    (shows(assumptions=(Assumption("Big One", 1.0, True, "s"),)), checks.assumptions_are_told, "column"),
    (shows(assumptions=2 * GOOD.assumptions), checks.assumptions_are_told, "two assumptions"),
    (shows(assumptions=(Assumption("a", 1.0, True, ""),)), checks.assumptions_are_told, "does not say"),
    (shows(assumptions=(Assumption("a", math.inf, True, "s"),)), checks.assumptions_are_told, "None"),
    (shows(control=None), checks.has_a_control_that_fires, "no control"),
    (shows(control_name=""), checks.has_a_control_that_fires, "no name"),
    (shows(control=(Point(1.0, 0.9, 1.0),)), checks.has_a_control_that_fires, "did not"),
    (shows(control=GOOD.points), checks.control_is_another, "very quantities"),
    (shows(points=()), checks.can_be_decided, "No checkpoint"),
    (shows(points=no_number(math.nan)), checks.can_be_decided, "not a number"),
    (
        declares(read=lambda self, trials, curves: [((), GOOD)]),
        checks.finds_nothing_in_empty_tables,
        "1 piece",
    ),
]


@pytest.mark.parametrize(
    ("claim", "check", "word"), CAUGHT, ids=lambda value: getattr(value, "__name__", None)
)
def test_a_bad_claim_is_caught_and_told_why(claim, check, word):
    assert word in check(claim)


def test_a_judgement_that_is_no_json_is_caught():
    with pytest.raises(TypeError, match="serializable"):
        checks.can_be_recorded(declares(source=object()))


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_a_sound_claim_passes(check):
    assert check(Sound()) is None


LEAKS = [
    (lambda: torch.set_default_dtype(torch.float64), lambda: torch.set_default_dtype(torch.float32), "dtype"),
    (lambda: torch.set_grad_enabled(False), lambda: torch.set_grad_enabled(True), "gradient mode"),
    (lambda: setattr(mpmath.mp, "dps", 40), lambda: setattr(mpmath.mp, "dps", 15), "mpmath's precision"),
]


@pytest.mark.parametrize(("change", "undo", "word"), LEAKS)
def test_a_claim_that_changes_a_global_setting_is_caught(change, undo, word):
    try:
        found = checks.leaves_nothing_behind(acts(lambda: change() and None))
    finally:
        undo()
    assert word in found


def test_a_claim_that_fails_at_a_finer_precision_is_caught():
    with pytest.raises(ValueError, match="precision 1 is unknown"):
        checks.returns_evidence(asked(0))
    assert checks.returns_evidence(asked(1)) is None


def test_a_claim_that_offers_more_digits_is_asked_for_them():
    shy = asked(1)
    type(shy).finest = 2
    with pytest.raises(ValueError, match="precision 2 is unknown"):
        checks.returns_evidence(shy)


def test_an_open_assumption_or_a_vacuous_bound_excuses_that_nothing_can_be_said():
    assert checks.can_be_decided(shows(points=(), assumptions=OPEN)) is None
    assert checks.can_be_decided(shows(points=(), vacuous="it predicts nothing")) is None


def test_a_claim_that_reads_records_alone_is_not_examined():
    with pytest.raises(InapplicableError):
        checks.returns_evidence(type("Reader", (), {"read": lambda self, trials, curves: []})())


def test_a_claim_is_examined_once_for_all_checks():
    count = []
    claim = acts(lambda: count.append(1))
    for check in checks.CHECKS:
        check(claim)
    assert len(count) == 3  # precision 0 twice, precision 1 once


def test_the_generators_are_left_as_the_author_had_them():
    before = torch.get_rng_state()
    checks.is_decided_by_its_seed(Sound())
    assert torch.equal(before, torch.get_rng_state())


BUILT_IN = [
    "depth-law",
    "column-sums[steps=40]",
    "trust-region[states=6]",
    "stationary-is-global[states=6]",
    "diagonal-bias",
    "monotone-lipschitz",
    "one-step-on-delm[states=20]",
    "near-one[m=5]",
    "descent-rate[steps=60]",
]


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_claim_passes_with_small_parameters(name):
    results = check_component("claims", name, Registry.load())
    assert [one for one in results if one.outcome is not Outcome.PASSED] == []

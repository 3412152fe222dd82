"""The conformance checks of solvers catch who breaks a rule, and let pass who keeps them all."""

import dishonest_solvers as bad
import pytest
import torch

from deqbench.checks.contractions import PROBLEMS, Tally, served, tensors
from deqbench.checks.honesty import counts_what_it_asks, repeats_itself, tells_the_true_residual
from deqbench.checks.solvers import (
    CHECKS,
    changes_nothing_in_place,
    keeps_its_state_in_its_state,
    keeps_samples_apart,
    reports_the_map,
    survives_a_failed_sample,
)
from deqbench.errors import InapplicableError

CAUGHT = [
    (bad.StaleValue, reports_the_map),
    (bad.ForgedWitness, reports_the_map),
    (bad.ForgedWitness, tells_the_true_residual),
    (bad.Vouches, reports_the_map),
    (bad.Vouches, tells_the_true_residual),
    (bad.ForgedValue, tells_the_true_residual),
    (bad.LateLie, tells_the_true_residual),
    (bad.CountsOnItself, keeps_its_state_in_its_state),
    (bad.WarmStart, repeats_itself),
    (bad.WarmLoop, repeats_itself),
    (bad.DrawsFromTorch, repeats_itself),
    (bad.DrawsFromNumpy, repeats_itself),
    (bad.DrawsFromPython, repeats_itself),
    (bad.DrawsAndPutsBack, repeats_itself),
    (bad.LoopThatDraws, repeats_itself),
    (bad.BypassesTheCounter, counts_what_it_asks),
    (bad.BypassesInALoop, counts_what_it_asks),
    (bad.TakesCallsBack, counts_what_it_asks),
    (bad.InventsCalls, counts_what_it_asks),
    (bad.SwapsTheCounter, counts_what_it_asks),
    (bad.WritesIntoItsStart, changes_nothing_in_place),
    (bad.WritesIntoItsState, changes_nothing_in_place),
    (bad.LoopThatWrites, changes_nothing_in_place),
    (bad.MixesSamples, keeps_samples_apart),
    (bad.LoopThatMixes, keeps_samples_apart),
    (bad.SpoiledByOne, survives_a_failed_sample),
]


@pytest.mark.parametrize(("solver", "check"), CAUGHT, ids=lambda one: one.__name__)
def test_the_check_of_a_rule_catches_a_solver_that_breaks_it(solver, check):
    assert check(solver()) is not None


@pytest.mark.parametrize("check", CHECKS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("solver", [bad.Plain, bad.Loop], ids=lambda one: one.__name__)
def test_a_sound_solver_passes_every_check(solver, check):
    assert check(solver()) is None


def test_checking_leaves_the_global_generators_as_they_were():
    state = torch.get_rng_state()
    repeats_itself(bad.Plain())
    assert torch.equal(torch.get_rng_state(), state)


def test_a_solver_that_serves_no_map_is_said_to_be_inapplicable():
    class Nothing(bad.Plain):
        def init(self, f, z0):
            raise InapplicableError("not for this map")

    with pytest.raises(InapplicableError, match="not for this map"):
        served(Nothing())


@pytest.mark.parametrize("build", PROBLEMS, ids=lambda one: one.__name__)
def test_the_problems_know_their_equilibrium(build):
    problem = build()
    torch.testing.assert_close(problem.value(problem.exact), problem.exact, rtol=1e-14, atol=1e-14)
    assert problem.f.counter.calls == 0


@pytest.mark.parametrize("build", PROBLEMS, ids=lambda one: one.__name__)
def test_the_tally_sees_calls_and_products_however_they_are_made(build):
    problem = build()
    f, z = problem.f, problem.z0
    with Tally(problem.matrix) as tally:
        f(z)
        f.vjp(z, z)
        f.jvp(z, z)
        f.pushforward(z, z)
        f.rows(torch.tensor([0, 2]))(z[[0, 2]])
        f.jacobian(z)
    counter = f.counter
    assert tally.products == counter.calls + counter.vjps + counter.jvps
    assert tally.samples == counter.sample_calls + counter.sample_products


@pytest.mark.parametrize("build", PROBLEMS)
def test_beneath_a_tally_a_samples_value_has_the_same_bits_in_any_batch(build):
    together = build()
    with Tally(together.matrix):
        whole = together.value(together.z0)
    for row in range(len(whole)):
        alone = build(slice(row, row + 1))
        with Tally(alone.matrix):
            assert torch.equal(alone.value(alone.z0)[0], whole[row])


def test_every_tensor_of_a_nested_state_is_found():
    one = torch.zeros(1)
    assert list(tensors({"a": (one, [one]), "b": {"c": one}, "d": 3})) == ["a.0", "a.1.0", "b.c"]

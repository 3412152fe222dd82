"""The conformance checks of gradients catch who breaks a rule, and let pass who keeps them all."""

import pytest
import torch

from deqbench.checks import gradients as checks
from deqbench_plugins.gradients.attaching import value_with_adjoint, value_with_graph
from deqbench_plugins.gradients.one_step import OneStep


class Elsewhere:
    """Returns a point beside the equilibrium."""

    def attach(self, problem):
        return problem.attach(problem.solve() + 1e-3)[1]


class Upward:
    """Turns the gradient round."""

    def attach(self, problem):
        z = problem.solve()
        return value_with_adjoint(z, problem.attach(z)[1], torch.neg)


class Clipped:
    """Clips the incoming gradient, so that the loss's unit matters."""

    def attach(self, problem):
        z = problem.solve()
        return value_with_adjoint(z, problem.attach(z)[1], lambda g: g.clamp(-1, 1))


class Mixing:
    """Scales the gradient by the batch's length."""

    def attach(self, problem):
        z = problem.solve()
        return value_with_adjoint(z, problem.attach(z)[1], lambda g: g / (1 + 0 * g.norm() + z.std()))


class SpoiledByOne:
    """Adds a sum over the batch that is zero as long as no sample fails."""

    def attach(self, problem):
        z = problem.solve()
        fz = problem.attach(z)[1]
        return value_with_adjoint(z, fz, lambda g: g + 0 * fz.detach().sum())


class Uncharged:
    """Calls the map where nobody counts."""

    def attach(self, problem):
        z = problem.solve()
        return value_with_graph(problem.f.function(z, *problem.f.inputs), z)


class Jittered:
    """Adds noise of torch's global generator."""

    def attach(self, problem):
        z = problem.solve()
        return value_with_adjoint(z, problem.attach(z)[1], lambda g: g + 1e-9 * torch.rand_like(g))


class NeedsASample:
    """Looks at the first sample."""

    def attach(self, problem):
        z = problem.solve()
        return value_with_graph(problem.attach(z)[1] + 0 * z[0], z)


CAUGHT = [
    (Elsewhere, checks.returns_the_equilibrium),
    (Upward, checks.descends),
    (Clipped, checks.scales_with_the_loss),
    (Mixing, checks.keeps_samples_apart),
    (SpoiledByOne, checks.survives_a_failed_sample),
    (Uncharged, checks.charges_what_it_asks),
    (Jittered, checks.repeats_itself),
]


@pytest.mark.parametrize(("gradient", "check"), CAUGHT, ids=lambda one: one.__name__)
def test_the_check_of_a_rule_catches_a_gradient_that_breaks_it(gradient, check):
    assert check(gradient()) is not None


def test_a_gradient_that_fails_on_an_empty_batch_is_caught():
    with pytest.raises(IndexError):
        checks.serves_an_empty_batch(NeedsASample())


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda one: one.__name__)
def test_a_sound_gradient_passes_every_check(check):
    assert check(OneStep()) is None

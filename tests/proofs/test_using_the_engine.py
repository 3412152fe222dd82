"""The engine in the hands of a user: modes of torch that it works in, and mistakes that it names."""

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from deqbench import equilibrium
from deqbench.equilibria.maps import Map
from deqbench.equilibria.solving import Stop, drive
from deqbench.errors import ConfigurationError, UnknownNameError
from deqbench_plugins.solvers.picard import Picard


def damped(z, x):
    return torch.tanh(0.5 * z + x)


def numbers(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)).to(dtype)


@pytest.mark.parametrize("solver", ["picard", "anderson", "broyden"])
def test_it_works_in_inference_mode(solver):
    x = numbers(3, 2)
    with torch.inference_mode():
        z = equilibrium(damped, torch.zeros(3, 2), x, solver=solver)
        assert (damped(z, x) - z).norm() <= 1e-5


def test_a_start_may_be_an_expanded_view_or_the_input_itself():
    x = numbers(3, 2)
    start = torch.zeros(1, 2).expand(3, 2)
    torch.testing.assert_close(equilibrium(damped, start, x), equilibrium(damped, x, x), rtol=1e-4, atol=1e-5)
    assert torch.equal(start, torch.zeros(3, 2))


def test_it_may_be_checkpointed():
    weight = (0.2 * numbers(2, 2, dtype=torch.float64)).requires_grad_()
    x = numbers(3, 2, dtype=torch.float64)

    def layer(x):
        return equilibrium(lambda z, x: torch.tanh(z @ weight + x), torch.zeros_like(x), x)

    plain = torch.autograd.grad(layer(x).sum(), weight)[0]
    again = torch.autograd.grad(checkpoint(layer, x, use_reentrant=False).sum(), weight)[0]
    torch.testing.assert_close(plain, again)


def test_it_takes_part_in_a_jacobian_of_autograd():
    x = numbers(3, 2, dtype=torch.float64)
    found = torch.autograd.functional.jacobian(lambda x: equilibrium(damped, torch.zeros_like(x), x), x)
    z = equilibrium(damped, torch.zeros_like(x), x)
    slope = 1 - z**2
    expected = torch.diag_embed((slope / (1 - slope / 2)).flatten()).reshape(3, 2, 3, 2)
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("solver", ["picard", "anderson", "broyden"])
def test_a_map_that_ignores_its_state_is_solved_at_once(solver):
    x = numbers(3, 2).requires_grad_()
    z = equilibrium(lambda z, x: 2 * x, torch.zeros(3, 2), x, solver=solver)
    torch.testing.assert_close(z, 2 * x)
    torch.testing.assert_close(torch.autograd.grad(z.sum(), x)[0], torch.full((3, 2), 2.0))


def test_a_map_that_changes_its_state_in_place_is_refused():
    x = numbers(3, 2)
    f = Map(lambda z, x: z.mul_(0.5).add_(x), (x,))
    with pytest.raises(ConfigurationError, match="changed its state in place"):
        drive(Picard(), f, torch.zeros(3, 2), Stop(1e-3))


@pytest.mark.parametrize(
    "start",
    [torch.tensor(1.0), torch.zeros(3, 2, dtype=torch.int64), torch.zeros(3, 2, dtype=torch.complex64)],
    ids=["no rows", "whole numbers", "complex"],
)
def test_a_start_that_is_no_batch_of_real_numbers_is_refused(start):
    with pytest.raises(ConfigurationError, match="start z0 has shape"):
        equilibrium(lambda z: 0.5 * z, start)


def test_a_map_that_changes_the_type_of_its_state_is_refused():
    with pytest.raises(ConfigurationError, match="keeps both"):
        equilibrium(lambda z, x: damped(z, x).double(), torch.zeros(3, 2), numbers(3, 2))


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ({"solver": "andersen"}, "Did you mean 'anderson'"),
        ({"gradient": "implict"}, "Did you mean 'implicit'"),
    ],
)
def test_a_name_that_nobody_answers_to_is_an_error_with_the_nearest_one(option, hint):
    with pytest.raises(UnknownNameError, match=hint):
        equilibrium(damped, torch.zeros(3, 2), numbers(3, 2), **option)


def test_a_parameter_that_a_solver_has_not_is_an_error():
    with pytest.raises(ConfigurationError, match="Did you mean 'memory'"):
        equilibrium(damped, torch.zeros(3, 2), numbers(3, 2), solver="anderson[memry=3]")

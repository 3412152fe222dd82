"""The estimated Jacobian norm against Jacobians written down in float64."""

import itertools

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from deqbench.equilibria.jacobians import jacobian_norm


def random(*shape, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=g, dtype=torch.float64)


WEIGHT, Z, X = random(4, 4), random(3, 4, seed=1), random(3, 4, seed=2)


def tanh(z, x):
    return torch.tanh(z @ WEIGHT.mT + x)


def exact(z, x):
    slope = 1 - tanh(z, x) ** 2
    return (slope.unsqueeze(2) * WEIGHT).square().sum((1, 2)) / z.shape[1]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_mean_over_all_signs_is_the_norm(monkeypatch):
    signs = [torch.tensor(s).expand(3, 4) for s in itertools.product((0, 1), repeat=4)]
    drawn = iter(signs)
    monkeypatch.setattr(torch, "randint", lambda *_, **__: next(drawn))
    found = jacobian_norm(tanh, Z, X, probes=len(signs))
    torch.testing.assert_close(found, exact(Z, X))


def test_many_probes_come_near_the_norm():
    found = jacobian_norm(tanh, Z, X, probes=2000, generator=seeded())
    torch.testing.assert_close(found, exact(Z, X), rtol=0.05, atol=0)


def test_its_derivative_is_right_twice():
    z, x = Z.clone().requires_grad_(), X.clone().requires_grad_()
    norm = lambda z, x: jacobian_norm(tanh, z, x, generator=seeded())  # noqa: E731
    assert gradcheck(norm, (z, x))
    assert gradgradcheck(norm, (z, x))


def test_the_same_generator_gives_the_same_numbers_and_leaves_torchs_alone():
    before = torch.random.get_rng_state()
    found = [jacobian_norm(tanh, Z, X, generator=seeded(3)) for _ in range(2)]
    assert torch.equal(*found)
    assert torch.equal(before, torch.random.get_rng_state())


def test_without_gradients_it_is_still_measured():
    with torch.no_grad():
        found = jacobian_norm(tanh, Z, X, generator=seeded())
    assert not found.requires_grad
    assert (found > 0).all()


@pytest.mark.parametrize("shape", [(3,), (3, 2, 2), (0, 4)])
def test_states_of_any_shape_have_one_norm_a_sample(shape):
    found = jacobian_norm(lambda z: 0.5 * z, torch.zeros(shape, dtype=torch.float64))
    torch.testing.assert_close(found, torch.full(shape[:1], 0.25, dtype=torch.float64))


def test_a_map_that_ignores_its_state_has_norm_zero():
    assert jacobian_norm(lambda _z, x: 2 * x, Z, X.clone().requires_grad_()).abs().max() == 0

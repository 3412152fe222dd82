"""The counted map and the affine map."""

import pytest
import torch

from deqbench.equilibria.affine import AffineMap
from deqbench.equilibria.maps import Map
from deqbench.errors import ConfigurationError


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_an_affine_map_applies_its_matrix_to_each_row():
    matrix, z, offset = random(3, 3), random(5, 3, seed=1), random(5, 3, seed=2)
    expected = torch.stack([matrix @ row + o for row, o in zip(z, offset, strict=True)])
    torch.testing.assert_close(AffineMap(matrix)(z, offset), expected)


def test_the_transpose_is_the_adjoint_and_shares_the_memo():
    f, u, v = AffineMap(random(3, 3)), random(4, 3, seed=1), random(4, 3, seed=2)
    torch.testing.assert_close((f.linear(v) * u).sum(1), (f.T.linear(u) * v).sum(1))
    assert f.T.memo is f.memo
    assert f.T.T.transposed is f.transposed


@pytest.mark.parametrize("affine", [True, False])
def test_products_agree_with_the_jacobian(affine):
    matrix, x = 0.3 * random(3, 3), random(2, 3, seed=1)
    f = AffineMap(matrix) if affine else lambda z, x: torch.tanh(z @ matrix.T + x)
    z, u = random(2, 3, seed=2), random(2, 3, seed=3)
    for row in range(2):
        one = Map(f, (x[row : row + 1],))
        jacobian = torch.autograd.functional.jacobian(one, z[row : row + 1])
        dense = jacobian.reshape(3, 3)
        torch.testing.assert_close(Map(f, (x,)).jvp(z, u)[row], dense @ u[row])
        torch.testing.assert_close(Map(f, (x,)).vjp(z, u)[row], dense.T @ u[row])


def test_every_call_and_product_is_counted():
    f = Map(lambda z, x: torch.tanh(z + x), (random(4, 2),))
    z = random(4, 2, seed=1)
    f(z)
    f.rows(torch.tensor([0, 2]))(z[:2])
    assert (f.counter.calls, f.counter.sample_calls) == (2, 6)
    f.vjp(z, z)
    f.jvp(z, z)
    assert (f.counter.calls, f.counter.vjps, f.counter.jvps) == (4, 1, 1)


def test_selected_rows_see_their_own_inputs():
    x, z = random(4, 2), random(4, 2, seed=1)
    f = Map(lambda z, x: z * x, (x,))
    index = torch.tensor([3, 1])
    torch.testing.assert_close(f.rows(index)(z[index]), f(z)[index])


@pytest.mark.parametrize("broken", [lambda z: z[:, :1], lambda z: z.float()])
def test_a_map_that_changes_shape_or_type_is_refused(broken):
    with pytest.raises(ConfigurationError, match="keeps both"):
        Map(broken)(random(2, 3))


def test_the_map_vouches_only_for_untouched_pairs():
    f, z = Map(torch.tanh), random(2, 3)
    fz = f(z)
    assert f.witnessed(z, fz)
    assert not f.witnessed(z, fz.clone())
    fz.add_(1)
    assert not f.witnessed(z, fz)


def test_repeated_calls_are_charged_and_end_as_single_ones_do():
    f, g = (Map(AffineMap(torch.eye(3) / 2), (torch.ones(2, 3),)) for _ in range(2))
    f(torch.zeros(2, 3))
    z, fz = f.repeated(4)
    point = torch.zeros(2, 3)
    for _ in range(4):
        point = g(point)
    assert torch.equal(z, point)
    assert torch.equal(fz, g(point))
    assert (f.counter.calls, f.counter.sample_calls) == (5, 10)
    assert f.witnessed(z, fz)


@pytest.mark.parametrize("spoil", [lambda z: z.mul_(2), lambda z: z.double(), lambda z: z[:1]])
def test_repeated_calls_refuse_what_single_ones_refuse(spoil):
    calls = []
    f = Map(lambda z: spoil(z) if len(calls) > 1 else calls.append(1) or z + 1)
    f(torch.ones(2, 3))
    with pytest.raises(ConfigurationError):
        f.repeated(4)

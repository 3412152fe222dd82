"""C8 of theory.md: a DELM of depth H is gamma^H away from its equilibrium, in the norm where it contracts.

With 1^T S = 1^T: ||z* - z_H||_1 <= gamma^H ||z* - z_0||_1, and 1^T (z* - z_H) = gamma^H 1^T (z* - z_0)
exactly; for offsets >= 0 and z_0 = 0 the first is an equality too.
"""

import pytest
import torch

from deqbench.equilibria.affine import AffineMap
from deqbench.equilibria.maps import Map
from deqbench.equilibria.solving import Stop, drive
from deqbench_plugins.solvers.picard import Picard

BATCH, SIZE = 6, 20
GAMMAS = [0.5, 0.9, 0.99]
DEPTHS = [1, 2, 5, 20, 60]


def numbers(gamma, *, axis=0):
    """gamma S with S a softmax along an axis, offsets and starts."""
    g = torch.Generator().manual_seed(8)
    shares = torch.softmax(2 * torch.randn(SIZE, SIZE, generator=g, dtype=torch.float64), axis)
    offset, start = torch.randn(2, BATCH, SIZE, generator=g, dtype=torch.float64)
    return gamma * shares, offset, start


def exact(matrix, offset):
    return torch.linalg.solve(torch.eye(SIZE, dtype=torch.float64) - matrix, offset.mT).mT


def at_depth(depth, matrix, offset, start):
    """z_H by the engine: the value that the last of `depth` calls returned."""
    f = Map(AffineMap(matrix), (offset,))
    solver = Picard()
    state = solver.init(f, start)
    for _ in range(depth - 1):
        state = solver.step(f, state)
    assert f.counter.calls == depth
    return state.fz


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("depth", DEPTHS)
def test_the_signed_distance_shrinks_by_gamma_each_layer_exactly(depth, gamma):
    matrix, offset, start = numbers(gamma)
    z, limit = at_depth(depth, matrix, offset, start), exact(matrix, offset)
    left, right = (limit - z).sum(1), gamma**depth * (limit - start).sum(1)
    scale = limit.abs().sum(1)
    assert ((left - right).abs() <= 1e-14 * scale).all()


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("depth", DEPTHS)
def test_the_distance_shrinks_at_least_by_gamma_each_layer(depth, gamma):
    matrix, offset, start = numbers(gamma)
    z, limit = at_depth(depth, matrix, offset, start), exact(matrix, offset)
    left, right = (limit - z).abs().sum(1), gamma**depth * (limit - start).abs().sum(1)
    assert (left <= right * (1 + 1e-12) + 1e-14 * limit.abs().sum(1)).all()


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("depth", DEPTHS)
def test_for_offsets_of_one_sign_the_law_is_an_equality(depth, gamma):
    matrix, offset, start = numbers(gamma)
    offset, start = offset.abs(), torch.zeros_like(start)
    z, limit = at_depth(depth, matrix, offset, start), exact(matrix, offset)
    left, right = (limit - z).abs().sum(1), gamma**depth * limit.abs().sum(1)
    torch.testing.assert_close(left, right, rtol=1e-9, atol=1e-14 * float(limit.abs().sum(1).max()))


def test_the_engine_stops_at_the_depth_that_the_law_gives():
    gamma, tolerance = 0.9, 1e-8
    matrix, offset, _ = numbers(gamma)
    f = Map(AffineMap(matrix), (offset.abs(),))
    solution = drive(Picard(), f, torch.zeros_like(offset), Stop(tolerance, 2000, "l1"))
    # ||f(z_k) - z_k||_1 = gamma^k ||phi||_1, so the k-th call, counted from 1, has gamma^(k - 1).
    depth = torch.log(tolerance / offset.abs().sum(1)) / torch.log(torch.tensor(gamma))
    assert torch.equal(solution.calls, depth.ceil().int() + 1)


def test_control_a_row_softmax_breaks_the_signed_law():
    gamma, depth = 0.9, 5
    matrix, offset, start = numbers(gamma, axis=1)
    z, limit = at_depth(depth, matrix, offset, start), exact(matrix, offset)
    left, right = (limit - z).sum(1), gamma**depth * (limit - start).sum(1)
    assert ((left - right).abs() > 1e-3 * limit.abs().sum(1)).any()


def test_control_the_euclidean_norm_does_not_obey_the_law():
    gamma = 0.9
    shares = torch.full((SIZE, SIZE), 1e-3 / SIZE, dtype=torch.float64)
    shares[0] = 1 - shares[1:].sum(0)  # all columns point to one unit: ||S||_2 is near sqrt(SIZE)
    offset = torch.ones(1, SIZE, dtype=torch.float64)
    start = torch.zeros_like(offset)
    matrix = gamma * shares
    # From z* - z_0 = 1, the first layer's distance is gamma ||S 1||_2, far above gamma ||1||_2.
    offset = offset - offset @ matrix.mT
    z, limit = at_depth(1, matrix, offset, start), exact(matrix, offset)
    assert float((limit - z).norm()) > 2 * gamma * float((limit - start).norm())

"""The factorised affine system: every route to it solves the same equation, forward and transposed."""

import mpmath
import pytest
import torch
from equilibrium_families import affine_softmax

from deqbench.equilibria.affine import AffineMap
from deqbench.equilibria.binding import Ledger, Stop, equilibrium
from deqbench.equilibria.maps import Map
from deqbench.equilibria.solving import SolveStatus, drive
from deqbench_plugins.solvers.direct import Direct
from deqbench_plugins.solvers.factorised import MANY, SMALL, LapackFactors, TorchFactors, factors

D = 6


def general(batch, dtype=torch.float64):
    """A matrix that contracts nothing and has no known sum."""
    g = torch.Generator().manual_seed(1)
    matrix = torch.randn(D, D, generator=g, dtype=torch.float64)
    return AffineMap(matrix.to(dtype)), torch.randn(batch, D, generator=g, dtype=torch.float64).to(dtype)


def exact(affine, offset):
    system = torch.eye(D, dtype=torch.float64) - affine.matrix.double()
    return torch.linalg.solve(system, offset.double().mT).mT


@pytest.mark.parametrize("batch", [1, 2, MANY * D - 1, MANY * D, 100])
@pytest.mark.parametrize("graph", [False, True], ids=["lapack", "torch"])
@pytest.mark.parametrize("draw", [general, lambda batch: affine_softmax(batch, D, 0.9, torch.float64)])
def test_every_route_solves_the_map_and_its_transpose(draw, graph, batch):
    affine, offset = draw(batch)
    for map_ in (affine, affine.T):
        held = factors(map_, torch.float64, graph=graph)
        assert isinstance(held, TorchFactors if graph else LapackFactors)
        found = held.solve(offset, transposed=map_.transposed)
        torch.testing.assert_close(found, exact(map_, offset), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("size", "kind"), [(SMALL, LapackFactors), (SMALL + 1, TorchFactors)])
@pytest.mark.parametrize("rows", [3, MANY * (SMALL + 1)])
def test_small_and_large_matrices_are_solved_alike(size, kind, rows):
    affine, offset = affine_softmax(rows, size, 0.9, torch.float64)
    eye = torch.eye(size, dtype=torch.float64)
    for map_ in (affine, affine.T):
        held = factors(map_, torch.float64, graph=False)
        assert isinstance(held, kind)
        found = held.solve(offset, transposed=map_.transposed)
        expected = torch.linalg.solve(eye - map_.matrix, offset.mT).mT
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)


def test_a_matrix_held_by_columns_is_solved_alike():
    affine, offset = general(3)
    by_columns = AffineMap(affine.matrix.mT.contiguous().mT)
    found = factors(by_columns, torch.float64, graph=False).solve(offset, transposed=False)
    torch.testing.assert_close(found, exact(affine, offset))


def test_solving_changes_neither_matrix_nor_offset():
    affine, offset = general(3)
    matrix, kept = affine.matrix.clone(), offset.clone()
    for map_ in (affine, affine.T):
        factors(map_, torch.float64, graph=False).solve(offset, transposed=map_.transposed)
    assert torch.equal(affine.matrix, matrix)
    assert torch.equal(offset, kept)


def test_a_matrix_changed_in_place_is_factorised_anew():
    affine, offset = general(3)
    drive(Direct(), Map(affine, (offset,)), offset, Stop())
    affine.matrix.mul_(0.5)
    solution = drive(Direct(), Map(affine, (offset,)), offset, Stop(1e-12))
    assert (solution.calls == 1).all()
    torch.testing.assert_close(solution.z, exact(affine, offset))


def test_the_adjoint_equation_reuses_the_factors():
    affine, offset = affine_softmax(3, D, 0.9, torch.float64)
    x = offset.requires_grad_()
    z = equilibrium(affine, offset.detach(), x, solver=Direct(), stop=Stop(1e-12), ledger=Ledger())
    held = affine.memo["direct"]
    (found,) = torch.autograd.grad(z.square().sum(), x)
    assert affine.memo["direct"] is held
    torch.testing.assert_close(found, exact(affine.T, 2 * z.detach()))


def test_its_steps_can_be_differentiated():
    g = torch.Generator().manual_seed(0)
    free = torch.randn(4, 4, generator=g, dtype=torch.float64, requires_grad=True)
    x = torch.randn(2, 4, generator=g, dtype=torch.float64, requires_grad=True)

    def solve(free, x):
        affine = AffineMap(0.9 * torch.softmax(free, 0), column_sum=0.1)
        stop = Stop(1e-12)
        return equilibrium(
            affine, x.detach(), x, solver=Direct(), gradient="unrolled", stop=stop, ledger=Ledger()
        )

    torch.autograd.gradcheck(solve, (free, x))


def test_an_offset_that_needs_a_gradient_gets_it_from_a_constant_matrix():
    affine, offset = affine_softmax(2, D, 0.5, torch.float64)
    x = offset.requires_grad_()
    stop = Stop(1e-12)
    z = equilibrium(
        affine, offset.detach(), x, solver=Direct(), gradient="unrolled", stop=stop, ledger=Ledger()
    )
    (found,) = torch.autograd.grad(z.sum(), x)
    torch.testing.assert_close(found, exact(affine.T, torch.ones(2, D)))


@pytest.mark.parametrize(("dtype", "unit"), [(torch.bfloat16, 2**-8), (torch.float16, 2**-11)])
@pytest.mark.parametrize("batch", [2, MANY * D])
def test_half_precision_is_solved_in_float32_and_rounded_once(dtype, unit, batch):
    affine, offset = general(batch, dtype)
    for map_ in (affine, affine.T):
        z = Direct().init(Map(map_, (offset,)), offset).z
        assert z.dtype == dtype
        expected = exact(map_, offset)
        assert ((z.double() - expected).abs() <= 1.01 * unit * expected.abs() + 1e-7).all()


def test_half_precision_converges_within_its_rounding():
    affine, offset = affine_softmax(4, D, 0.9)
    low = AffineMap(affine.matrix.bfloat16(), affine.column_sum)
    solution = drive(Direct(), Map(low, (offset.bfloat16(),)), offset.bfloat16(), Stop(2e-2))
    assert solution.converged.all()


def test_a_singular_system_is_reported_and_raises_nothing():
    offset = torch.ones(2, 3)
    solution = drive(Direct(), Map(AffineMap(torch.eye(3)), (offset,)), offset, Stop(1e-6, max_calls=3))
    assert (solution.status == SolveStatus.NON_FINITE).all()
    assert torch.isfinite(solution.z).all()


@pytest.mark.parametrize("k", [1, 4, 8, 12, 14])
@pytest.mark.parametrize("balanced", [False, True], ids=["any offset", "offset whose sum cancels"])
@pytest.mark.parametrize("batch", [1, 64])
def test_the_known_sum_saves_every_digit_by_every_route(k, balanced, batch):
    """Against 60 digits; the offset's sum is exact in float64 when it cancels, so that c loses nothing."""
    size, gap = 8, 10.0**-k
    g = torch.Generator().manual_seed(k)
    free = torch.randn(size, size, generator=g, dtype=torch.float64)
    phi = torch.randint(1, 9, (1, size), generator=g).double()
    if balanced:
        phi[0, 0] -= phi.sum()
    with mpmath.workdps(60):
        exps = [[mpmath.exp(mpmath.mpf(value)) for value in row] for row in free.tolist()]
        totals = [mpmath.fsum(row[j] for row in exps) for j in range(size)]
        system = mpmath.matrix(size, size)
        for i in range(size):
            for j in range(size):
                system[i, j] = int(i == j) - (1 - mpmath.mpf(gap)) * exps[i][j] / totals[j]
        found = mpmath.lu_solve(system, mpmath.matrix(phi[0].tolist()))
        expected = torch.tensor([float(value) for value in found], dtype=torch.float64)
    affine = AffineMap((1 - gap) * torch.softmax(free, 0), column_sum=gap)
    offset = phi.expand(batch, size).contiguous()
    for graph in (False, True):
        z = factors(affine, torch.float64, graph=graph).solve(offset, transposed=False)
        assert ((z - expected).norm(dim=1) <= 1e-13 * expected.norm()).all()


def test_without_the_known_sum_the_digits_are_lost():
    """The negative control: the very same LU, not told c."""
    size, gap = 8, 1e-12
    g = torch.Generator().manual_seed(0)
    share = torch.softmax(torch.randn(size, size, generator=g, dtype=torch.float64), 0)
    offset = torch.ones(1, size, dtype=torch.float64)
    told = factors(AffineMap((1 - gap) * share, gap), torch.float64, graph=False)
    untold = factors(AffineMap((1 - gap) * share), torch.float64, graph=False)
    z, lost = (held.solve(offset, transposed=False) for held in (told, untold))
    assert abs(z.sum().item() * gap / size - 1) <= 1e-14
    assert abs(lost.sum().item() * gap / size - 1) > 1e-7

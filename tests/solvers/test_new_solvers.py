"""Newton, Newton-Krylov, type-I Anderson mixing and operator splitting, against independent truths."""

import math
from itertools import pairwise

import pytest
import torch

from deqbench.equilibria.affine import AffineMap
from deqbench.equilibria.binding import equilibrium
from deqbench.equilibria.ledger import Ledger
from deqbench.equilibria.maps import Map
from deqbench.equilibria.monotone import LinearPart, MonotoneMap, Relu, Tanh, monotone_blocks
from deqbench.equilibria.solving import SolveStatus, Stop, drive
from deqbench.plugin import InapplicableError
from deqbench_plugins.solvers.anderson import Anderson
from deqbench_plugins.solvers.anderson_type_one import AndersonTypeOne
from deqbench_plugins.solvers.forward_backward import ForwardBackward
from deqbench_plugins.solvers.newton import Newton
from deqbench_plugins.solvers.newton_krylov import NewtonKrylov
from deqbench_plugins.solvers.peaceman_rachford import PeacemanRachford
from deqbench_plugins.solvers.picard import Picard

GENERAL = [Newton(), NewtonKrylov(), NewtonKrylov(5), AndersonTypeOne(), AndersonTypeOne(memory=1)]
ids = str


def tanh_map(batch, size, norm, *, symmetric=False, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(size, size, generator=generator, dtype=torch.float64)
    weight = (weight + weight.mT) / 2 if symmetric else weight
    weight = (weight * (norm / torch.linalg.matrix_norm(weight, 2))).to(dtype)
    x = torch.randn(batch, size, generator=generator, dtype=torch.float64).to(dtype)
    x = 0.1 * x if symmetric else x
    return Map(lambda z, x: torch.tanh(z @ weight.mT + x), (x,)), torch.zeros_like(x)


def monotone_map(batch=6, size=12, margin=0.3, activation=None, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    factor, skew = torch.randn(2, size, size, generator=generator, dtype=torch.float64) / math.sqrt(size)
    offset = torch.randn(batch, size, generator=generator, dtype=torch.float64).to(dtype)
    part = LinearPart(monotone_blocks(factor, skew, margin).to(dtype))
    return Map(MonotoneMap(part, activation or Tanh()), (offset,)), torch.zeros_like(offset)


def problems(solver):
    if isinstance(solver, ForwardBackward | PeacemanRachford):
        return [monotone_map(), monotone_map(activation=Relu())]
    return [tanh_map(6, 10, 0.9), tanh_map(6, 10, 0.9, symmetric=True)]


ALL = [*GENERAL, ForwardBackward(), ForwardBackward(0.05), PeacemanRachford(), PeacemanRachford(3.0)]


@pytest.mark.parametrize("solver", ALL, ids=ids)
def test_what_is_called_converged_is_solved(solver):
    for f, z0 in problems(solver):
        solution = drive(solver, f, z0, Stop(1e-11, 3000))
        assert solution.converged.all()
        again = f.function(solution.z, *f.inputs)
        residual = torch.linalg.vector_norm(again - solution.z, dim=1) / torch.linalg.vector_norm(
            again, dim=1
        )
        torch.testing.assert_close(residual, solution.residual, rtol=0.05, atol=1e-15)


@pytest.mark.parametrize("solver", ALL, ids=ids)
def test_a_nan_in_one_row_is_nobody_elses(solver):
    for f, z0 in problems(solver):
        healthy = drive(solver, Map(f.function, f.inputs), z0, Stop(1e-9, 3000))
        spoiled = f.inputs[0].clone()
        spoiled[2] = torch.nan
        ill = drive(solver, Map(f.function, (spoiled,)), z0, Stop(1e-9, 3000))
        others = torch.arange(len(z0)) != 2
        assert ill.status[2] == SolveStatus.NON_FINITE
        assert torch.equal(ill.calls[others], healthy.calls[others])
        torch.testing.assert_close(ill.z[others], healthy.z[others], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("solver", ALL, ids=ids)
def test_an_empty_batch_and_a_single_sample_are_served(solver):
    for f, z0 in problems(solver):
        for rows in (0, 1):
            part = Map(f.function, (f.inputs[0][:rows],))
            solution = drive(solver, part, z0[:rows], Stop(1e-9, 3000))
            assert solution.converged.shape == (rows,)
            assert solution.converged.all()


@pytest.mark.parametrize("solver", GENERAL, ids=ids)
def test_states_keep_their_shape(solver):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 2, 4, generator=generator, dtype=torch.float64)
    f = Map(lambda z, x: 0.5 * torch.cos(z.flip(2)) + x, (x,))
    solution = drive(solver, f, torch.zeros_like(x), Stop(1e-10, 500))
    assert solution.converged.all()
    torch.testing.assert_close(f(solution.z), solution.z, rtol=1e-8, atol=1e-9)


def test_newton_converges_quadratically():
    f, z0 = tanh_map(4, 8, 0.99, symmetric=True)
    exact = drive(Newton(), f, z0 + 0.5, Stop(1e-15, 100)).z
    state = Newton().init(f, z0 + 0.5)
    errors = []
    for _ in range(5):
        state = Newton().step(f, state)
        errors.append(float((state.z - exact).abs().max()))
    # At a solution e' <= C e^2; C here is below ||(I - J)^-1|| max|tanh''| ||W||^2.
    constant = 0.77 / (1 - 0.99)
    assert all(after <= constant * before**2 + 1e-14 for before, after in pairwise(errors))
    assert errors[-1] < 1e-13


def test_newton_solves_an_affine_map_in_one_step_and_charges_its_jacobian():
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(5, 5, generator=generator, dtype=torch.float64)  # no contraction
    offset = torch.randn(3, 5, generator=generator, dtype=torch.float64)
    f = Map(AffineMap(matrix), (offset,))
    state = Newton().step(f, Newton().init(f, offset))
    exact = torch.linalg.solve(torch.eye(5, dtype=torch.float64) - matrix, offset.mT).mT
    torch.testing.assert_close(state.z, exact)
    assert (f.counter.calls, f.counter.jvps, f.counter.sample_products) == (2, 5, 15)


def test_newton_shortens_steps_that_do_not_help():
    # From 3, Newton on z = atan-like g overshoots for ever: (z - f(z)) = atan(z).
    f = Map(lambda z: z - torch.atan(z))
    start = torch.full((1, 1), 3.0, dtype=torch.float64)
    for solver in (Newton(), NewtonKrylov()):
        solution = drive(solver, f, start, Stop(1e-12, 100, norm="absolute"))
        assert solution.converged.all()


def test_newton_takes_the_maps_own_step_where_the_jacobian_is_singular():
    f = Map(lambda z: z + 1.0)
    state = Newton().init(f, torch.zeros(2, 3, dtype=torch.float64))
    torch.testing.assert_close(Newton().step(f, state).z, torch.ones(2, 3, dtype=torch.float64))


def test_newton_refuses_large_states():
    f = Map(torch.tanh)
    with pytest.raises(InapplicableError, match="newton-krylov"):
        drive(Newton(largest=4), f, torch.zeros(1, 5), Stop())


def test_newton_krylov_is_gmres_on_an_affine_map():
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(12, 12, generator=generator, dtype=torch.float64) / 5
    offset = torch.randn(4, 12, generator=generator, dtype=torch.float64)
    f = Map(AffineMap(matrix), (offset,))
    solver, state = NewtonKrylov(), NewtonKrylov().init(f, torch.zeros_like(offset))
    state = state._replace(forcing=torch.zeros_like(state.forcing))  # the first system, to the end
    system = torch.eye(12, dtype=torch.float64) - matrix
    for steps in range(1, 7):
        state = solver.step(f, state)
        for row in range(4):
            powers = [offset[row]]
            for _ in range(steps - 1):
                powers.append(system @ powers[-1])
            basis = torch.linalg.qr(torch.stack(powers, 1)).Q
            fit = torch.linalg.lstsq(system @ basis, offset[row].unsqueeze(1)).solution
            least = torch.linalg.vector_norm(offset[row] - (system @ basis @ fit).squeeze(1))
            assert float(torch.linalg.vector_norm(state.left[row])) == pytest.approx(float(least), rel=1e-8)


def test_newton_krylov_charges_a_call_and_a_product_a_step():
    f, z0 = tanh_map(6, 10, 0.9)
    solution = drive(NewtonKrylov(), f, z0, Stop(1e-10, 500))
    assert f.counter.calls == solution.steps + 1
    assert f.counter.jvps == solution.steps


def test_newton_krylov_needs_fewer_calls_than_picard_where_the_map_is_stiff():
    f, z0 = tanh_map(4, 64, 0.99, symmetric=True)
    found = {type(s): drive(s, f, z0, Stop(1e-10, 5000)) for s in (NewtonKrylov(), Picard())}
    assert all(solution.converged.all() for solution in found.values())
    assert int(found[NewtonKrylov].calls.max()) * 5 < int(found[Picard].calls.max())


def test_type_one_mixing_needs_no_more_calls_than_type_two_on_a_symmetric_map():
    f, z0 = tanh_map(8, 64, 0.99, symmetric=True)
    one = drive(AndersonTypeOne(), f, z0, Stop(1e-10, 1000))
    two = drive(Anderson(), f, z0, Stop(1e-10, 1000))
    assert one.converged.all()
    assert int(one.calls.max()) <= int(two.calls.max())


def test_type_one_mixing_is_its_closed_form():
    # Without restarts or regularisation H maps changes of the gap to steps along the steps:
    # z+ = f - (S - Y)(S^T Y)^-1 S^T gap, Y the changes of the gap.
    f, z0 = tanh_map(1, 8, 0.9)
    solver = AndersonTypeOne(memory=20, regularisation=1e-12, independence=1e-12)
    state = solver.init(f, z0)
    points, gaps = [state.z[0]], [(state.z - state.fz)[0]]
    for _ in range(6):
        state = solver.step(f, state)
        points.append(state.z[0])
        gaps.append((state.z - state.fz)[0])
        if len(points) < 3:
            continue
        steps = torch.stack([b - a for a, b in pairwise(points[:-1])], 1)
        changes = torch.stack([b - a for a, b in pairwise(gaps[:-1])], 1)
        weights = torch.linalg.solve(steps.mT @ changes, steps.mT @ gaps[-2])
        expected = points[-2] - gaps[-2] - (steps - changes) @ weights
        torch.testing.assert_close(points[-1], expected, rtol=1e-7, atol=1e-9)


def test_type_one_mixing_solves_a_nonexpansive_map_that_does_not_contract():
    # A projection after a rotation: nonexpansive, not a contraction; Picard circles.
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    x = torch.tensor([[0.3, 0.1], [-0.2, 0.4]], dtype=torch.float64)
    f = Map(lambda z, x: (z @ turn.mT + x).clamp(-5, 5), (x,))
    start = torch.full_like(x, 2.0)
    assert drive(AndersonTypeOne(), f, start, Stop(1e-10, 200)).converged.all()
    assert not drive(Picard(), f, start, Stop(1e-10, 200)).converged.any()


def test_type_one_mixing_damps_where_the_safeguard_fires():
    f, z0 = tanh_map(3, 8, 0.9)
    solver = AndersonTypeOne(safeguard=1e-30, damping=0.25)
    state = solver.init(f, z0)
    for _ in range(3):
        before = state
        state = solver.step(f, state)
        torch.testing.assert_close(state.z, before.z.lerp(before.fz, 0.25))
    assert (state.mixed == 0).all()


def test_type_one_mixing_holds_its_memory():
    f, z0 = tanh_map(3, 8, 0.99)
    solver = AndersonTypeOne(memory=3)
    state = solver.init(f, z0)
    for _ in range(12):
        state = solver.step(f, state)
        assert state.units.shape[1] <= 3
        assert (state.used <= 3).all()


@pytest.mark.parametrize("solver", [ForwardBackward(), PeacemanRachford()], ids=ids)
def test_splitting_refuses_what_has_not_the_form(solver):
    with pytest.raises(InapplicableError, match="s\\(W z"):
        drive(solver, Map(torch.tanh), torch.zeros(1, 3), Stop())
    with pytest.raises(InapplicableError, match="strongly monotone"):
        drive(solver, Map(AffineMap(2 * torch.eye(3)), (torch.ones(1, 3),)), torch.zeros(1, 3), Stop())


@pytest.mark.parametrize("solver", [ForwardBackward(), PeacemanRachford()], ids=ids)
def test_splitting_serves_affine_maps_that_are_monotone(solver):
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    matrix = matrix - matrix.mT - torch.eye(6, dtype=torch.float64)  # far from a contraction
    offset = torch.randn(3, 6, generator=generator, dtype=torch.float64)
    f = Map(AffineMap(matrix), (offset,))
    solution = drive(solver, f, torch.zeros_like(offset), Stop(1e-12, 3000))
    assert solution.converged.all()
    exact = torch.linalg.solve(torch.eye(6, dtype=torch.float64) - matrix, offset.mT).mT
    torch.testing.assert_close(solution.z, exact, rtol=1e-9, atol=1e-10)


def test_splitting_charges_one_call_and_one_resolvent():
    f, z0 = monotone_map()
    steps = drive(ForwardBackward(), f, z0, Stop(1e-8, 2000)).steps
    assert (f.counter.calls, f.counter.resolvents) == (steps + 1, 0)
    f, z0 = monotone_map()
    steps = drive(PeacemanRachford(), f, z0, Stop(1e-8, 2000)).steps
    assert (f.counter.calls, f.counter.resolvents) == (steps + 1, steps)


def test_peaceman_rachford_takes_40_steps_at_most_on_a_monotone_network():
    # Item 12 of the issue: 64 -> 128, margin .1, relative 1e-6; weights as torch starts linear layers.
    torch.manual_seed(0)
    factor, skew = (torch.nn.Linear(128, 128, bias=False).weight.detach() for _ in range(2))
    offset = torch.nn.Linear(64, 128)(torch.randn(64, 64)).detach()
    for dtype in (torch.float32, torch.float64):
        part = LinearPart(monotone_blocks(factor.to(dtype), skew.to(dtype), 0.1))
        f = Map(MonotoneMap(part, Relu()), (offset.to(dtype),))
        solution = drive(PeacemanRachford(), f, torch.zeros_like(f.inputs[0]), Stop(1e-6, 200))
        assert solution.converged.all()
        assert solution.steps <= 40


@pytest.mark.parametrize("solver", [Newton(), NewtonKrylov(), AndersonTypeOne()], ids=ids)
def test_they_solve_adjoint_equations(solver):
    f, z0 = tanh_map(3, 6, 0.9)
    x = f.inputs[0].clone().requires_grad_()
    stop = Stop(1e-13, 500)
    z = equilibrium(f.function, z0, x, solver=solver, gradient="implicit", stop=stop, ledger=Ledger())
    (found,) = torch.autograd.grad(z.sum(), x)
    slope = 1 - z.detach() ** 2
    jacobian = f.jacobian(z.detach())
    exact = torch.linalg.solve(
        torch.eye(6, dtype=torch.float64) - jacobian.mT, torch.ones_like(z).unsqueeze(2)
    )
    torch.testing.assert_close(found, slope * exact.squeeze(2), rtol=1e-9, atol=1e-11)

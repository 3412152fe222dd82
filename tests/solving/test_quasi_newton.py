"""Anderson and Broyden in their small and large forms, in half precision, and Picard's momentum."""

import math

import pytest
import torch
from equilibrium_families import family, tanh_weights

from deqbench.equilibria.solving import AffineMap, Map, Stop, drive
from deqbench_plugins.solvers import anderson, broyden, history
from deqbench_plugins.solvers.anderson import Anderson, mixing_weights
from deqbench_plugins.solvers.broyden import Broyden
from deqbench_plugins.solvers.picard import Picard


@pytest.fixture(params=["small", "large"])
def form(request, monkeypatch):
    """Columns stacked for batched products, or one at a time."""
    for module in (history, anderson, broyden):
        monkeypatch.setattr(module, "SMALL", 2**30 if request.param == "small" else 0)
    return request.param


def steps_of(solver, f, z0, count):
    state = solver.init(f, z0)
    for _ in range(count):
        state = solver.step(f, state)
    return state


@pytest.mark.parametrize("memory", [1, 3, 6])
def test_anderson_solves_its_least_squares_in_either_form(form, memory):
    f, z0 = family("tanh", 3, 12, 0.9, torch.float64)
    state = steps_of(Anderson(memory), f, z0, 5)
    bends, moves = torch.stack(state.bends, 2), torch.stack(state.moves, 2)
    weights = torch.linalg.lstsq(bends, state.gap.unsqueeze(2)).solution
    expected = state.fz - (moves @ weights).squeeze(2)
    torch.testing.assert_close(Anderson(memory).step(f, state).z, expected, rtol=1e-8, atol=1e-8)


def test_broyden_reproduces_the_textbook_update_in_either_form(form):
    f, z0 = family("tanh", 1, 6, 0.9, torch.float64)
    z, inverse = z0[0], torch.eye(6, dtype=torch.float64)  # of I - J
    for _ in range(9):
        gap = f(z[None])[0] - z
        step = inverse @ gap
        change = gap - (f((z + step)[None])[0] - z - step)
        image = inverse @ change
        inverse = inverse + torch.outer(step - image, step @ inverse) / (step @ image)
        z = z + step
    state = steps_of(Broyden(), f, z0, 9)
    torch.testing.assert_close(state.z[0], z, rtol=1e-9, atol=1e-11)
    v = torch.linspace(-1, 1, 6, dtype=torch.float64)
    torch.testing.assert_close(
        Broyden().inverse_transposed(state, v[None])[0], inverse_before(f, z0, 9).T @ v, rtol=1e-8, atol=1e-9
    )


def inverse_before(f, z0, steps):
    """Broyden's inverse after that many steps, without the update of the last one's change."""
    z, inverse = z0[0], torch.eye(z0.shape[1], dtype=z0.dtype)
    for _ in range(steps):
        gap = f(z[None])[0] - z
        step = inverse @ gap
        change = gap - (f((z + step)[None])[0] - z - step)
        image = inverse @ change
        inverse = inverse + torch.outer(step - image, step @ inverse) / (step @ image)
        z = z + step
    return inverse


def test_broyden_restarts_in_either_form(form):
    f, z0 = family("tanhsym", 4, 32, 0.99, torch.float64)
    solution = drive(Broyden(memory=4), f, z0, Stop(1e-10, 2000))
    assert solution.converged.all()


@pytest.mark.parametrize("solver", [Anderson(), Broyden()], ids=repr)
def test_a_large_batch_that_becomes_small_is_solved_all_the_same(solver, monkeypatch):
    for module in (history, anderson, broyden):
        monkeypatch.setattr(module, "SMALL", 6 * 16)
    monkeypatch.setattr(history, "readable", lambda x: False)
    f, z0 = family("tanhsym", 16, 16, 0.99, torch.float64)
    solution = drive(solver, f, z0, Stop(1e-10, 2000))
    assert solution.converged.all()
    assert solution.calls.unique().numel() > 3


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_columns_of_very_different_length_are_weighed_as_well(scale):
    g = torch.Generator().manual_seed(0)
    columns = torch.randn(4, 2, 30, generator=g, dtype=torch.float64)
    columns = columns * (scale * 10.0 ** torch.tensor([0.0, -3.0, -6.0, -9.0])).reshape(4, 1, 1)
    target = torch.randn(2, 30, generator=g, dtype=torch.float64) * columns[2].abs().max()
    found = mixing_weights(columns.unbind(0), target, ridge=1 + 1e-15)[0]
    unit = columns / columns.norm(dim=2, keepdim=True)
    exact = torch.linalg.lstsq(unit.permute(1, 2, 0), target.unsqueeze(2)).solution.squeeze(2)
    torch.testing.assert_close(
        found * columns.norm(dim=2).T, exact, rtol=1e-9, atol=1e-12 * exact.abs().max()
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("solver", [Picard(), Anderson(), Broyden()], ids=repr)
def test_half_precision_is_solved_to_its_digits(solver, dtype, form):
    f, z0 = family("tanh", 4, 32, 0.5)
    w, x = tanh_weights(32, 0.5).to(dtype), f.inputs[0].to(dtype)
    half = Map(lambda z, x: torch.tanh(z @ w.T + x), (x,))
    solution = drive(solver, half, z0.to(dtype), Stop(4 * torch.finfo(dtype).eps, 60))
    assert solution.converged.all()
    assert solution.z.dtype == dtype
    exact = drive(
        solver, Map(lambda z, x: torch.tanh(z @ w.double().T + x), (x.double(),)), z0.double(), Stop(1e-10)
    )
    error = (solution.z.double() - exact.z).norm(dim=1) / exact.z.norm(dim=1)
    assert (error <= 10 * torch.finfo(dtype).eps).all()


@pytest.mark.parametrize("solver", [Anderson(), Broyden()], ids=repr)
def test_half_precision_keeps_its_history_in_float32(solver):
    x = torch.linspace(-1, 1, 12, dtype=torch.bfloat16).reshape(3, 4)
    state = steps_of(solver, Map(lambda z, x: torch.tanh(0.5 * z + x), (x,)), torch.zeros_like(x), 2)
    kept = state.bends if isinstance(solver, Anderson) else state.steps
    assert all(column.dtype == torch.float32 for column in kept)


def test_momentum_converges_at_the_rate_of_the_heavy_ball():
    rho, d = 0.99, 40
    g = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(d, d, generator=g, dtype=torch.float64))[0]
    matrix = basis @ torch.diag(torch.linspace(0, rho, d, dtype=torch.float64)) @ basis.T
    offset = torch.randn(3, d, generator=g, dtype=torch.float64)
    root = math.sqrt(1 - rho)
    f, stop = Map(AffineMap(matrix), (offset,)), Stop(1e-10, 5000)
    plain = drive(Picard(), f, torch.zeros_like(offset), stop)
    heavy = drive(Picard(momentum=(1 - root) ** 2), f, torch.zeros_like(offset), stop)
    assert heavy.converged.all()
    # Rates .99 and 1 - sqrt(.01) = .9, the latter with the polynomial factor of a double root.
    assert int(heavy.calls.max()) <= 2 * math.log(1e-10) / math.log(1 - root)
    assert int(plain.calls.max()) >= 4 * int(heavy.calls.max())


def test_the_residual_with_momentum_is_that_of_the_map():
    f, z0 = family("tanh", 4, 16, 0.5, torch.float64)
    solution = drive(Picard(damping=0.5, momentum=0.4), f, z0, Stop(1e-8, 500))
    fz = f(solution.z)
    torch.testing.assert_close(solution.residual, (fz - solution.z).norm(dim=1) / fz.norm(dim=1))

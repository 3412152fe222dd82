"""Other people's solvers on the counted map: judged, interrupted and charged as ours are."""

import threading
import warnings

import numpy as np
import pytest
import scipy.optimize
import torch

from deqbench.equilibria.maps import Map
from deqbench.equilibria.solving import SolveStatus, Stop, drive
from deqbench.plugin import InapplicableError
from deqbench_plugins.solvers import lockstep
from deqbench_plugins.solvers.scipy_reference import ScipyAnderson, ScipyNewtonKrylov, ScipyRoot
from deqbench_plugins.solvers.torchdeq_reference import (
    TorchdeqAnderson,
    TorchdeqBroyden,
    TorchdeqPicard,
    TorchdeqSimple,
)

SCIPY = [
    ScipyRoot(),
    ScipyRoot("df-sane"),
    ScipyRoot("broyden1"),
    ScipyAnderson(),
    ScipyAnderson(line_search=False),
    ScipyNewtonKrylov(),
]
TORCHDEQ = [TorchdeqPicard(), TorchdeqSimple(), TorchdeqAnderson(), TorchdeqBroyden(), TorchdeqBroyden(5)]


def problem(batch=4, size=6, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(size, size, generator=generator, dtype=torch.float64)
    weight = (weight * (0.7 / torch.linalg.matrix_norm(weight, 2))).to(dtype)
    x = torch.randn(batch, size, generator=generator, dtype=torch.float64).to(dtype)
    return Map(lambda z, x: torch.tanh(z @ weight.mT + x), (x,)), torch.zeros_like(x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("solver", [*SCIPY, *TORCHDEQ], ids=str)
def test_they_solve_and_are_judged_as_ours(solver, dtype):
    f, z0 = problem(dtype=dtype)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-9
    solution = drive(solver, f, z0, Stop(tolerance, 500))
    assert solution.converged.all()
    assert int(solution.calls.max()) == f.counter.calls
    again = f.function(solution.z, *f.inputs)
    residual = torch.linalg.vector_norm(again - solution.z, dim=1) / torch.linalg.vector_norm(again, dim=1)
    torch.testing.assert_close(residual, solution.residual, rtol=0.05, atol=1e-12)


@pytest.mark.parametrize("solver", [*SCIPY, *TORCHDEQ], ids=str)
def test_the_limit_of_calls_interrupts_them(solver):
    f, z0 = problem()
    solution = drive(solver, f, z0, Stop(1e-300, 7))
    assert f.counter.calls <= 8
    assert not solution.converged.any()


@pytest.mark.parametrize("solver", SCIPY, ids=str)
def test_scipys_samples_do_not_feel_one_another(solver):
    f, z0 = problem()
    together = drive(solver, f, z0, Stop(1e-9, 500))
    for row in range(len(z0)):
        alone = drive(solver, Map(f.function, (f.inputs[0][row : row + 1],)), z0[:1], Stop(1e-9, 500))
        assert int(alone.calls) == int(together.calls[row])
        torch.testing.assert_close(alone.z[0], together.z[row], rtol=1e-9, atol=1e-11)


def test_the_searches_are_scipys_own():
    f, z0 = problem(batch=1)
    seen = []

    def gap(point):
        seen.append(point.copy())
        z = torch.from_numpy(point)[None]
        return (f.function(z, *f.inputs) - z)[0].numpy()

    scipy.optimize.anderson(gap, np.zeros(6), M=5, alpha=1.0, w0=0.01, f_tol=1e-8)
    met = []
    watched = Map(lambda z, x: met.append(z[0].numpy().copy()) or f.function(z, x), f.inputs)
    drive(ScipyAnderson(), watched, z0, Stop(1e-300, len(seen)))
    np.testing.assert_allclose(np.stack(met[: len(seen)]), np.stack(seen), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("solver", SCIPY, ids=str)
def test_a_nan_in_one_row_is_nobody_elses(solver):
    f, z0 = problem()
    healthy = drive(solver, f, z0, Stop(1e-9, 500))
    spoiled = f.inputs[0].clone()
    spoiled[1] = torch.nan
    ill = drive(solver, Map(f.function, (spoiled,)), z0, Stop(1e-9, 500))
    others = torch.tensor([0, 2, 3])
    assert ill.status[1] == SolveStatus.NON_FINITE
    assert torch.equal(ill.calls[others], healthy.calls[others])
    torch.testing.assert_close(ill.z[others], healthy.z[others], rtol=1e-12, atol=1e-14)


def test_a_search_that_breaks_down_is_stalled_not_converged():
    # f(z) = z + 1 has no equilibrium; Broyden's Jacobian of it is zero.
    solution = drive(ScipyRoot("hybr"), Map(lambda z: z + 1), torch.zeros(2, 3).double(), Stop(1e-9, 1000))
    assert (solution.status == SolveStatus.STALLED).all()


def test_interrupted_searches_leave_no_thread_and_no_filter_behind():
    before, filters = threading.active_count(), list(warnings.filters)
    for solver in SCIPY:
        f, z0 = problem()
        drive(solver, f, z0, Stop(1e-3, 5))
    assert threading.active_count() == before
    assert list(warnings.filters) == filters


def test_an_error_of_the_map_reaches_the_caller():
    def broken(z):
        raise ZeroDivisionError("the map's own")

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError, match="own"):
        drive(ScipyAnderson(), Map(broken), torch.zeros(3, 2), Stop())
    assert threading.active_count() == before


def test_a_batch_too_large_for_threads_is_refused(monkeypatch):
    monkeypatch.setattr(lockstep, "MOST_ROWS", 3)
    f, z0 = problem()
    with pytest.raises(InapplicableError, match="at most 3"):
        drive(ScipyAnderson(), f, z0, Stop())


@pytest.mark.parametrize("solver", [*SCIPY, *TORCHDEQ], ids=str)
def test_states_keep_their_shape(solver):
    x = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    f = Map(lambda z, x: 0.5 * torch.cos(z.flip(2)) + x, (x,))
    solution = drive(solver, f, torch.zeros_like(x), Stop(1e-7, 500))
    assert solution.z.shape == x.shape
    assert solution.converged.all()

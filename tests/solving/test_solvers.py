"""What each solver promises, on maps of known difficulty."""

import mpmath
import pytest
import torch
from equilibrium_families import affine_softmax, family

from deqbench.equilibria.solving import AffineMap, Map, SolveStatus, Stop, drive
from deqbench.errors import InapplicableError
from deqbench_plugins.solvers.anderson import Anderson, mixing_weights
from deqbench_plugins.solvers.broyden import Broyden
from deqbench_plugins.solvers.direct import Direct
from deqbench_plugins.solvers.picard import Picard

CASES = [
    *(("lin", level) for level in (0.5, 0.9, 0.99)),
    *(("tanh", level) for level in (0.5, 0.9, 0.99)),
    *(("tanhsym", level) for level in (0.9, 0.99)),
]
ACCURACIES = [(1e-3, torch.float32), (1e-6, torch.float32), (1e-10, torch.float64)]


def worst_calls(solver, name, level, tolerance, dtype):
    solution = drive(solver, *family(name, 4, 64, level, dtype), Stop(tolerance, 2500))
    assert solution.converged.all(), (solver, name, level)
    return int(solution.calls.max())


@pytest.mark.parametrize(("tolerance", "dtype"), ACCURACIES, ids=["1e-3", "1e-6", "1e-10"])
@pytest.mark.parametrize(("name", "level"), CASES)
def test_anderson_never_needs_more_calls_than_picard_and_one(name, level, tolerance, dtype):
    mixed = worst_calls(Anderson(), name, level, tolerance, dtype)
    assert mixed <= worst_calls(Picard(), name, level, tolerance, dtype) + 1
    if name == "lin":
        assert mixed <= 20


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_picard_on_the_delm_takes_the_calls_that_theory_gives(level):
    f, phi = affine_softmax(4, 32, level, torch.float64)
    phi, tolerance = phi.abs(), 1e-6
    solution = drive(Picard(), Map(f, (phi,)), torch.zeros_like(phi), Stop(tolerance, 5000, "l1"))
    # From 0 with phi >= 0 the l1 residual after k calls is gamma^(k-1) ||phi||_1 exactly (theory.md 1.7).
    length = phi.sum(1)
    steps = torch.log(tolerance / length) / torch.log(torch.tensor(level, dtype=torch.float64))
    assert torch.equal(solution.calls, steps.ceil().int() + 1)


@pytest.mark.parametrize("damping", [0.01, 0.1, 0.5])
def test_damping_does_not_flatter_the_residual(damping):
    f, z0 = family("tanh", 4, 16, 0.5, torch.float64)
    solution = drive(Picard(damping), f, z0, Stop(1e-3, 5000))
    gap = f.function(solution.z, *f.inputs) - solution.z
    assert solution.converged.all()
    assert (gap.norm(dim=1) <= 1e-3 * (gap + solution.z).norm(dim=1)).all()


def test_damping_tames_a_map_that_undamped_runs_away():
    x = torch.ones(3, 2, dtype=torch.float64)
    f = Map(lambda z, x: -1.5 * z + x, (x,))
    solution = drive(Picard(0.5), f, torch.zeros_like(x), Stop(1e-10))
    torch.testing.assert_close(solution.z, x / 2.5)


def test_mixing_weights_solve_the_least_squares():
    g = torch.Generator().manual_seed(0)
    columns = torch.randn(3, 4, 9, generator=g, dtype=torch.float64)
    target = torch.randn(3, 9, generator=g, dtype=torch.float64)
    expected = torch.linalg.lstsq(columns.mT, target.unsqueeze(2)).solution.squeeze(2)
    torch.testing.assert_close(mixing_weights(columns.unbind(1), target)[0], expected)


@pytest.mark.parametrize("spoil", ["equal", "zero", "nan"])
def test_singular_systems_cost_no_exception_and_no_other_sample(spoil):
    g = torch.Generator().manual_seed(0)
    columns, target = torch.randn(2, 3, 8, generator=g), torch.randn(2, 8, generator=g)

    def weights_of(columns):
        return mixing_weights(columns.unbind(1), target, ridge=1 + 1e-6)[0]

    clean = weights_of(columns)[1]
    columns[0] = {"equal": columns[0, :1].expand(3, 8), "zero": 0.0, "nan": torch.nan}[spoil]
    weights = weights_of(columns)
    torch.testing.assert_close(weights[1], clean)
    assert torch.isfinite(weights).all() or spoil == "nan"


def test_anderson_solves_a_d_dimensional_affine_map_in_d_plus_two_calls():
    f, phi = affine_softmax(5, 4, 0.9, torch.float64)
    solution = drive(Anderson(memory=5), Map(f, (phi,)), torch.zeros_like(phi), Stop(1e-9))
    assert solution.converged.all()
    assert solution.calls.max() <= 6  # as GMRES: Walker and Ni (2011), theorem 2.2


@pytest.mark.parametrize("memory", [2, 3, 5, 10, 30])
@pytest.mark.parametrize(("name", "level"), [("lin", 0.99), ("tanh", 0.99), ("tanhsym", 0.9)])
def test_broyden_never_turns_nan(memory, name, level):
    f, z0 = family(name, 16, 64, level, torch.float64)
    solution = drive(Broyden(memory), f, z0, Stop(1e-10, 400))
    assert not (solution.status == SolveStatus.NON_FINITE).any()
    assert solution.converged.all()


@pytest.mark.parametrize(("name", "level"), [("lin", 0.9), ("lin", 0.99), ("tanh", 0.9)])
def test_broyden_with_default_memory_is_near_to_full_memory(name, level):
    full = worst_calls(Broyden(400), name, level, 1e-6, torch.float32)
    assert worst_calls(Broyden(), name, level, 1e-6, torch.float32) <= 1.1 * full + 2


def test_broyden_reproduces_the_textbook_update():
    f, z0 = family("tanh", 1, 6, 0.9, torch.float64)
    z, inverse = z0[0], torch.eye(6, dtype=torch.float64)  # of I - J
    for _ in range(7):
        gap = f(z[None])[0] - z
        step = inverse @ gap
        change = gap - (f((z + step)[None])[0] - z - step)  # (I - J) step, to first order
        image = inverse @ change
        inverse = inverse + torch.outer(step - image, step @ inverse) / (step @ image)
        z = z + step
    solver = Broyden(20)
    state = solver.init(f, z0)
    for _ in range(7):
        state = solver.step(f, state)
    torch.testing.assert_close(state.z[0], z, rtol=1e-10, atol=1e-12)


def test_broyden_holds_no_more_than_its_memory():
    f, z0 = family("tanhsym", 4, 32, 0.99, torch.float64)
    solver = Broyden(memory=3)
    state = solver.init(f, z0)
    for _ in range(25):
        state = solver.step(f, state)
        assert len(state.steps) + 2 <= 2 * 3 + 8


@pytest.mark.parametrize("solver", [Picard(), Anderson(), Broyden(), Direct()], ids=repr)
def test_a_step_changes_nothing_in_place(solver):
    f, z0 = family("lin", 3, 8, 0.9, torch.float64)
    first = solver.init(f, z0)
    second = solver.step(f, first)
    kept = [part.clone() for part in (first.z, first.fz, second.z, second.fz)]
    solver.step(f, second)
    assert all(torch.equal(a, b) for a, b in zip(kept, (first.z, first.fz, second.z, second.fz), strict=True))


@pytest.mark.parametrize(("dtype", "floor"), [(torch.float32, 1e-6), (torch.float64, 1e-14)])
@pytest.mark.parametrize("gamma", [0.5, 0.9, 0.99])
def test_direct_solves_affine_maps_in_one_call(dtype, floor, gamma):
    f, z0 = family("lin", 16, 64, gamma, dtype)
    solution = drive(Direct(), f, z0, Stop(floor))
    assert solution.converged.all()
    assert (solution.calls == 1).all()


def test_direct_solves_affine_maps_whose_sums_are_unknown():
    g = torch.Generator().manual_seed(0)
    matrix = torch.randn(6, 6, generator=g, dtype=torch.float64)  # no contraction at all
    offset = torch.randn(3, 6, generator=g, dtype=torch.float64)
    for affine in (AffineMap(matrix), AffineMap(matrix).T):
        solution = drive(Direct(), Map(affine, (offset,)), offset, Stop(1e-12))
        expected = torch.linalg.solve(torch.eye(6, dtype=torch.float64) - affine.matrix, offset.mT).mT
        torch.testing.assert_close(solution.z, expected, rtol=1e-11, atol=1e-11)


def test_direct_factorises_once_for_the_map_and_its_transpose():
    f, phi = affine_softmax(3, 5, 0.9, torch.float64)
    with torch.no_grad():
        drive(Direct(), Map(f, (phi,)), phi, Stop())
        held = dict(f.memo)
        drive(Direct(), Map(f.T, (phi,)), phi, Stop())
    assert len(held) == 1
    assert f.memo == held or all(f.memo[key] is held[key] for key in f.memo)


def test_direct_is_inapplicable_to_other_maps():
    f, z0 = family("tanh", 2, 4, 0.5)
    with pytest.raises(InapplicableError, match="needs an affine map"):
        drive(Direct(), f, z0, Stop())


def exact_softmax_system(free, gap):
    """U = I - (1 - gap) S in 60 digits, S the exact column softmax of a float matrix."""
    d = len(free)
    weights = mpmath.matrix(d, d)
    for column in range(d):
        exps = [mpmath.exp(mpmath.mpf(free[row, column].item())) for row in range(d)]
        for row in range(d):
            weights[row, column] = exps[row] / mpmath.fsum(exps)
    return mpmath.eye(d) - (1 - gap) * weights


@pytest.mark.parametrize("k", range(1, 15))
def test_direct_loses_no_digits_as_gamma_nears_one(k):
    d, gap = 8, 10.0**-k
    g = torch.Generator().manual_seed(k)
    free = torch.randn(d, d, generator=g, dtype=torch.float64)
    phi = torch.randn(1, d, generator=g, dtype=torch.float64) + 0.5
    with mpmath.workdps(60):
        system = exact_softmax_system(free, mpmath.mpf(gap))
        right = mpmath.matrix([mpmath.mpf(value) for value in phi[0].tolist()])
        forward = [float(value) for value in mpmath.lu_solve(system, right)]
        adjoint = [float(value) for value in mpmath.lu_solve(system.T, right)]
    f = AffineMap((1 - gap) * torch.softmax(free, 0), column_sum=gap)
    for affine, digits in ((f, forward), (f.T, adjoint)):
        z = Direct().init(Map(affine, (phi,)), phi).z[0]
        exact = torch.tensor(digits, dtype=torch.float64)
        assert (z - exact).norm() <= 1e-13 * exact.norm(), (k, affine.transposed)

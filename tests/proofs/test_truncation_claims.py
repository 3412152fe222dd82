"""C20 and C21 of theory.md: how far truncated gradients are from the implicit one, and no less."""

import pytest
import torch

from deqbench.equilibria.binding import AffineMap, Ledger, equilibrium
from deqbench.equilibria.solving import Stop
from deqbench_plugins.gradients.implicit import Implicit
from deqbench_plugins.gradients.neumann import Neumann
from deqbench_plugins.gradients.phantom import Phantom
from deqbench_plugins.gradients.unrolled import UnrolledGradient
from deqbench_plugins.solvers.direct import Direct
from deqbench_plugins.solvers.picard import Picard

SIZE, RHO = 8, 0.8
DEPTHS = [10, 20, 40, 80]


def normal(*shape, seed):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=g, dtype=torch.float64)


def symmetric(rho, seed=0):
    """A symmetric matrix whose norm and largest eigenvalue are rho."""
    basis, _ = torch.linalg.qr(normal(SIZE, SIZE, seed=seed))
    values = rho * torch.linspace(-0.6, 1.0, SIZE, dtype=torch.float64)
    return basis @ torch.diag(values) @ basis.mT


def by_engine(matrix, offset, weights, gradient, solver, stop):  # noqa: PLR0913, PLR0917 -- a case's facts
    """dL/dM and dL/d offset of L = weights . z*, as the engine gives them."""
    matrix, offset = matrix.clone().requires_grad_(), offset.clone().requires_grad_()
    start = torch.zeros_like(offset)
    z = equilibrium(
        AffineMap(matrix), start, offset, solver=solver, gradient=gradient, stop=stop, ledger=Ledger()
    )
    return torch.autograd.grad((weights * z).sum(), (matrix, offset))


def by_dense_solve(matrix, offset, weights):
    matrix, offset = matrix.clone().requires_grad_(), offset.clone().requires_grad_()
    z = torch.linalg.solve(torch.eye(len(matrix), dtype=torch.float64) - matrix, offset.mT).mT
    return torch.autograd.grad((weights * z).sum(), (matrix, offset))


def unrolled_errors(matrix):
    """Relative error of dL/dM after K layers, at every depth."""
    offset, weights = normal(1, SIZE, seed=1), normal(1, SIZE, seed=2)
    exact = by_dense_solve(matrix, offset, weights)[0]
    errors = []
    for depth in DEPTHS:
        stop = Stop(1e-300, depth, "absolute")
        found = by_engine(matrix, offset, weights, UnrolledGradient(), Picard(), stop)[0]
        errors.append(float((found - exact).norm() / exact.norm()))
    return errors


def test_unrolling_errs_by_the_depth_times_rho_to_the_depth():
    errors = unrolled_errors(symmetric(RHO))
    over_k = [error / (depth * RHO**depth) for error, depth in zip(errors, DEPTHS, strict=True)]
    over_power = [error / RHO**depth for error, depth in zip(errors, DEPTHS, strict=True)]
    assert max(over_k) < 1.7 * min(over_k)  # the law: bounded from both sides
    assert over_power[-1] > 4 * over_power[0]  # and the factor K is real


def test_the_implicit_gradient_is_the_limit_of_unrolling():
    matrix, offset, weights = symmetric(RHO), normal(1, SIZE, seed=1), normal(1, SIZE, seed=2)
    implicit = by_engine(matrix, offset, weights, Implicit(tolerance=1e-14), Picard(), Stop(1e-14, 400))
    unrolled = by_engine(matrix, offset, weights, UnrolledGradient(), Picard(), Stop(1e-300, 220, "absolute"))
    for a, b in zip(implicit, unrolled, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


def test_control_neumann_has_no_factor_of_the_depth():
    matrix, offset, weights = symmetric(RHO), normal(1, SIZE, seed=1), normal(1, SIZE, seed=2)
    exact = by_dense_solve(matrix, offset, weights)[0]
    over_power = []
    for depth in DEPTHS:
        found = by_engine(matrix, offset, weights, Neumann(terms=depth), Direct(), Stop(1e-14))[0]
        over_power.append(float((found - exact).norm() / exact.norm()) / RHO**depth)
    # The smaller eigenvalues have died by K = 10: the rest is the largest one's, with no factor.
    assert max(over_power) < 1.05 * min(over_power)


PHANTOMS = [
    (form, steps, damping)
    for form in ("unrolled", "neumann")
    for steps in (1, 3, 10)
    for damping in (0.3, 0.7, 1.0)
]


@pytest.mark.parametrize(("form", "steps", "damping"), PHANTOMS)
@pytest.mark.parametrize("norm", [0.3, 0.9])
def test_phantom_errs_by_no_more_than_its_bound_and_by_what_the_identity_says(form, steps, damping, norm):
    for seed in range(5):
        jacobian = normal(SIZE, SIZE, seed=seed)
        jacobian = jacobian * (norm / torch.linalg.matrix_norm(jacobian, 2))
        offset, weights = normal(3, SIZE, seed=10 + seed), normal(3, SIZE, seed=20 + seed)
        exact = by_dense_solve(jacobian, offset, weights)[1]
        phantom = Phantom(steps, damping, form)
        found = by_engine(jacobian, offset, weights, phantom, Direct(), Stop(1e-13))[1]
        factor = damping * jacobian + (1 - damping) * torch.eye(SIZE, dtype=torch.float64)
        lost = exact @ torch.linalg.matrix_power(factor, steps)  # rows: (B^T)^k u
        torch.testing.assert_close(exact - found, lost, rtol=1e-11, atol=1e-12)
        bound = (1 - damping * (1 - norm)) ** steps
        assert ((exact - found).norm(dim=1) <= bound * exact.norm(dim=1) * (1 + 1e-12)).all()


@pytest.mark.parametrize(("form", "steps", "damping"), PHANTOMS)
def test_control_the_phantom_bound_is_attained_so_a_smaller_one_is_false(form, steps, damping):
    jacobian = RHO * torch.eye(SIZE, dtype=torch.float64)
    offset, weights = normal(3, SIZE, seed=1), normal(3, SIZE, seed=2)
    exact = by_dense_solve(jacobian, offset, weights)[1]
    found = by_engine(jacobian, offset, weights, Phantom(steps, damping, form), Direct(), Stop(1e-13))[1]
    share = (exact - found).norm(dim=1) / exact.norm(dim=1)
    bound = (1 - damping * (1 - RHO)) ** steps
    torch.testing.assert_close(share, torch.full_like(share, bound))
    assert (share > 0.99 * bound).all()


@pytest.mark.parametrize("terms", [1, 2, 5, 20])
def test_neumann_errs_by_no_more_than_the_norm_to_its_terms(terms):
    for seed in range(5):
        jacobian = normal(SIZE, SIZE, seed=seed)
        jacobian = jacobian * (0.9 / torch.linalg.matrix_norm(jacobian, 2))
        offset, weights = normal(3, SIZE, seed=10 + seed), normal(3, SIZE, seed=20 + seed)
        exact = by_dense_solve(jacobian, offset, weights)[1]
        found = by_engine(jacobian, offset, weights, Neumann(terms), Direct(), Stop(1e-13))[1]
        assert ((exact - found).norm(dim=1) <= 0.9**terms * exact.norm(dim=1) * (1 + 1e-12)).all()


def test_control_beyond_a_norm_of_one_more_terms_do_not_help():
    jacobian = torch.diag(torch.full((SIZE - 1,), 3.0, dtype=torch.float64), 1)  # nilpotent, of norm 3
    offset, weights = normal(3, SIZE, seed=1), normal(3, SIZE, seed=2)
    exact = by_dense_solve(jacobian, offset, weights)[1]
    errors = [
        float((exact - by_engine(jacobian, offset, weights, Neumann(k), Direct(), Stop(1e-6))[1]).norm())
        for k in (1, SIZE)
    ]
    assert errors[0] > 0.9 * float(exact.norm())
    assert errors[1] < 1e-9 * float(exact.norm())  # by nilpotency, not by the bound

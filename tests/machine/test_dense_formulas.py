"""Formulas of linear algebra against elimination by hand, LAPACK's own counts, and slopes in the size."""

from __future__ import annotations

import counting_numbers as by_hand
import pytest
import torch
from counting_numbers import counted
from test_formulas import matrix, operations

SIZES = [1, 2, 5, 12]


@pytest.mark.parametrize("n", SIZES)
def test_a_matrix_times_a_vector(n):
    a, x = matrix(n + 1, n), matrix(1, n)[0]
    expected = counted(by_hand.times, a.tolist(), x.tolist())
    assert operations(lambda: a @ x) == expected == operations(lambda: torch.addmv(a[:, 0], a, x))


@pytest.mark.parametrize("n", SIZES)
def test_an_inner_product(n):
    x = matrix(1, n)[0]
    assert operations(lambda: x @ x) == counted(by_hand.dot, x.tolist(), x.tolist())
    assert operations(lambda: torch.vdot(x, x)) == counted(by_hand.dot, x.tolist(), x.tolist())


@pytest.mark.parametrize(("m", "n"), [(1, 1), (2, 2), (5, 5), (12, 12), (9, 4), (4, 9)])
def test_an_lu_factorisation(m, n):
    a = matrix(m, n)
    assert operations(lambda: torch.linalg.lu_factor(a)) == counted(by_hand.eliminate, a.tolist())


@pytest.mark.parametrize("n", SIZES)
def test_a_linear_solve(n):
    a, b = matrix(n), matrix(1, n)[0]
    assert operations(lambda: torch.linalg.solve(a, b)) == counted(by_hand.solve, a.tolist(), b.tolist())


@pytest.mark.parametrize("n", SIZES)
def test_a_solve_from_factors(n):
    a, b = matrix(n), matrix(n, 3)
    lu, pivots = torch.linalg.lu_factor(a)
    whole = counted(by_hand.solve, a.tolist(), b[:, 0].tolist()) - counted(by_hand.eliminate, a.tolist())
    assert operations(lambda: torch.linalg.lu_solve(lu, pivots, b)) == 3 * whole


@pytest.mark.parametrize("n", SIZES)
def test_a_triangular_solve(n):
    a, b = matrix(n).tril(), matrix(n, 2)
    one = counted(by_hand.substitute, a.tolist(), b[:, 0].tolist())
    assert operations(lambda: torch.linalg.solve_triangular(a, b, upper=False)) == 2 * one


@pytest.mark.parametrize("n", SIZES)
def test_a_cholesky_factorisation(n):
    a = matrix(n) + matrix(n).mT
    assert operations(lambda: torch.linalg.cholesky(a)) == counted(by_hand.cholesky, a.tolist())


@pytest.mark.parametrize(("m", "n"), [(8, 8), (20, 8), (8, 20)])
def test_householders_r_up_to_its_lower_terms(m, n):
    a = matrix(m, n)
    by_reflections = counted(by_hand.householder, a.tolist())
    assert operations(lambda: torch.linalg.qr(a, mode="r")) == pytest.approx(by_reflections, abs=10 * m * n)


@pytest.mark.parametrize("n", [10, 100, 1000])
def test_lapacks_counts_up_to_reciprocals(n):
    # LAPACK Working Note 41, square: multiplications and additions of dgetrf, dgetrs with one side, dpotrf.
    getrf = n**3 / 3 + 2 * n / 3 + n**3 / 3 - n**2 / 2 + n / 6
    getrs = n**2 + n * (n - 1)
    potrf = n**3 / 3 + n**2 / 2 + n / 6
    a, b = torch.empty(n, n, device="meta"), torch.empty(n, device="meta")
    assert operations(lambda: torch.linalg.lu_factor_ex(a)) == pytest.approx(getrf, abs=1.01 * n)
    assert operations(lambda: torch.linalg.solve_ex(a, b)) == pytest.approx(getrf + getrs, abs=1.01 * n)
    assert operations(lambda: torch.linalg.cholesky_ex(a)) == pytest.approx(potrf, abs=1e-6 * n**3)


@pytest.mark.parametrize(
    ("work", "leading"),
    [
        (lambda a: torch.linalg.solve_ex(a, a[0]), 2 / 3),
        (torch.linalg.lu_factor_ex, 2 / 3),
        (torch.linalg.inv_ex, 8 / 3),
        (torch.linalg.cholesky_ex, 1 / 3),
        (lambda a: torch.linalg.qr(a, mode="r"), 4 / 3),
        (torch.linalg.qr, 8 / 3),
        (lambda a: torch.linalg.svd(a, full_matrices=False), 26),
        (lambda a: torch.ops.aten._linalg_svd(a, False, False), 4),
        (torch.linalg.eigh, 9),
        (lambda a: torch.ops.aten._linalg_eigh(a, "L", False), 4 / 3),
        (lambda a: a @ a, 2),
    ],
)
def test_the_leading_term_by_its_slope_in_the_size(work, leading):
    one, two = (operations(lambda n=n: work(torch.empty(n, n, device="meta"))) for n in (400, 800))
    assert two / 800**3 == pytest.approx(leading, rel=0.02)
    assert two / one == pytest.approx(8, rel=0.02)


def test_a_batch_takes_as_many_as_its_matrices():
    a, b = matrix(6).expand(5, 6, 6), matrix(6, 2).expand(5, 6, 2)
    assert operations(lambda: torch.linalg.solve(a, b)) == 5 * operations(
        lambda: torch.linalg.solve(a[0], b[0])
    )


def test_least_squares_take_a_qr_its_reflections_and_a_triangle():
    a, b = matrix(9, 4), matrix(9, 1)
    r = operations(lambda: torch.linalg.qr(a, mode="r"))
    found = operations(lambda: torch.linalg.lstsq(a, b))
    assert found == r + 4 * 9 * 4 - 2 * 4**2 + 4**2

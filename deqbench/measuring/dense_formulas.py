"""Formulas of dense linear algebra: products with vectors, factorisations, triangular solves.

Each is of one matrix; a batch takes one for each. Direct methods (LU, Cholesky, triangular solves) are
counted exactly, by the sums over elimination steps in the docstrings; LAPACK Working Note 41 counts up to n
more, for it divides by way of a reciprocal. Of iterative ones (SVD, eigenvalues) and of Householder's QR the
leading terms are those of G. H. Golub and C. F. Van Loan, Matrix Computations (3rd edition: section 5.2 for
QR, the table of 8.6 for the SVD, 8.3 for symmetric and 7.5 for general eigenvalues). [RECALL] They are
nominal: what LAPACK spends depends on the spectrum.
Complex arithmetic is charged by the counter, at four times the real.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from deqbench.measuring.formulas import formula


def lu_count(m: int, n: int) -> int:
    """Gaussian elimination, m x n: at step j, m - j quotients and (m - j)(n - j) products and differences.

    For m = n: 2/3 n^3 - n^2/2 - n/6.
    """
    k = min(m, n)
    ones, squares = k * (k + 1) // 2, k * (k + 1) * (2 * k + 1) // 6  # sums of j and j^2 up to k
    quotients = k * m - ones
    return quotients + 2 * (k * m * n - (m + n) * ones + squares)


def cholesky_count(n: int) -> int:
    """N roots, n (n - 1) / 2 quotients, (n^3 - n) / 3 products and differences: n^3/3 + n^2/2 + n/6."""
    return n + n * (n - 1) // 2 + (n**3 - n) // 3


def triangular_count(n: int, columns: int, *, unit: bool = False) -> int:
    """N (n - 1) products and differences a column, and n quotients unless the diagonal is 1."""
    return columns * (n * (n - 1) + (0 if unit else n))


def lu_solve_count(n: int, columns: int) -> int:
    """Two triangular solves, one of them with a unit diagonal: 2 n^2 - n a column."""
    return triangular_count(n, columns, unit=True) + triangular_count(n, columns)


def householder_count(m: int, n: int) -> int:
    """R of an m x n matrix by Householder's reflections: 2 n^2 (m - n/3), for m >= n."""
    tall, short = max(m, n), min(m, n)
    count = 2 * short**2 * (tall - short / 3)
    if m < n:  # the columns beyond the square are reflected, too
        count = 2 * m**2 * (m - m / 3) + 2 * m**2 * (n - m)
    return round(count)


def q_count(m: int, k: int, columns: int) -> int:
    """``columns`` columns of Q, m x m, from k reflections: 4 (m c k - (m + c) k^2 / 2 + k^3 / 3)."""
    return round(4 * (m * columns * k - (m + columns) * k**2 / 2 + k**3 / 3))


def _batch(matrix: Tensor) -> int:
    return math.prod(matrix.shape[:-2])


def _columns(right: Tensor, matrix: Tensor) -> int:
    """Return the columns of a right-hand side over all matrices; a vector is one."""
    n = matrix.shape[-1]
    return right.numel() // max(n * _batch(matrix), 1)


@formula("mv", "addmv")
def matrix_vector(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """2 m n."""
    del kwargs, out
    matrix = args[0] if args[0].dim() == 2 else args[1]
    return 2 * int(matrix.numel())


@formula("dot", "vdot")
def inner_product(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """2 n."""
    del kwargs, out
    return 2 * int(args[0].numel())


@formula("addr", "ger")
def outer_product(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """2 m n: a product and a sum an entry."""
    del kwargs
    return 2 * int((args[0] if out is None else out).numel())


@formula("linalg_lu_factor_ex", "_linalg_det", "_linalg_slogdet", "_lu_with_info", "_linalg_lu")
def lu_factors(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """An LU factorisation; a determinant's product of n numbers is left out."""
    del kwargs, out
    return _batch(args[0]) * lu_count(*args[0].shape[-2:])


@formula("linalg_lu_solve", "linalg_ldl_solve")
def lu_solve(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """2 n^2 - n a column of the right-hand side."""
    del kwargs, out
    factors, right = args[0], args[2]
    return max(_batch(factors), 1) * lu_solve_count(factors.shape[-1], _columns(right, factors))


@formula("_linalg_solve_ex")
def solve(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """An LU factorisation and its solves."""
    del kwargs, out
    matrix, right = args[0], args[1]
    n = matrix.shape[-1]
    return _batch(matrix) * (lu_count(n, n) + lu_solve_count(n, _columns(right, matrix)))


@formula("linalg_inv_ex")
def inverse(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """A solve with the identity, as torch computes it: 8/3 n^3 and less."""
    del kwargs, out
    n = args[0].shape[-1]
    return _batch(args[0]) * (lu_count(n, n) + lu_solve_count(n, n))


@formula("linalg_solve_triangular", "triangular_solve")
def triangular_solve(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """n^2 a column; less n with a unit diagonal. The two operations take their arguments in turned order."""
    del out
    first, second = args[0], args[1]
    matrix, right = (first, second) if "upper" in kwargs else (second, first)
    unit = bool(kwargs.get("unitriangular", False))
    n = matrix.shape[-1]
    return max(_batch(matrix), 1) * triangular_count(n, _columns(right, matrix), unit=unit)


@formula("linalg_cholesky_ex", "cholesky", "linalg_ldl_factor_ex")
def cholesky(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """n^3/3 + n^2/2 + n/6; of an LDL^T factorisation nominally as many."""
    del kwargs, out
    return _batch(args[0]) * cholesky_count(args[0].shape[-1])


@formula("cholesky_solve")
def cholesky_solve(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """Two triangular solves: 2 n^2 a column."""
    del kwargs, out
    right, factor = args[0], args[1]
    return _batch(factor) * 2 * triangular_count(factor.shape[-1], _columns(right, factor))


@formula("linalg_qr")
def qr(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """Householder's R, and the columns of Q that were asked for."""
    del out
    m, n = args[0].shape[-2:]
    mode = kwargs.get("mode", args[1] if len(args) > 1 else "reduced")
    columns = {"r": 0, "complete": m}.get(mode, min(m, n))
    count = householder_count(m, n) + (q_count(m, min(m, n), columns) if columns else 0)
    return _batch(args[0]) * count


@formula("geqrf")
def reflections(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """Householder's R alone."""
    del kwargs, out
    return _batch(args[0]) * householder_count(*args[0].shape[-2:])


@formula("linalg_householder_product")
def formed_q(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """Q's columns from its reflections."""
    del kwargs, out
    m, columns = args[0].shape[-2:]
    return _batch(args[0]) * q_count(m, args[1].shape[-1], columns)


@formula("linalg_lstsq")
def least_squares(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """By QR: R, its reflections on each right-hand side (4 m k - 2 k^2), a triangular solve."""
    del kwargs, out
    matrix, right = args[0], args[1]
    m, n = matrix.shape[-2:]
    k, columns = min(m, n), right.shape[-1] if right.dim() >= 2 else 1
    applied: int = columns * (4 * m * k - 2 * k**2)
    return _batch(matrix) * (householder_count(m, n) + applied + triangular_count(k, columns))


@formula("_linalg_svd")
def svd(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """R-SVD of m >= n: values 2 m n^2 + 2 n^3; thin 6 m n^2 + 20 n^3; full 4 m^2 n + 22 n^3.

    Under any dispatch mode torch computes vectors where only values were asked for, as it does wherever a
    gradient may be wanted; ``svdvals`` and ``eigvalsh`` without a gradient are charged more than they take.
    """
    del out
    rows, columns = args[0].shape[-2:]
    m, n = max(rows, columns), min(rows, columns)
    full = kwargs.get("full_matrices", args[1] if len(args) > 1 else False)
    vectors = kwargs.get("compute_uv", args[2] if len(args) > 2 else True)
    one = 4 * m**2 * n + 22 * n**3 if full else 6 * m * n**2 + 20 * n**3
    return _batch(args[0]) * int(one if vectors else 2 * m * n**2 + 2 * n**3)


@formula("_linalg_eigh")
def symmetric_eigenvalues(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """Tridiagonalisation and symmetric QR: 9 n^3; eigenvalues alone 4/3 n^3."""
    del out
    vectors = kwargs.get("compute_v", args[2] if len(args) > 2 else True)
    n = args[0].shape[-1]
    return _batch(args[0]) * int((9 if vectors else 4 / 3) * n**3)


@formula("linalg_eig")
def eigenvectors(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """Hessenberg form and QR with vectors: 25 n^3."""
    del kwargs, out
    return _batch(args[0]) * int(25 * args[0].shape[-1] ** 3)


@formula("_linalg_eigvals", "linalg_eigvals")
def eigenvalues(args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> int:
    """Hessenberg form and QR without vectors: 10 n^3."""
    del kwargs, out
    return _batch(args[0]) * int(10 * args[0].shape[-1] ** 3)

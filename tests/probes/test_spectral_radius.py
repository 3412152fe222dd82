"""Spectral radius, against eigenvalues known by construction, on maps where a power method goes wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from deqbench.equilibria import spectra
from deqbench.equilibria.affine import AffineMap
from deqbench.equilibria.maps import Map

WAYS = pytest.mark.parametrize("dense", [128, 4], ids=["written-down", "arnoldi"])


def spectral_radius(f, z, **options):
    return float(spectra.spectral_radius(f.function, z, *f.inputs, **options).max())


def linear(matrix, samples=3):
    """A map with this Jacobian that does not say that it is affine, and its points."""
    matrix = torch.as_tensor(matrix, dtype=torch.float64)
    z = torch.ones(samples, len(matrix), dtype=torch.float64)
    return Map(lambda z, x: z @ matrix.T + x, (torch.zeros_like(z),)), z


def similar(matrix, seed=0):
    """The same eigenvalues in an orthogonal basis drawn at random."""
    basis = np.linalg.qr(np.random.default_rng(seed).normal(size=matrix.shape))[0]
    return basis @ matrix @ basis.T


def rotation(radius, angle):
    return radius * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


@WAYS
def test_a_rotation_has_the_radius_of_its_complex_pair(dense):
    matrix = np.zeros((20, 20))
    matrix[:2, :2] = rotation(0.9, 1.0)
    matrix[2:, 2:] = np.diag(np.linspace(-0.7, 0.7, 18))
    f, z = linear(similar(matrix))
    assert spectral_radius(f, z, dense=dense) == pytest.approx(0.9, abs=1e-9)


@WAYS
def test_a_jordan_like_jacobian_has_the_radius_of_its_diagonal_not_its_norm(dense):
    matrix = np.diag(np.linspace(0.8, 0.1, 12)) + np.diag(np.full(11, 1.5), 1)
    assert np.linalg.norm(matrix, 2) > 1.9  # what a power method on norms heads for at first
    f, z = linear(matrix)
    assert spectral_radius(f, z, dense=dense) == pytest.approx(0.8, abs=1e-6)


def test_a_true_jordan_block_is_right_to_the_cube_root_of_rounding():
    # A defective eigenvalue of multiplicity 3 moves by about eps^(1/3) = 6e-6 under rounding.
    f, z = linear(similar(0.5 * np.eye(3) + np.diag([1.0, 1.0], 1)))
    assert spectral_radius(f, z) == pytest.approx(0.5, abs=1e-4)


@WAYS
def test_the_largest_sample_counts(dense):
    scale = torch.tensor([0.2, -0.95, 0.5], dtype=torch.float64)[:, None]
    z = torch.ones(3, 8, dtype=torch.float64)
    f = Map(lambda z, scale: scale * z, (scale,))
    assert spectral_radius(f, z, dense=dense) == pytest.approx(0.95, abs=1e-9)


@WAYS
@pytest.mark.parametrize(("dtype", "digits"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_a_nonlinear_map_is_linearised_at_the_point(dense, dtype, digits):
    draw = torch.Generator().manual_seed(0)
    w = torch.randn(10, 10, generator=draw, dtype=torch.float64).to(dtype)
    z = torch.randn(4, 10, generator=draw, dtype=torch.float64).to(dtype)
    f = Map(lambda z, x: torch.tanh(z @ w.T + x), (z.clone(),))
    slopes = 1 - torch.tanh(z @ w.T + z).double() ** 2
    truth = max(np.abs(np.linalg.eigvals((s[:, None] * w.double()).numpy())).max() for s in slopes)
    assert spectral_radius(f, z, dense=dense) == pytest.approx(truth, rel=digits)


def test_states_of_any_shape_are_flattened():
    z = torch.ones(2, 3, 2, dtype=torch.float64)
    assert spectral_radius(Map(lambda z: 0.3 * z.flip(1)), z) == pytest.approx(0.3)


def test_an_affine_map_is_read_not_called(monkeypatch):
    monkeypatch.setattr(AffineMap, "linear", None)
    monkeypatch.setattr(AffineMap, "__call__", None)
    f = Map(AffineMap(torch.diag(torch.tensor([0.5, -0.7]))), (torch.zeros(2, 2),))
    assert spectral_radius(f, torch.zeros(2, 2)) == pytest.approx(0.7)


@WAYS
@pytest.mark.parametrize("inputs", [0, 1])
def test_each_sample_has_its_own_radius(dense, inputs):
    levels = torch.tensor([0.3, -0.9, 0.6], dtype=torch.float64)[:, None]
    w = torch.randn(9, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64) / 3
    truth = levels.abs().squeeze(1) * torch.linalg.eigvals(w).abs().max()
    f = (lambda z, levels: levels * (z @ w.T)) if inputs else (lambda z: levels * (z @ w.T))
    found = spectra.spectral_radius(
        f, torch.zeros(3, 9, dtype=torch.float64), *[levels] * inputs, dense=dense
    )
    assert torch.allclose(found, truth, rtol=1e-9)


def test_a_large_gaussian_jacobian_has_the_radius_of_its_eigenvalues():
    w = torch.randn(150, 150, generator=torch.Generator().manual_seed(3), dtype=torch.float64) / 150**0.5
    found = spectra.spectral_radius(lambda z, x: z @ w.T + x, *torch.zeros(2, 1, 150, dtype=torch.float64))
    assert float(found) == pytest.approx(float(torch.linalg.eigvals(w).abs().max()), rel=1e-9)
    assert float(found) < 0.7 * float(torch.linalg.matrix_norm(w, 2))  # what a power method heads for


@WAYS
def test_a_jacobian_of_zeros_has_radius_zero(dense):
    f, z = linear(np.zeros((6, 6)))
    assert spectral_radius(f, z, dense=dense) == 0.0


@WAYS
def test_a_jacobian_that_is_not_finite_has_none(dense):
    f, z = linear(np.full((6, 6), np.nan))
    assert math.isnan(spectral_radius(f, z, dense=dense))

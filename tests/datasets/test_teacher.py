"""Teachers: labels are the stated function of the inputs, up to the stated noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import root

from deqbench_plugins.datasets.teacher import Teacher, _delm, _linear, _tanh_deq


@pytest.mark.parametrize("kind", ["linear", "delm"])
def test_a_noiseless_linear_teacher_is_fitted_exactly_by_least_squares(kind):
    x, y = Teacher(kind=kind, n=200, inputs=8, noise=0.0).table(0)
    fitted = x @ np.linalg.lstsq(x, y, rcond=None)[0]
    assert np.abs(fitted - y).max() < 1e-12


def test_a_tanh_teacher_is_no_linear_function():
    x, y = Teacher(kind="tanh-deq", n=400, inputs=8, noise=0.0).table(0)
    fitted = np.c_[x, np.ones(400)] @ np.linalg.lstsq(np.c_[x, np.ones(400)], y, rcond=None)[0]
    assert (fitted - y).var() > 0.01


class Recorder:
    """A generator that keeps what it drew."""

    def __init__(self, seed):
        self.draw, self.drawn = np.random.default_rng(seed), []

    def standard_normal(self, shape):
        self.drawn.append(self.draw.standard_normal(shape))
        return self.drawn[-1].copy()


def test_the_tanh_teacher_reads_out_an_equilibrium():
    teacher, recorder = Teacher(kind="tanh-deq", inputs=3, outputs=2, width=6, gamma=0.9), Recorder(0)
    x = np.random.default_rng(1).standard_normal((5, 3))
    y = _tanh_deq(teacher, x, recorder)
    w, u, b, readout = recorder.drawn
    w = w * 0.9 / np.linalg.svd(w, compute_uv=False)[0]

    def excess(z, row):
        return np.tanh(w @ z + row @ u / np.sqrt(3) + b) - z

    found = np.stack([root(excess, np.zeros(6), args=(row,), tol=1e-13).x for row in x])
    assert np.abs(found @ readout - y).max() < 1e-10


def test_the_delm_teacher_obeys_the_column_sum_invariant():
    # theory.md, section 1, item 7: 1^T z = 1^T phi / (1 - gamma), whatever A is; a readout of ones shows it.
    class Ones(Recorder):
        def standard_normal(self, shape):
            return np.ones(shape) if self.drawn else super().standard_normal(shape)

    x = np.random.default_rng(1).standard_normal((7, 5))
    y = _delm(Teacher(inputs=5, outputs=1, gamma=0.8), x, Ones(0))
    assert np.abs(y[:, 0] - x.sum(1) / 0.2).max() < 1e-12


def test_noise_has_the_stated_size():
    clean, noisy = (Teacher(n=20_000, noise=noise).table(0)[1] for noise in (0.0, 0.3))
    assert abs((noisy - clean).std() - 0.3) < 0.005


def test_a_classification_takes_the_largest_output():
    _, labels = Teacher(n=300, outputs=4, noise=0.0, task="classification").table(2)
    _, outputs = Teacher(n=300, outputs=4, noise=0.0).table(2)
    assert np.array_equal(labels, outputs.argmax(1))
    assert Teacher(n=300, outputs=4, task="classification").load(0).outputs == 4


def test_the_same_seed_gives_the_same_table_and_another_seed_another():
    first, again, other = (Teacher().table(seed)[0] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_linear_teacher_has_the_stated_shape():
    assert _linear(Teacher(inputs=3, outputs=2), np.zeros((4, 3)), Recorder(0)).shape == (4, 2)

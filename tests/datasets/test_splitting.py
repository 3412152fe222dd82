"""Splits: exact sizes, stratified, disjoint, scaled by the training split alone, reproducible."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deqbench.errors import ConfigurationError
from deqbench.interfaces import Task
from deqbench.measuring.seeding import stream_seed
from deqbench_plugins.datasets.splitting import Cut, draw_rows, split_table, standardized

CUT = Cut(test=0.2, validation=0.15, standardize=True, seed=3)


def table(n=400, classes=4, seed=0):
    draw = np.random.default_rng(seed)
    return draw.normal(5, 3, (n, 6)), draw.integers(0, classes, n)


def test_splits_are_disjoint_and_cover_every_row():
    rows = draw_rows(np.arange(103) % 5, CUT)
    assert sorted(np.concatenate(rows)) == list(range(103))


def test_split_sizes_are_the_shares_rounded():
    rows = draw_rows(np.zeros(103), CUT)
    assert [len(part) for part in rows] == [103 - 21 - 15, 15, 21]


def test_every_class_keeps_its_proportion_to_within_one_sample():
    strata = np.repeat([0, 1, 2, 3], [311, 97, 40, 9])
    rows = draw_rows(strata, CUT)
    for part in rows:
        counts = np.bincount(strata[part], minlength=4)
        expected = np.bincount(strata) * len(part) / len(strata)
        assert np.abs(counts - expected).max() <= 1.0


def test_a_class_of_one_sample_is_trained_on():
    strata = np.array([0] * 50 + [1])
    assert 50 in draw_rows(strata, CUT).train


def test_classes_do_not_come_in_blocks_or_in_turn():
    strata = np.arange(1000) % 2
    train = strata[draw_rows(strata, CUT).train]
    changes = int((train[1:] != train[:-1]).sum())
    assert 0.4 * len(train) < changes < 0.6 * len(train)


def test_the_same_seed_gives_the_same_bits():
    x, y = table()
    first, second = (split_table(x, y, Task.CLASSIFICATION, CUT) for _ in range(2))
    for part in ("train", "val", "test"):
        assert torch.equal(getattr(first, part).x, getattr(second, part).x)
        assert torch.equal(getattr(first, part).y, getattr(second, part).y)


def test_another_seed_gives_other_rows():
    strata = np.zeros(200)
    assert not np.array_equal(draw_rows(strata, CUT).test, draw_rows(strata, CUT._replace(seed=4)).test)


def test_rows_follow_the_raw_draws_that_numpy_guarantees():
    # NEP 19 fixes PCG64's raw output for ever; sorting distinct integers has one answer on any machine.
    raw = np.random.PCG64(stream_seed(3, "data", "rows")).random_raw(10)
    drawn = sorted(range(10), key=lambda row: raw[row])
    rows = draw_rows(np.zeros(10), CUT)
    assert [rows.test.tolist(), rows.val.tolist(), rows.train.tolist()] == [drawn[:2], drawn[2:4], drawn[4:]]


def test_the_training_split_has_mean_zero_and_variance_one():
    x, y = table()
    train = split_table(x, y, Task.CLASSIFICATION, CUT).train.x
    assert train.mean(0).abs().max() < 1e-14
    assert (train.var(0, unbiased=False) - 1).abs().max() < 1e-13


def test_scaling_knows_nothing_of_the_test_split():
    x, y = table()
    rows = draw_rows(y, CUT)
    poisoned = x.copy()
    poisoned[rows.test] *= 1e6
    clean, other = (split_table(part, y, Task.CLASSIFICATION, CUT) for part in (x, poisoned))
    assert torch.equal(clean.train.x, other.train.x)
    assert torch.equal(clean.val.x, other.val.x)
    assert other.test.x.abs().max() > 1e5


def test_a_feature_constant_in_training_is_zero_everywhere():
    train, test = standardized([np.full((7, 2), 0.1), np.array([[0.3, 5.0]])])
    assert (train == 0).all()
    assert (test == 0).all()


def test_targets_of_a_regression_are_scaled_too():
    x, _ = table()
    splits = split_table(x, 1000 + 50 * x[:, 0], Task.REGRESSION, CUT)
    assert splits.train.y.shape == (260, 1)
    assert splits.outputs == 1
    assert splits.train.y.mean().abs() < 1e-14
    assert abs(splits.train.y.var(unbiased=False).item() - 1) < 1e-13


def test_without_standardizing_the_numbers_stay_as_they_are():
    x, y = table()
    splits = split_table(x, y, Task.CLASSIFICATION, CUT._replace(standardize=False))
    assert torch.equal(splits.train.x, torch.from_numpy(x[draw_rows(y, CUT).train]))


def test_labels_of_any_type_become_class_indices():
    labels = np.array(["pear", "apple", "fig"] * 20)
    splits = split_table(np.arange(60.0)[:, None], labels, Task.CLASSIFICATION, CUT)
    assert splits.outputs == 3
    assert splits.train.y.dtype == torch.int64
    assert set(splits.train.y.tolist()) == {0, 1, 2}


def test_images_keep_their_shape():
    x = np.random.default_rng(0).normal(size=(50, 2, 3, 3))
    splits = split_table(x, np.arange(50) % 2, Task.CLASSIFICATION, CUT)
    assert splits.inputs == (2, 3, 3)
    assert splits.train.x.mean(0).abs().max() < 1e-14


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_missing_number_is_refused(bad):
    x, y = table()
    x[3, 2] = bad
    with pytest.raises(ConfigurationError, match="missing or infinite"):
        split_table(x, y, Task.CLASSIFICATION, CUT)


def test_too_few_rows_are_refused():
    with pytest.raises(ConfigurationError, match="2 samples are too few"):
        draw_rows(np.zeros(2), CUT)

"""OpenML on recorded answers: `recorded/` holds those of data sets 561 (cpu) and 40945 (Titanic), as
scikit-learn's own tests ship them, laid out as scikit-learn's cache. Nothing here reaches the network."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch

from deqbench.errors import ConfigurationError
from deqbench.interfaces import Task
from deqbench_plugins.datasets.openml import OpenML


@pytest.fixture
def cache(tmp_path, monkeypatch):
    def refuse(request, **options):
        raise AssertionError(f"a test reached for {request.full_url}")

    monkeypatch.setattr("sklearn.datasets._openml.urlopen", refuse)
    return str(shutil.copytree(Path(__file__).parent / "recorded", tmp_path / "cache"))


def test_a_target_of_numbers_is_a_regression(cache):
    splits = OpenML(data_id=561, cache=cache).load(0)
    assert (splits.task, splits.outputs) == (Task.REGRESSION, 1)
    assert len(splits.train) + len(splits.val) + len(splits.test) == 209


def test_a_name_and_version_find_the_same_data_as_the_number(cache):
    by_name = OpenML(dataset="cpu", version=1, cache=cache).load(0)
    assert torch.equal(by_name.train.x, OpenML(data_id=561, cache=cache).load(0).train.x)


def test_categories_become_columns_of_zeros_and_ones(cache):
    splits = OpenML(data_id=561, cache=cache, standardize=False).load(0)
    vendors = splits.train.x[:, 6:]
    assert set(vendors.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(vendors.sum(1), torch.ones(len(splits.train), dtype=torch.float64))


def test_a_vendor_that_training_never_saw_is_all_zeros(cache):
    splits = OpenML(data_id=561, cache=cache, standardize=False).load(0)
    sums = torch.cat([splits.val.x[:, 6:].sum(1), splits.test.x[:, 6:].sum(1)])
    assert set(sums.tolist()) == {0.0, 1.0}


def test_a_target_of_categories_is_a_classification_and_missing_values_are_filled(cache):
    splits = OpenML(data_id=40945, cache=cache, categories=5).load(0)
    assert (splits.task, splits.outputs) == (Task.CLASSIFICATION, 2)
    assert bool(torch.isfinite(splits.train.x).all())
    assert abs(splits.test.y.double().mean().item() - 500 / 1309) < 0.005


def test_missing_numbers_become_the_training_median(cache):
    from sklearn.datasets import fetch_openml

    dataset = OpenML(data_id=40945, cache=cache, standardize=False, categories=2)
    splits = dataset.load(0)
    frame = fetch_openml(data_id=40945, data_home=cache, as_frame=True, parser="liac-arff").data
    age = [name for name in frame.columns if frame[name].dtype.kind == "f"].index("age")
    ages = torch.cat([splits.train.x[:, age], splits.val.x[:, age], splits.test.x[:, age]])
    filled, count = np.unique(ages.numpy(), return_counts=True)
    missing = int(frame["age"].isna().sum())
    # 263 ages are missing; one age is held by that many passengers more than truly have it.
    truly = {value: int((frame["age"] == value).sum()) for value in filled}
    surplus = {value: n - truly[value] for value, n in zip(filled, count, strict=True) if n != truly[value]}
    assert list(surplus.values()) == [missing]
    assert abs(next(iter(surplus)) - frame["age"].median()) <= 2


def test_rare_categories_share_a_column(cache):
    few, many = (OpenML(data_id=40945, cache=cache, categories=n).load(0).inputs[0] for n in (3, 20))
    assert few < many


def test_another_target_may_be_chosen(cache):
    splits = OpenML(data_id=40945, cache=cache, target="sex", categories=3).load(0)
    assert splits.outputs == 2
    assert abs(splits.test.y.double().mean().item() - 843 / 1309) < 0.005


@pytest.mark.parametrize("given", [{}, {"dataset": "cpu", "data_id": 561}])
def test_exactly_one_of_name_and_number_is_needed(given):
    with pytest.raises(ConfigurationError, match="exactly one of dataset"):
        OpenML(**given).load(0)


def test_without_a_network_what_is_not_cached_is_refused_in_one_sentence(tmp_path, monkeypatch):
    def unreachable(request, **options):
        raise URLError("no route to host")

    monkeypatch.setattr("sklearn.datasets._openml.urlopen", unreachable)
    monkeypatch.setattr("sklearn.datasets._openml.time.sleep", lambda seconds: None)
    refused = pytest.raises(ConfigurationError, match=r"CIFAR_10 is not in the cache.*no route to host")
    with refused, pytest.warns(UserWarning, match="downloading"):
        OpenML(dataset="CIFAR_10", version=1, cache=str(tmp_path)).load(0)

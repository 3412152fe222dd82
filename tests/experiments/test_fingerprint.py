"""Splits as a trial sees them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from trial_bench import ODD_PLUGINS

from deqbench.discovery.registry import Registry
from deqbench.discovery.sources import PluginSources
from deqbench.errors import PluginError
from deqbench.experiments import fingerprint_job
from deqbench.experiments.fingerprint import fingerprint, load_splits
from deqbench.trials import Ref

BUILT_IN = PluginSources().to_json()


@pytest.fixture(scope="module")
def odd():
    return Registry.load(ODD_PLUGINS)


def job(dataset, seed=0, plugins=BUILT_IN):
    return fingerprint_job({"dataset": dataset, "seed": seed, "plugins": plugins}, None)["fingerprint"]


def test_the_same_data_have_the_same_fingerprint():
    assert job({"name": "wine"}) == job({"name": "wine", "test": 0.2})
    assert len(job({"name": "wine"})) == 64


@pytest.mark.parametrize(
    "other", [({"name": "wine"}, 1), ({"name": "wine", "test": 0.3}, 0), ({"name": "digits"}, 0)]
)
def test_other_data_have_another_fingerprint(other):
    assert job(*other) != job({"name": "wine"})


def test_one_bit_changes_the_fingerprint(odd):
    splits = load_splits(odd.build("datasets", Ref("wine")), 0)
    x = splits.test.x.clone()
    x[0, 0] = torch.nextafter(x[0, 0], torch.tensor(torch.inf, dtype=torch.float64))
    assert fingerprint(replace(splits, test=replace(splits.test, x=x))) != fingerprint(splits)


def test_a_data_set_that_draws_from_the_global_generators_is_reproducible():
    first, second, other = (job({"name": "careless"}, seed, ODD_PLUGINS.to_json()) for seed in (0, 0, 1))
    assert first == second != other


def test_targets_of_one_column_get_their_column(odd):
    splits = load_splits(odd.build("datasets", Ref("careless")), 0)
    assert splits.train.y.shape == (8, 1)


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        ("nan", "val split holds inf or nan"),
        ("length", "8 inputs and 5 targets"),
        ("labels", "they must be int64"),
        ("empty", "0 inputs and 0 targets"),
    ],
)
def test_a_broken_data_set_is_refused(odd, mistake, sentence):
    with pytest.raises(PluginError, match=sentence):
        load_splits(odd.build("datasets", Ref("broken", {"mistake": mistake})), 0)

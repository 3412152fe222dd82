"""Suites that need the network or hours are planned without either."""

from __future__ import annotations

import pytest

from deqbench.discovery.registry import Registry
from deqbench.suites.suite import expand, read_suite


@pytest.fixture(scope="module")
def registry():
    return Registry.load()


def test_paper_full_is_planned_without_a_network(registry, monkeypatch):
    def refuse(*_arguments, **_options):
        raise AssertionError("a plan reached for the network")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    suite = read_suite("paper-full", registry)
    trials = expand(suite, registry, device="cpu")
    assert suite.device == "auto"
    named = {trial.components["dataset"].parameters["dataset"] for trial in trials}
    assert named == {"mnist_784", "Kuzushiji-MNIST", "CIFAR_10", "CIFAR-100"}
    assert {trial.components["model"].name for trial in trials} == {"linear", "deq-linear", "mlp"}


def test_each_model_has_a_grid_of_steps_of_its_own(registry):
    trials = expand(read_suite("implicit-against-explicit", registry), registry, device="cpu")
    grids = {}
    for trial in trials:
        if trial.components["trainer"].name == "gd":
            cell = (str(trial.components["dataset"]), str(trial.components["model"]))
            grids.setdefault(cell, set()).add(trial.parameters["trainer"]["lr"])
    assert all(len(grid) >= 4 for grid in grids.values())
    gammas = {model for _, model in grids}
    assert gammas == {"linear", *(f"deq-linear[gamma={g}]" for g in (0.01, 0.5, 0.9, 0.97, 0.99))}
    trainers = {trial.components["trainer"].name for trial in trials}
    assert trainers == {"gd", "trust-region-newton", "deq-metric-newton", "deq-metric-trust-region"}

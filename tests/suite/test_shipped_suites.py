import pytest

from deqbench.discovery.registry import Registry
from deqbench.suites.suite import expand, read_suite

IMPLICIT = {
    ("deq-linear", "direct", "implicit"),
    ("deq-linear", "direct", "one-step"),
    ("deq-linear", "anderson", "implicit"),
    ("deq-linear", "anderson", "one-step"),
    ("deq-mlp", "anderson", "implicit"),
    ("deq-mlp", "anderson", "one-step"),
}


@pytest.fixture(scope="module")
def registry():
    return Registry.load()


def shipped_names():
    return [offer.entry.name for offer in Registry.load().offers("suites")]


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_suite_has_no_mistake_and_says_what_it_is(name, registry):
    suite = read_suite(name, registry)
    assert suite.title
    assert suite.description
    assert expand(suite, registry, device="cpu")


def test_quickstart_compares_what_it_promises_on_three_seeds(registry):
    trials = expand(read_suite("quickstart", registry), registry)
    names = [{axis: ref.name for axis, ref in trial.components.items()} for trial in trials]
    assert {one["dataset"] for one in names} == {"digits"}
    assert {trial.seed for trial in trials} == {0, 1, 2}
    assert {(one["model"], one["solver"], one["gradient"]) for one in names if "solver" in one} == IMPLICIT
    assert {one["trainer"] for one in names if one["model"] == "linear"} >= {
        "gd",
        "adam",
        "trust-region-newton",
        "scipy-trust-ncg",
        "newton-cholesky",
        "lbfgs",
    }
    assert {"mlp", "unrolled"} <= {one["model"] for one in names}


def test_smoke_is_tiny_and_has_an_entry_of_each_kind(registry):
    trials = expand(read_suite("smoke", registry), registry)
    assert len(trials) <= 10
    assert all(trial.settings["budget"]["epochs"] <= 3 for trial in trials)
    models = {trial.components["model"].name for trial in trials}
    assert models == {"deq-linear", "deq-mlp", "mlp", "unrolled", "linear"}


@pytest.mark.parametrize(
    ("name", "axis", "maps"),
    [
        ("solvers", "solver", {"affine", "tanh", "tanh-symmetric", "monotone", "trained"}),
        ("gradients", "gradient", {"affine", "tanh", "tanh-symmetric", "monotone", "trained"}),
    ],
)
def test_the_suites_on_maps_hold_everything_that_is_built_in(name, axis, maps, registry):
    trials = expand(read_suite(name, registry), registry)
    built_in = {
        one.entry.name
        for one in registry.offers(f"{axis}s")
        if one.origin.distribution == "deqbench" and not one.entry.name.startswith("control-")
    }
    assert {trial.components[axis].name for trial in trials} == built_in
    assert {trial.components["map"].name for trial in trials} == maps
    assert {trial.seed for trial in trials} == {0, 1, 2}


def test_solvers_are_tried_on_every_difficulty_that_was_promised(registry):
    trials = expand(read_suite("solvers", registry), registry)
    tried = {str(one.components["map"]) for one in trials if one.components["solver"].name == "anderson"}
    affine = {f"affine[gamma={gamma}]" for gamma in (0.5, 0.9, 0.99, 0.999)}
    tanh = {f"{family}[norm={norm}]" for family in ("tanh", "tanh-symmetric") for norm in (0.5, 0.9, 0.99)}
    trained = {f"trained[model={model}]" for model in ("deq-linear", "deq-mlp")}
    assert tried == affine | tanh | trained | {"monotone[m=0.1]", "monotone[m=1]"}


def test_a_solver_for_some_maps_is_tried_on_those_alone(registry):
    trials = expand(read_suite("solvers", registry), registry)
    maps = {}
    for trial in trials:
        maps.setdefault(trial.components["solver"].name, set()).add(trial.components["map"].name)
    assert maps["direct"] == {"affine", "trained"}
    assert maps["forward-backward"] == maps["peaceman-rachford"] == {"affine", "monotone"}

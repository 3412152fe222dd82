import itertools

import pytest

from deqbench.errors import ConfigurationError
from deqbench.suites.suite import Suite, expand, read_suite
from deqbench.trials import Limits, Ref, Trial

IMPLICIT = 'model = "deq-linear"\nsolver = ["direct", "anderson"]\ngradient = ["implicit", "one-step"]\n'


@pytest.fixture
def trials(registry, write):
    def expanded(text, **options):
        return expand(read_suite(write(text), registry), registry, **options)

    return expanded


def test_lists_expand_to_their_product_in_the_order_written(trials):
    found = [trial.entry for trial in trials("[[grid]]\n" + IMPLICIT)]
    pairs = itertools.product(["direct", "anderson"], ["implicit", "one-step"])
    assert found == [f"deq-linear | {solver} | {gradient} | adam" for solver, gradient in pairs]


def test_seeds_vary_fastest(registry, write):
    text = '[budget]\nsteps = 1\n[[grid]]\ndataset = "wine"\nmodel = ["linear", "mlp"]\ntrainer = "gd"\n'
    suite = read_suite(write(text, head="seeds = [3, 1]\n"), registry)
    found = [(trial.components["model"].name, trial.seed) for trial in expand(suite, registry)]
    assert found == [("linear", 3), ("linear", 1), ("mlp", 3), ("mlp", 1)]


def test_parameters_are_resolved_and_components_stay_as_written(trials):
    trial = trials('[[grid]]\nmodel = "mlp[width=8]"\n')[0]
    assert trial.components["model"] == Ref("mlp", {"width": 8})
    assert trial.components["trainer"] == Ref("adam")
    assert trial.parameters["trainer"] == {"lr": 0.01}


def test_default_solvers_apply_to_implicit_models_only(registry, write):
    text = (
        '[budget]\nsteps = 1\n[defaults]\ndataset = "wine"\ntrainer = "gd"\nsolver = "direct"\n'
        'gradient = "implicit"\n[[grid]]\nmodel = ["deq-linear", "linear"]\n'
    )
    found = expand(read_suite(write(text, head=""), registry), registry)
    assert [trial.entry for trial in found] == ["deq-linear | direct | implicit | gd", "linear | gd"]


def test_where_keeps_the_cells_that_meet_it(trials):
    found = trials(
        '[[grid]]\nmodel = ["deq-linear", "deq-mlp"]\nsolver = ["direct", "anderson"]\n'
        'gradient = "implicit"\n'
        "where = \"solver != 'direct' or model == 'deq-linear'\"\n"
    )
    pairs = [(trial.components["model"].name, trial.components["solver"].name) for trial in found]
    assert pairs == [("deq-linear", "direct"), ("deq-linear", "anderson"), ("deq-mlp", "anderson")]


@pytest.mark.parametrize("key", ['vary = { "trainer.lr" = [0.1, 1] }', "vary.trainer.lr = [0.1, 1]"])
def test_varied_parameters_multiply_the_product(trials, key):
    found = trials(f'[[grid]]\nmodel = "linear"\ntrainer = ["gd", "adam"]\n{key}\n')
    assert [str(trial.components["trainer"]) for trial in found] == [
        "gd[lr=0.1]",
        "gd[lr=1]",
        "adam[lr=0.1]",
        "adam[lr=1]",
    ]


def test_a_default_is_varied_too(trials):
    found = trials('[[grid]]\nmodel = "linear"\nvary = { "trainer.lr" = [0.1, 1] }\n')
    assert [trial.parameters["trainer"]["lr"] for trial in found] == [0.1, 1]


def test_a_block_overrides_dtype_and_single_keys_of_the_budget(registry, write):
    text = (
        "[budget]\nepochs = 2\nseconds = 30\nmemory_gib = 0.5\n"
        '[[grid]]\ndataset = "wine"\nmodel = "linear"\ntrainer = "gd"\n'
        '[[grid]]\ndataset = "wine"\nmodel = "mlp"\ntrainer = "gd"\n'
        'dtype = "float64"\nbudget = { steps = 9, seconds = 5 }\n'
    )
    first, second = expand(read_suite(write(text, head=""), registry), registry)
    assert (first.settings["dtype"], second.settings["dtype"]) == ("float32", "float64")
    assert first.settings["budget"] == {"epochs": 2, "steps": None}
    assert second.settings["budget"] == {"epochs": 2, "steps": 9}
    assert first.limits == Limits(30, 2**29)
    assert second.limits == Limits(5, 2**29)


def test_settings_hold_all_that_shapes_a_result(trials):
    assert trials('[[grid]]\nmodel = "linear"\n')[0].settings == {
        "dtype": "float32",
        "device": "cpu",
        "threads": 1,
        "budget": {"epochs": 2, "steps": None},
        "stop": {"tolerance": 1e-4, "max_calls": 100, "norm": "relative", "check_every": 1},
        "loss": {"name": "auto", "l2": 0.0},
        "evaluations": 20,
        "counting": 0.05,
    }


def test_wall_limits_do_not_change_a_trials_key(registry, write):
    suites = [
        read_suite(write('[[grid]]\nmodel = "linear"\n'), registry, overrides)
        for overrides in ([], ["budget.seconds=1", "budget.memory_gib=2"])
    ]
    first, second = (expand(suite, registry)[0] for suite in suites)
    assert first.key == second.key
    assert first.limits != second.limits


def test_the_callers_device_wins(trials):
    assert trials('[[grid]]\nmodel = "linear"\n', device="cuda")[0].settings["device"] == "cuda"


def test_an_unresolved_device_is_refused(registry, write):
    suite = read_suite(write('[[grid]]\nmodel = "linear"\n'), registry, ["device=auto"])
    with pytest.raises(ConfigurationError, match="device 'auto'; give cpu or cuda"):
        expand(suite, registry)


def test_trials_survive_json(trials):
    for trial in trials("[[grid]]\n" + IMPLICIT):
        assert Trial.from_json(trial.to_json()).key == trial.key


def test_a_suite_made_in_python_expands(registry):
    suite = Suite(
        name="mine",
        budget={"steps": 1},
        grid=[{"dataset": "wine", "model": "linear", "trainer": Ref("gd", {"lr": 1.0})}],
    )
    assert [trial.label for trial in expand(suite, registry)] == ["wine | linear | gd[lr=1.0] | seed 0"]


def test_a_suite_made_in_python_is_checked_as_a_file_is(registry):
    suite = Suite(budget={"steps": 1}, grid=[{"dataset": "wine", "model": "liner", "trainer": "gd"}])
    with pytest.raises(ConfigurationError, match=r"grid\[0\].model\[0\]: Unknown model 'liner'"):
        expand(suite, registry)

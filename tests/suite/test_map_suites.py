"""Suites of the experiments on maps: their axes, their keys, and blocks that may be left out."""

from dataclasses import dataclass
from typing import Annotated

import pytest
from pydantic import Field

from deqbench.discovery.registry import Offer, Origin, PluginSources, Registry
from deqbench.errors import ConfigurationError
from deqbench.experiments import EXPERIMENTS, FINDINGS
from deqbench.keeping.runs import RunResult
from deqbench.plugin import KINDS, Entry
from deqbench.suites.axes import AXES, TAKEN
from deqbench.suites.optional import left_out
from deqbench.suites.suite import Suite, expand, read_suite


@dataclass(frozen=True)
class Affine:
    """A family."""

    gamma: Annotated[float, Field(gt=0, lt=1, description="Rate.")] = 0.9


@dataclass(frozen=True)
class Plain:
    """Takes no parameters."""


@pytest.fixture
def with_maps(registry):
    """The room's registry, with two families and a solver that nobody has installed."""
    origin = Origin("deqbench:maps", "deqbench")
    absent = Entry("absent", Plain, requires=("no_such_package",), extra="peers")
    known = [offer for kind in KINDS for offer in registry.offers(kind)]
    families = {"affine": Affine, "tanh": Plain}
    drawn = [Offer("maps", Entry(name, family), origin) for name, family in families.items()]
    return Registry(PluginSources(), [*known, *drawn, Offer("solvers", absent, origin)])


@pytest.fixture
def read(with_maps, write):
    def read(text, experiment="equilibrium"):
        return read_suite(write(text, head=f'experiment = "{experiment}"\n'), with_maps)

    return read


@pytest.fixture
def trials(with_maps, read):
    def trials(text, experiment="equilibrium", **options):
        return expand(read(text, experiment), with_maps, **options)

    return trials


def mistakes(read, text, experiment="equilibrium"):
    with pytest.raises(ConfigurationError) as caught:
        read(text, experiment)
    return str(caught.value)


BLOCK = '[[grid]]\nmap = "affine"\nsolver = "anderson"\n'


def test_every_experiment_says_what_it_takes_and_which_statuses_are_findings():
    assert set(TAKEN) == set(EXPERIMENTS) == set(FINDINGS)
    assert {axis for axes in TAKEN.values() for axis in axes.taken} == set(AXES)


def test_an_equilibrium_suite_is_the_product_of_maps_and_solvers(trials):
    found = trials('[[grid]]\nmap = ["affine[gamma=0.5]", "tanh"]\nsolver = ["direct", "anderson"]\n')
    assert [trial.label for trial in found] == [
        "affine[gamma=0.5] | direct | seed 0",
        "affine[gamma=0.5] | anderson | seed 0",
        "tanh | direct | seed 0",
        "tanh | anderson | seed 0",
    ]
    assert [trial.entry for trial in found[:2]] == ["direct", "anderson"]
    assert found[0].parameters["map"] == {"gamma": 0.5}


def test_a_gradient_suite_takes_a_gradient_too(trials):
    text = '[[grid]]\nmap = "affine"\nsolver = "anderson"\ngradient = ["implicit", "one-step"]\n'
    assert [trial.entry for trial in trials(text, "gradient")] == [
        "anderson | implicit",
        "anderson | one-step",
    ]


def test_its_trials_hold_what_shapes_them_and_nothing_of_training(trials):
    (trial,) = trials("repeats = 3\n" + BLOCK)
    assert set(trial.settings) == {"dtype", "device", "threads", "stop", "repeats", "counting"}
    assert trial.settings["repeats"] == 3
    assert trial.probes == ()


def test_only_its_wall_limit_bounds_it(trials):
    (trial,) = trials("budget.seconds = 9\n" + BLOCK)
    assert trial.limits.seconds == 9


def test_parameters_of_a_map_vary_and_select(trials):
    text = BLOCK + 'vary = { "map.gamma" = [0.5, 0.9] }\nwhere = "map.gamma < 0.9 or seed == 1"\n'
    found = trials(text, only="map=affine,map.gamma=0.5")
    assert [str(trial.components["map"]) for trial in found] == ["affine[gamma=0.5]"]


def test_a_condition_may_stand_on_several_lines(trials):
    text = BLOCK + 'vary = { "map.gamma" = [0.5, 0.9] }\nwhere = """\nmap.gamma < 0.9\nor seed == 1"""\n'
    assert [str(trial.components["map"]) for trial in trials(text)] == ["affine[gamma=0.5]"]


def test_an_axis_that_the_experiment_does_not_take_is_refused(read):
    told = mistakes(read, BLOCK + 'gradient = "implicit"\n')
    assert "grid[0].gradient: The experiment 'equilibrium' takes map and solver, no gradient" in told
    told = mistakes(read, '[defaults]\ndataset = "digits"\n' + BLOCK)
    assert "line 3, defaults.dataset: The experiment 'equilibrium' takes map and solver, no dataset" in told


def test_training_takes_no_map(registry, with_maps, write):
    with pytest.raises(ConfigurationError, match="'training' takes dataset, model, solver, gradient and"):
        read_suite(write('[[grid]]\nmodel = "linear"\nmap = "affine"\n'), with_maps)


@pytest.mark.parametrize("key", ["budget.epochs = 3", "budget.steps = 3", "evaluations = 3", "loss.l2 = 0.1"])
def test_a_key_that_shapes_training_alone_is_refused(read, key):
    name = key.split(" ")[0].removesuffix(".l2")
    assert f"'{name}' shapes the experiment 'training' only, not 'equilibrium'" in mistakes(
        read, f"{key}\n{BLOCK}"
    )


def test_a_key_of_a_block_too(read):
    told = mistakes(read, BLOCK + "budget.steps = 3\n")
    assert "grid[0].budget.steps: 'budget.steps' shapes the experiment 'training' only" in told


def test_training_takes_no_repeats(registry, with_maps, write):
    with pytest.raises(ConfigurationError, match="'repeats' shapes the experiment 'equilibrium' and 'grad"):
        read_suite(write("repeats = 2\n[[grid]]\nmodel = 'linear'\n", head=""), with_maps)


def test_a_missing_axis_is_named(read):
    assert "It has no solver; name one here or in [defaults]." in mistakes(read, '[[grid]]\nmap = "tanh"\n')


def test_a_suite_that_was_written_back_is_the_same_suite(read, with_maps):
    suite = read(BLOCK)
    again = Suite.model_validate(suite.to_json())
    assert [one.key for one in expand(again, with_maps)] == [one.key for one in expand(suite, with_maps)]


OPTIONAL = '[[grid]]\nmap = "affine"\nsolver = ["anderson", "absent"]\noptional = true\n'


def test_an_optional_block_leaves_out_what_is_not_installed_and_says_so(read, trials, with_maps):
    assert [trial.entry for trial in trials(OPTIONAL)] == ["anderson"]
    assert left_out(read(OPTIONAL), with_maps) == ("absent needs no_such_package; install deqbench[peers]",)


def test_any_other_block_refuses_it(read):
    told = mistakes(read, OPTIONAL.replace("true", "false"))
    assert "The solver 'absent' needs no_such_package; install deqbench[peers]." in told


def test_a_condition_may_name_what_is_left_out(trials):
    text = OPTIONAL + "where = \"solver != 'absent' or map.gamma < 0.5\"\n"
    assert [trial.entry for trial in trials(text)] == ["anderson"]


def test_a_misspelt_name_in_it_is_still_refused(read):
    told = mistakes(read, OPTIONAL + "where = \"solver != 'abset'\"\n")
    assert "No solver here is 'abset'" in told


def test_an_optional_block_that_is_empty_here_is_no_mistake(trials):
    empty = OPTIONAL.replace('["anderson", "absent"]', '"absent"') + "where = \"solver == 'absent'\"\n"
    assert [trial.entry for trial in trials(BLOCK + empty)] == ["anderson"]


def test_a_suite_with_nothing_left_is_refused(read, with_maps):
    suite = read('[[grid]]\nmap = "affine"\nsolver = "absent"\noptional = true\n')
    with pytest.raises(ConfigurationError, match="Every trial of suite 'some' is left out: absent needs"):
        expand(suite, with_maps)


@pytest.mark.parametrize(
    ("experiment", "counts", "code"),
    [
        ("equilibrium", {"ok": 1, "not_converged": 2, "diverged": 1}, 0),
        ("gradient", {"ok": 3, "timeout": 1}, 1),
        ("equilibrium", {"ok": 3, "skipped": 1}, 1),
        ("training", {"ok": 3, "not_converged": 1}, 1),
    ],
)
def test_a_miss_is_a_finding_where_solvers_are_measured(tmp_path, experiment, counts, code):
    result = RunResult(tmp_path, counts, 4, 0, False, 1.0, FINDINGS[experiment])
    assert result.exit_code == code

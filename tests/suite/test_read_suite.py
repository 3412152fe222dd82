import pytest

from deqbench.suites.schema import Experiment
from deqbench.suites.suite import read_suite
from deqbench.trials import Ref, canonical_json

HEAD = '[budget]\nsteps = 1\n[defaults]\ndataset = "wine"\ntrainer = "gd"\n'
GRID = '[[grid]]\nmodel = "linear"\n'


def test_a_suite_is_named_after_its_file(registry, write):
    suite = read_suite(write(GRID), registry)
    assert suite.name == "some"
    assert suite.source is not None
    assert suite.source.name == "some.toml"


@pytest.mark.parametrize(("stem", "name"), [("My Suite (2)", "my-suite-2"), ("é", "suite"), ("a.b", "a-b")])
def test_an_unruly_file_name_becomes_a_tame_one(stem, name, registry, tmp_path):
    path = tmp_path / f"{stem}.toml"
    path.write_text(HEAD + GRID)
    assert read_suite(str(path), registry).name == name


def test_a_suite_names_itself_if_it_wants(registry, write):
    assert read_suite(write(GRID, head='name = "other"\n' + HEAD), registry).name == "other"


def test_a_byte_order_mark_is_dropped(registry, write):
    assert read_suite(write(GRID, head="\ufeff" + HEAD), registry).name == "some"


def test_a_path_may_be_relative(registry, write, tmp_path, monkeypatch):
    write(GRID)
    monkeypatch.chdir(tmp_path)
    assert read_suite("some.toml", registry).name == "some"


@pytest.mark.parametrize(
    ("option", "attribute", "value"),
    [
        ("seeds=[4, 5]", "seeds", (4, 5)),
        ("dtype=float64", "dtype", "float64"),
        ("title='two words'", "title", "two words"),
        ("title=two words", "title", "two words"),
        ("evaluations = 7", "evaluations", 7),
        ("operations = false", "operations", 0.0),
        ("operations = true", "operations", 0.05),
        ("operations = 1", "operations", 1.0),
    ],
)
def test_an_option_overrides_the_file(option, attribute, value, registry, write):
    assert getattr(read_suite(write(GRID), registry, [option]), attribute) == value


def test_an_option_overrides_one_key_of_a_table(registry, write):
    budget = read_suite(write(GRID), registry, ["budget.steps=3"]).budget
    assert (budget.epochs, budget.steps) == (2, 3)


def test_an_option_overrides_a_default_component(registry, write):
    suite = read_suite(write(GRID), registry, ["defaults.trainer=gd[lr=0.5]"])
    assert suite.defaults.trainer == Ref("gd", {"lr": 0.5})


def test_the_last_of_two_options_wins(registry, write):
    assert read_suite(write(GRID), registry, ["threads=2", "threads=3"]).threads == 3


def test_a_suite_is_frozen(registry, write):
    suite = read_suite(write(GRID), registry)
    with pytest.raises(ValueError, match="frozen"):
        suite.threads = 3


def test_a_suite_is_json_with_every_default(registry, write):
    value = read_suite(write(GRID), registry).to_json()
    assert canonical_json(value)
    assert value["stop"]["max_calls"] == 100
    assert value["probes"] == [{"name": "loss"}, {"name": "accuracy"}, {"name": "r2"}]
    assert value["grid"][0]["model"] == [{"name": "linear"}]


def test_the_schema_knows_the_experiments_there_are():
    experiments = pytest.importorskip("deqbench.experiments")
    assert Experiment.__args__ == tuple(experiments.EXPERIMENTS)

import pytest

from deqbench.errors import ConfigurationError
from deqbench.trials import Limits, Ref, Trial, canonical_json, split_outside, toml_value


def trial(**changes):
    values = {
        "suite": "smoke",
        "experiment": "training",
        "components": {
            "dataset": Ref("wine"),
            "model": Ref("linear"),
            "trainer": Ref("gd", {"lr": 0.1}),
        },
        "parameters": {"dataset": {}, "model": {"bias": True}, "trainer": {"lr": 0.1}},
        "seed": 0,
        "settings": {"dtype": "float64", "budget": {"epochs": 5}},
        "probes": (Ref("loss"),),
        "provenance": {"data": "abc", "trainer:gd": "def"},
        "limits": Limits(seconds=10.0),
    }
    return Trial(**(values | changes))


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        ("picard", "picard", {}),
        (" anderson[memory=5, damping=.5] ", "anderson", {"memory": 5, "damping": 0.5}),
        ("anderson[memory=5,damping=0.5]", "anderson", {"memory": 5, "damping": 0.5}),
        (
            "implicit[solver=anderson[memory=3,ridge=1e-3]]",
            "implicit",
            {"solver": "anderson[memory=3,ridge=1e-3]"},
        ),
        ("openml[name='a, b']", "openml", {"name": "a, b"}),
        ("mlp[widths=[64, 32]]", "mlp", {"widths": [64, 32]}),
        ("mlp[bias=true]", "mlp", {"bias": True}),
    ],
)
def test_a_ref_is_read_from_the_command_line(text, name, parameters):
    assert Ref.parse(text) == Ref(name, parameters)


def test_a_ref_reads_what_it_writes():
    ref = Ref("implicit", {"tolerance": 1e-8, "solver": "anderson[memory=3]", "hidden": [1, 2]})
    assert Ref.parse(str(ref)) == ref


def test_a_ref_reads_its_table_form():
    assert Ref.of({"name": "anderson", "memory": 5}) == Ref("anderson", {"memory": 5})
    assert Ref.of(Ref("gd").to_json()) == Ref("gd")


@pytest.mark.parametrize("bad", ["anderson[memory=5", "anderson[memory]", "anderson[=5]"])
def test_a_malformed_ref_is_refused_with_what_to_write(bad):
    with pytest.raises(ConfigurationError, match=r"name\[key=value\]|key=value"):
        Ref.parse(bad)


@pytest.mark.parametrize("bad", [3, {"memory": 5}, None])
def test_what_is_no_component_is_refused(bad):
    with pytest.raises(ConfigurationError, match="is no component"):
        Ref.of(bad)


def test_splitting_minds_brackets_and_quotes():
    assert split_outside("a=[1, 2], b='x, y', c={d=1, e=2},") == [
        "a=[1, 2]",
        "b='x, y'",
        "c={d=1, e=2}",
    ]


def test_toml_values_are_typed_and_bare_words_are_strings():
    values = [toml_value(text) for text in ("1", "1e-3", "-.5", "true", '"x"', "x5")]
    assert values == [1, 1e-3, -0.5, True, "x", "x5"]


def test_canonical_json_refuses_what_json_cannot_say():
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"x": float("nan")})


def test_a_trial_survives_json_with_its_key():
    first = trial()
    again = Trial.from_json(first.to_json())
    assert again == first
    assert again.key == first.key


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"settings": {"dtype": "float32", "budget": {"epochs": 5}}},
        {"parameters": {"dataset": {}, "model": {"bias": True}, "trainer": {"lr": 0.2}}},
        {"provenance": {"data": "abc", "trainer:gd": "edited"}},
        {"probes": ()},
        {"experiment": "gradient"},
    ],
)
def test_whatever_can_change_a_result_changes_the_key(change):
    assert trial(**change).key != trial().key


def test_limits_and_suite_name_do_not_change_the_key():
    assert trial(limits=Limits(seconds=99.0, memory_bytes=1), suite="other").key == trial().key


def test_the_cell_is_the_same_whatever_code_it_rests_on():
    edited = trial(provenance={"data": "abc", "trainer:gd": "edited"})
    assert edited.cell == trial().cell
    assert edited.key != trial().key


def test_an_entry_is_named_as_the_suite_wrote_it():
    assert trial().entry == "linear | gd[lr=0.1]"
    assert trial().label == "wine | linear | gd[lr=0.1] | seed 0"

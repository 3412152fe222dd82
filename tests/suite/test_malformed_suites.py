import pytest
from malformed import BASE, CASES, EXPLICIT

from deqbench.errors import ConfigurationError, DeqbenchError, UnknownNameError
from deqbench.suites.suite import read_suite


@pytest.mark.parametrize("name", CASES)
def test_one_clear_mistake_is_named(name, registry, write):
    text, fragments = CASES[name]
    with pytest.raises(ConfigurationError) as caught:
        read_suite(write(text, head=""), registry)
    assert len(caught.value.mistakes) == 1, caught.value
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_all_mistakes_are_named_at_once_in_the_order_of_the_file(registry, write):
    text = (
        'dtype = "half"\n[budget]\nepochs = 0\n[[grid]]\nmodel = "lineer"\ncolour = "red"\n'
        '[[grid]]\nmodel = "linear"\ntrainer = "adam[lr=-1]"\nwhere = "x"\n'
    )
    with pytest.raises(ConfigurationError) as caught:
        read_suite(write(text, head=""), registry)
    places = [mistake.partition(":")[0] for mistake in caught.value.mistakes]
    assert places == [
        "line 1, dtype",
        "line 3, budget.epochs",
        "line 5, grid[0].model",
        "line 6, grid[0].colour",
        "line 9, grid[1].trainer",
        "line 10, grid[1].where",
    ]


def test_a_missing_file_offers_the_nearest_one(registry, write, tmp_path):
    write("")
    with pytest.raises(ConfigurationError, match=r"There is no file .*Did you mean 'some.toml'\?"):
        read_suite(str(tmp_path / "same.toml"), registry)


def test_a_folder_is_refused_and_its_suites_are_listed(registry, write, tmp_path):
    write("")
    with pytest.raises(ConfigurationError, match=r"is a folder; .* In it: some.toml"):
        read_suite(str(tmp_path), registry)


def test_a_file_that_is_not_utf8_is_refused_with_its_line(registry, tmp_path):
    path = tmp_path / "latin.toml"
    path.write_bytes(b'dtype = "float32"\ntitle = "caf\xe9"\n')
    with pytest.raises(ConfigurationError, match="not UTF-8 at line 2"):
        read_suite(str(path), registry)


def test_deep_nesting_is_refused(registry, write):
    with pytest.raises(ConfigurationError, match=r"nested too deeply|is no TOML"):
        read_suite(write("seeds = " + "[" * 5000 + "]" * 5000, head=""), registry)


def test_a_name_with_a_null_byte_is_refused(registry):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_suite("a\0.toml", registry)


def test_an_unknown_name_offers_the_nearest_suite(registry):
    with pytest.raises(UnknownNameError, match=r"Unknown suite 'shiped'.*'shipped'"):
        read_suite("shiped", registry)


def test_an_unknown_name_points_at_the_file_of_that_name(registry, write, tmp_path, monkeypatch):
    write("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownNameError, match=r"write \./some.toml"):
        read_suite("some", registry)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("budget.epochs=-5", "--set budget.epochs: -5"),
        ("budget.epoch=5", r"--set budget.epoch: .*Did you mean 'epochs'"),
        ("seeds=many", "--set seeds: 'many'"),
        ("defaults.trainer=adamm", r"--set defaults.trainer: .*Did you mean 'adam'"),
        ("budget.epochs", "'budget.epochs' sets nothing"),
        ("=3", "'=3' sets nothing"),
        ("dtype.x=3", "goes through a value that is no table"),
    ],
)
def test_a_wrong_override_is_named_as_such(option, message, registry, write):
    path = write('dtype = "float32"\n' + BASE + EXPLICIT, head="")
    with pytest.raises(DeqbenchError, match=message):
        read_suite(path, registry, [option])

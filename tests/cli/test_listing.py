import json

import pytest


def test_list_shows_every_kind_with_origins(call):
    code, out, _ = call("list")
    assert code == 0
    assert "anderson" in out
    assert "deqbench:solvers" in out
    assert [
        word for word in ("datasets", "models", "trainers", "suites") if f"\n{word}\n" not in f"\n{out}"
    ] == []


@pytest.mark.parametrize("kind", ["solvers", "solver"])
def test_list_of_one_kind_shows_that_kind_alone(kind, call):
    _, out, _ = call("list", kind)
    assert "anderson" in out
    assert "adam" not in out


def test_a_bare_file_is_listed_with_its_path(call, still):
    _, out, _ = call("list", "solvers", "--plugin", still)
    (line,) = [line for line in out.splitlines() if "still " in line]
    assert line.split() == ["still", "Stays", "where", "it", "is.", str(still)]


def test_the_environment_variable_serves_like_the_option(call, still, monkeypatch):
    monkeypatch.setenv("DEQBENCH_PLUGIN_PATH", str(still))
    assert "Stays where it is." in call("list", "solvers")[1]


def test_a_broken_plugin_is_a_line_with_its_error(call, plugin):
    path = plugin("import no_such_module_anywhere\n", "bad.py")
    code, out, _ = call("list", "--plugin", path)
    assert code == 0
    assert "broken plugins" in out
    assert f"{path}  ModuleNotFoundError: No module named 'no_such_module_anywhere'" in out
    assert "anderson" in out


def test_a_clash_is_a_line_that_names_both_origins(call, plugin):
    source = """
    from deqbench.plugin import Entry, hookimpl

    @hookimpl
    def deqbench_solvers(): return [Entry("anderson", int)]
    """
    path = plugin(source)
    _, out, _ = call("list", "--plugin", path)
    assert f"The solver 'anderson' is offered by deqbench:solvers and {path}." in out


def test_what_lacks_a_package_says_what_to_install(call, plugin):
    source = """
    from deqbench.plugin import Entry, hookimpl

    @hookimpl
    def deqbench_solvers():
        return [Entry("far", "a:B", "Far away", requires=("no_such_module_anywhere",), extra="far")]
    """
    path = plugin(source)
    _, out, _ = call("list", "solvers", "--plugin", path)
    assert "[needs no_such_module_anywhere; install deqbench[far]] Far away" in out
    code, out, _ = call("show", "far", "--plugin", path)
    assert code == 0
    assert "Unavailable: needs no_such_module_anywhere; install deqbench[far]." in out


def test_a_plugin_left_out_is_not_listed(call):
    assert "anderson" not in call("list", "--no-plugin", "deqbench:solvers")[1]


def test_list_as_json_is_all_of_it(call, still):
    code, out, err = call("list", "--json", "--plugin", still)
    listed = json.loads(out)
    assert (code, err) == (0, "")
    assert {"components", "broken", "clashes"} == set(listed)
    (found,) = [one for one in listed["components"] if one["name"] == "still"]
    assert found["origin"] == str(still)
    assert found["missing"] == []


def test_suites_shows_titles_and_what_they_compare(call):
    _, out, _ = call("suites")
    assert "quickstart" in out
    assert "dataset: digits" in out
    assert "trust-region-newton" in out


def test_suites_as_json(call):
    rows = {row["name"]: row for row in json.loads(call("suites", "--json")[1])}
    assert rows["smoke"]["seeds"] == [0]
    assert rows["smoke"]["axes"]["dataset"] == ["wine"]


def test_a_suite_that_cannot_be_read_is_still_listed(call, plugin, tmp_path):
    (tmp_path / "torn.toml").write_text("title = ")
    source = """
    from pathlib import Path
    from deqbench.plugin import hookimpl, suite_entries

    @hookimpl
    def deqbench_suites(): return suite_entries(Path(__file__).parent)
    """
    code, out, _ = call("suites", "--plugin", plugin(source))
    assert code == 0
    assert "torn  cannot be read: Invalid value" in out
    assert "quickstart" in out


def test_show_tells_what_where_and_how(call, still):
    code, out, _ = call("show", "still", "--plugin", still)
    assert code == 0
    assert "And says more about it here." in out
    (line,) = [line for line in out.splitlines() if line.lstrip().startswith("weight")]
    assert line.split() == ["weight", "number", ">", "0", "2.0", "How", "still."]
    assert f"Origin: {still}" in out
    assert 'In a suite: solver = { name = "still", weight = 2.0 }' in out


@pytest.mark.parametrize("name", ["solvers/still", "solver/still", "still"])
def test_show_takes_a_name_or_kind_and_name(name, call, still):
    assert call("show", name, "--plugin", still)[1].startswith("still (solver)")


def test_show_as_json(call, still):
    shown = json.loads(call("show", "still", "--json", "--plugin", still)[1])
    (parameter,) = shown["parameters"]
    assert parameter == {
        "name": "weight",
        "type": "number > 0",
        "default": 2.0,
        "required": False,
        "description": "How still.",
        "kind": None,
    }
    assert shown["documentation"].startswith("Stays where it is.")


def test_show_of_a_suite_says_how_to_run_it(call):
    assert "Run it: deqbench run smoke" in call("show", "smoke")[1]

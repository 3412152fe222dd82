import os

import pytest

from deqbench.discovery.registry import PluginSources, Registry, sources_from
from deqbench.errors import ConfigurationError, UnknownNameError

HEAD = "from deqbench.plugin import Entry, hookimpl\n"

FAULTS = {
    "syntax": ("def broken(:\n", "SyntaxError"),
    "missing module": ("import no_such_module_anywhere\n", "ModuleNotFoundError"),
    "exit": ("import sys\nsys.exit('no')\n", "SystemExit: no"),
    "misspelt hook": (
        HEAD + "@hookimpl\ndef deqbench_solver(): return []\n",
        "deqbench_solver is no hook; did you mean deqbench_solvers?",
    ),
    "misspelt and unmarked hook": (
        "def deqbench_modles(): return []\n",
        "deqbench_modles is no hook; did you mean deqbench_models?",
    ),
    "marked function that is no hook": (
        HEAD + "@hookimpl\ndef solvers(): return []\n",
        "solvers is no hook; did you mean deqbench_solvers?",
    ),
    "unmarked hook": ("def deqbench_solvers(): return []\n", "deqbench_solvers is not marked as a hook"),
    "hook with an argument": (HEAD + "@hookimpl\ndef deqbench_solvers(extra): return []\n", "extra"),
    "hook that raises": (HEAD + "@hookimpl\ndef deqbench_solvers(): return 1 / 0\n", "ZeroDivisionError"),
    "hook that returns a number": (
        HEAD + "@hookimpl\ndef deqbench_solvers(): return 3\n",
        "deqbench_solvers returned 3; return a list of Entry",
    ),
    "hook that returns text": (HEAD + "@hookimpl\ndef deqbench_solvers(): return 'x'\n", "returned 'x'"),
    "no entry": (HEAD + "@hookimpl\ndef deqbench_solvers(): return [int]\n", "which is no Entry"),
    "bad name": (
        HEAD + "@hookimpl\ndef deqbench_solvers(): return [Entry('My_Solver', int)]\n",
        "offers the name 'My_Solver'; use lower case, digits and single dashes",
    ),
    "bad target": (
        HEAD + "@hookimpl\ndef deqbench_solvers(): return [Entry('x', 'no colon')]\n",
        "is not of the form 'module:Class'",
    ),
    "twice": (
        HEAD + "@hookimpl\ndef deqbench_solvers(): return [Entry('x', int), Entry('x', str)]\n",
        "deqbench_solvers offers 'x' twice",
    ),
}


@pytest.mark.parametrize(("source", "error"), FAULTS.values(), ids=FAULTS)
def test_a_broken_plugin_is_one_line_and_the_next_one_still_loads(
    source, error, write, registry_of, solver_source
):
    registry = registry_of(write("bad.py", source), write("good.py", solver_source(name="still")))
    assert registry.names("solvers") == ["still"]
    (broken,) = registry.broken
    assert error in broken.error
    assert "\n" not in broken.error
    assert broken.origin.name.endswith("bad.py")


def test_ctrl_c_while_loading_is_not_swallowed(write, registry_of):
    with pytest.raises(KeyboardInterrupt):
        registry_of(write("slow.py", "raise KeyboardInterrupt\n"))


def test_every_built_in_is_found_through_our_own_entry_points():
    registry = Registry.load()
    assert registry.broken == ()
    assert {"anderson", "direct"} <= set(registry.names("solvers"))
    assert registry.find("models", "deq-linear").origin.name == "deqbench:models"
    assert "quickstart" in registry.names("suites")


def test_two_distributions_may_use_the_same_entry_point_name(installed):
    installed("first-plugin", "mine", "first_plugin_module", solver="one")
    installed("second-plugin", "mine", "second_plugin_module", solver="two")
    registry = Registry.load()
    assert registry.find("solvers", "one").origin.name == "first-plugin:mine"
    assert registry.find("solvers", "two").origin.name == "second-plugin:mine"


def test_a_folder_brings_every_public_file_and_their_neighbours_can_be_imported(
    write, registry_of, solver_source
):
    write("folder/shared_name_for_test.py", "NAME = 'shared'\n")
    write("folder/_private.py", "raise RuntimeError\n")
    write("folder/first.py", "from shared_name_for_test import NAME\n" + solver_source(name="one"))
    folder = write("folder/second.py", solver_source(name="two")).parent
    registry = registry_of(folder)
    assert registry.broken == ()
    assert registry.names("solvers") == ["one", "two"]


def test_a_package_is_one_plugin_and_its_relative_imports_work(write, registry_of, solver_source):
    write("package_of_test/inner.py", "NAME = 'inner'\n")
    source = "from .inner import NAME\n" + solver_source(name="one")
    registry = registry_of(write("package_of_test/__init__.py", source).parent)
    assert registry.broken == ()
    assert registry.names("solvers") == ["one"]


def test_a_file_named_like_a_standard_module_replaces_nobody(write, registry_of, solver_source):
    import random

    registry = registry_of(write("random.py", solver_source(name="one")))
    assert registry.names("solvers") == ["one"]
    assert __import__("random") is random


@pytest.mark.parametrize("name", ["absent.py", "empty"])
def test_a_path_without_python_files_is_a_mistake(name, tmp_path, registry_of):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match=name):
        registry_of(tmp_path / name)


def test_the_environment_adds_paths_after_those_of_the_command_line(monkeypatch, tmp_path):
    one, two = str(tmp_path / "one.py"), str(tmp_path / "two.py")
    monkeypatch.setenv("DEQBENCH_PLUGIN_PATH", os.pathsep.join([two, one, ""]))
    assert sources_from([one]).paths == (one, two)


@pytest.mark.parametrize("name", ["first-plugin:mine", "first-plugin", "mine"])
def test_a_plugin_is_left_out_by_any_of_its_names(name, installed):
    installed("first-plugin", "mine", "first_plugin_module", solver="one")
    assert "one" not in Registry.load(PluginSources(without=(name,))).names("solvers")


def test_a_broken_plugin_can_be_left_out(write, registry_of):
    assert registry_of(write("bad.py", "import no_such_module_anywhere\n"), without=["bad"]).broken == ()


def test_leaving_out_nobody_is_a_mistake_that_names_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'solvers'"):
        Registry.load(PluginSources(without=("solver",)))


def test_sources_survive_json():
    sources = PluginSources(("a.py",), ("b",), entry_points=False)
    assert PluginSources.from_json(sources.to_json()) == sources

import dataclasses

import pytest

from deqbench.discovery.registry import PluginSources, Registry
from deqbench.errors import ConfigurationError, PluginError, UnknownNameError
from deqbench.trials import Ref

COMPONENTS = '''
from __future__ import annotations
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from pydantic import Field
from deqbench.plugin import Component, Entry, hookimpl
if TYPE_CHECKING:
    from deqbench.interfaces import Solver

@dataclass(frozen=True)
class Mixing:
    """Mixes."""
    memory: Annotated[int, Field(ge=1, description="Past iterates.")] = 5

@dataclass(frozen=True)
class Adjoint:
    """Solves the adjoint equation."""
    solver: Annotated[Solver | None, Component("solvers")] = None

@hookimpl
def deqbench_solvers():
    return [
        Entry("mixing", Mixing),
        Entry("gone", "no_such_module_anywhere:Gone"),
        Entry("extra", Mixing, requires=("no_such_module_anywhere",), extra="more"),
    ]

@hookimpl
def deqbench_gradients():
    return [Entry("adjoint", Adjoint)]
'''


@pytest.fixture
def registry(write, registry_of):
    return registry_of(write("components.py", COMPONENTS))


def test_an_unknown_name_gets_the_nearest_one(registry):
    with pytest.raises(UnknownNameError) as caught:
        registry.find("solvers", "mixin")
    assert str(caught.value) == "Unknown solver 'mixin'. Did you mean 'mixing'? See 'deqbench list solvers'."


def test_a_name_of_another_kind_is_told(registry):
    with pytest.raises(UnknownNameError, match="There is a gradient of that name"):
        registry.find("solvers", "adjoint")


def test_an_unknown_name_mentions_broken_plugins(write, registry_of):
    registry = registry_of(write("bad.py", "import no_such_module_anywhere\n"))
    with pytest.raises(UnknownNameError, match=r"bad\.py \(ModuleNotFoundError"):
        registry.find("solvers", "mixing")


def test_a_missing_extra_says_what_to_install(registry):
    with pytest.raises(PluginError, match=r"needs no_such_module_anywhere; install deqbench\[more\]"):
        registry.find("solvers", "extra")


def test_a_failing_import_names_the_component_and_its_error(registry):
    with pytest.raises(
        PluginError, match=r"'gone' of .*components\.py cannot be imported: ModuleNotFoundError"
    ):
        registry.target("solvers", "gone")


def test_a_clash_stops_only_who_uses_it_and_names_both_origins(installed):
    installed("first-plugin", "one", "first_plugin_module", solver="still")
    installed("second-plugin", "two", "second_plugin_module", solver="still")
    registry = Registry.load()
    assert registry.find("solvers", "anderson").origin.distribution == "deqbench"
    ((first, second),) = registry.clashes
    assert (first.origin.name, second.origin.name) == ("first-plugin:one", "second-plugin:two")
    with pytest.raises(PluginError, match="first-plugin:one and second-plugin:two"):
        registry.find("solvers", "still")


def test_resolving_fills_defaults_of_nested_components(registry):
    assert registry.resolve("solvers", Ref("mixing")) == {"memory": 5}
    assert registry.resolve("gradients", Ref("adjoint")) == {"solver": None}
    nested = registry.resolve("gradients", Ref.parse("adjoint[solver=mixing]"))
    assert nested == {"solver": {"name": "mixing", "memory": 5}}


def test_what_was_resolved_builds_the_same_component(registry):
    built = registry.build("gradients", Ref.parse("adjoint[solver=mixing[memory=3]]"))
    assert built.solver.memory == 3
    resolved = registry.resolve("gradients", Ref.parse("adjoint[solver=mixing[memory=3]]"))
    assert registry.build("gradients", Ref("adjoint", resolved)) == built


def test_mistakes_in_nested_components_say_whose_they_are(registry):
    with pytest.raises(ConfigurationError) as caught:
        registry.resolve("gradients", Ref.parse("adjoint[solver=mixing[memory=0, memry=1], tol=1]"))
    assert caught.value.mistakes == (
        "The gradient 'adjoint' has no parameter 'tol'. It has: solver.",
        (
            "'solver' of gradient 'adjoint': The solver 'mixing' has no parameter 'memry'. "
            "Did you mean 'memory'? It has: memory."
        ),
        "'solver' of gradient 'adjoint': 'memory' of solver 'mixing' is 0, but must be integer >= 1.",
    )


def test_an_unknown_nested_component_is_one_of_the_mistakes(registry):
    with pytest.raises(ConfigurationError, match=r"Unknown solver 'mixin'\. Did you mean 'mixing'"):
        registry.resolve("gradients", Ref.parse("adjoint[solver=mixin]"))


def test_the_digest_of_a_component_follows_its_helpers(write, registry_of):
    helper = write("helper_of_digest_test.py", "STEP = 1\n")
    registry = registry_of(write("component.py", COMPONENTS + "\nimport helper_of_digest_test\n"))
    before = registry.digest("solvers", "mixing")
    assert registry.digest("solvers", "mixing") == before
    helper.write_text("STEP = 2\n")
    assert registry.digest("solvers", "mixing") != before


def test_another_version_of_the_distribution_is_another_digest(installed):
    installed("first-plugin", "one", "first_plugin_module")
    offer = Registry.load().find("solvers", "still")
    newer = dataclasses.replace(offer, origin=dataclasses.replace(offer.origin, version="2.0"))
    digests = [Registry(PluginSources(), [one]).digest("solvers", "still") for one in (offer, offer, newer)]
    assert digests[0] == digests[1] != digests[2]


def test_two_objects_of_one_plugin_share_its_source(write, registry_of):
    registry = registry_of(write("components.py", COMPONENTS))
    assert list(registry.source_digests("solvers", "mixing")) == ["components"]


@pytest.mark.parametrize("change", ["one", "two"])
def test_a_table_made_by_a_library_rests_on_its_loaders_file(change, write, registry_of):
    source = """
    from deqbench.plugin import hookimpl
    from deqbench_plugins.datasets.tabular import tabular

    @hookimpl
    def deqbench_datasets(): return [tabular("mine", lambda: CHANGE, "regression")]
    """
    path = write("table.py", source.replace("CHANGE", change))
    found = registry_of(path).source_digests("datasets", "mine")
    assert {"table", "deqbench_plugins.datasets.tabular"} <= set(found)

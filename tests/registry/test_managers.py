"""A pluggy manager is used again: nothing of one plugin is left for the next."""

from __future__ import annotations

import pytest

from deqbench.discovery.hook_checks import entries_of
from deqbench.errors import PluginError
from deqbench.plugin import Entry, hookimpl


class One:
    @hookimpl
    def deqbench_solvers(self):
        return [Entry("one", "one:One")]


class Other:
    @hookimpl
    def deqbench_models(self):
        return [Entry("other", "other:Other")]


class Raising:
    @hookimpl
    def deqbench_solvers(self):
        raise PluginError("no")


class Loading:
    @hookimpl
    def deqbench_solvers(self):
        assert [entry.name for _, entry in entries_of(One())] == ["one"]
        return [Entry("loading", "loading:Loading")]


def names(plugin):
    return [(kind, entry.name) for kind, entry in entries_of(plugin)]


def test_a_plugin_offers_nothing_of_the_one_before():
    assert names(One()) == [("solvers", "one")]
    assert names(Other()) == [("models", "other")]


def test_a_plugin_offers_nothing_of_one_that_failed():
    with pytest.raises(PluginError, match="no"):
        names(Raising())
    assert names(Other()) == [("models", "other")]


def test_a_plugin_whose_hook_has_others_loaded_offers_its_own_alone():
    assert names(Loading()) == [("solvers", "loading")]

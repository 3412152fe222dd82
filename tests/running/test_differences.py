from __future__ import annotations

from deqbench.running.differences import changed_files, differences, differing


def test_only_leaves_that_differ_are_named():
    old = {"seed": 0, "settings": {"budget": {"epochs": 2, "steps": None}}}
    new = {"seed": 1, "settings": {"budget": {"epochs": 2, "steps": 9}}}
    assert differing(old, new) == {"seed": (0, 1), "settings.budget.steps": (None, 9)}


def test_a_part_only_one_side_has_counts_as_a_difference():
    assert differing({}, {"a": None}) == {"a": (None, None)}


def test_the_experiments_own_code_is_called_what_it_is():
    said = differences({"provenance": {"experiment": "a"}}, {"provenance": {"experiment": "b"}})
    (sentence,) = said
    assert sentence.startswith("deqbench's own measuring code changed")


def test_a_component_that_joins_is_said_to():
    said = differences({"provenance": {}}, {"provenance": {"solver:anderson": "b"}})
    assert said == ["solver anderson: now part of the trial"]


def test_edited_added_and_vanished_files_are_told_apart():
    assert changed_files({"a": "1", "b": "1", "c": "1"}, {"b": "2", "c": "1", "d": "1"}) == [
        "a gone",
        "b edited",
        "d added",
    ]

from __future__ import annotations

import pytest

from deqbench.comparing.merging import merge
from deqbench.errors import IncomparableError
from deqbench.telling.loading import load
from deqbench.telling.tables import summary


def merged(made, **facts):
    return merge({"a": load(made("a", entries=("linear", "mlp"))), "b": load(made("b", **facts))})


def test_entries_of_both_runs_stand_side_by_side(made):
    table = summary(merged(made, entries=("deq-linear",)))
    assert set(zip(table["dataset"], table["label"], strict=True)) == {
        (dataset, f"{entry}/adam")
        for dataset in ("digits", "wine")
        for entry in ("linear", "mlp", "deq-linear")
    }


def test_more_seeds_of_the_same_entries_are_more_trials(made):
    table = summary(merged(made, entries=("linear", "mlp"), seeds=(3, 4)))
    assert table["n"].tolist() == [5, 5, 5, 5]


def test_a_trial_in_both_is_one_trial_and_the_later_record_stands(made):
    both = merged(made, entries=("linear",), slower=3.0)
    assert both.trials["key"].is_unique
    linear = both.trials[both.trials["model"] == "linear"]
    assert linear["train_seconds"].min() == 6.0
    counted = both.curves[both.curves["key"] == linear["key"].iloc[0]]
    assert len(counted) == 6


def test_curves_of_every_trial_are_kept(made):
    both = merged(made, entries=("deq-linear",))
    assert set(both.curves["key"]) == set(both.trials["key"])


def test_the_merged_run_says_where_it_comes_from(made):
    both = merged(made, entries=("deq-linear",))
    assert both.suite["name"] == "a+b"
    assert both.run["command"] == "deqbench run made && deqbench run made"
    assert "differences" not in both.environment


def test_another_machine_is_noted_in_the_environment(made):
    other = {"cpu": {"model": "two", "usable": 2}, "gpus": [], "versions": {"torch": "2.13.0"}}
    both = merged(made, entries=("deq-linear",), environment=other)
    assert both.environment["differences"] == ["a and b: cpu.model is one in one and two in the other"]


def test_runs_on_other_data_are_refused_with_a_sentence(made):
    with pytest.raises(IncomparableError, match="the data of 'digits' differ") as refused:
        merged(made, entries=("deq-linear",), data="d2")
    assert refused.value.exit_code == 7


def test_the_same_entry_from_other_code_is_refused(made):
    with pytest.raises(IncomparableError, match="computed by different code"):
        merged(made, entries=("linear",), code="c2")


def test_one_run_alone_is_itself(made):
    one = load(made("a"))
    assert merge({"a": one}) is one

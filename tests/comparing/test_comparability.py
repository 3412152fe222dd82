from __future__ import annotations

from deqbench.comparing.comparability import conflicts, environment_differences, machine_bound
from deqbench.telling.loading import load

NAMES = ("A", "B")


def said(made, **facts):
    return conflicts(load(made("a")), load(made("b", **facts)), NAMES)


def test_a_run_does_not_conflict_with_itself(made):
    assert said(made) == []


def test_other_code_is_no_conflict(made):
    assert said(made, code="c2") == []


def test_other_data_are_named_with_both_fingerprints(made):
    [first, second] = said(made, data="d2")
    assert "the data of 'digits' differ under seeds 0, 1, 2" in first
    assert "d1-digits-0 in A, d2-digits-0 in B" in first
    assert "'wine'" in second


def test_another_budget_is_named(made):
    [sentence] = said(made, epochs=6.0)
    assert "budget.epochs" in sentence
    assert "5.0 in A and 6.0 in B" in sentence


def test_another_experiment_is_named_alone(made):
    assert said(made, experiment="equilibrium") == ["the experiment is training in A and equilibrium in B"]


def test_data_under_seeds_that_one_run_lacks_are_not_compared(made):
    assert said(made, seeds=(7,), data="d2") == []


def test_another_processor_is_no_conflict_but_is_told(made):
    other = {"cpu": {"model": "two", "usable": 2}, "gpus": [], "versions": {"torch": "2.13.0"}}
    first, second = load(made("a")), load(made("b", environment=other))
    assert conflicts(first, second, NAMES) == []
    assert environment_differences(first, second) == ["cpu.model is one in one and two in the other"]


def test_times_and_memory_depend_on_the_machine_and_counts_do_not():
    assert machine_bound("train_seconds")
    assert machine_bound("peak_bytes")
    assert not machine_bound("map_calls")
    assert not machine_bound("test_accuracy")

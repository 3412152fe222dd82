from __future__ import annotations

import dataclasses

from deqbench.telling.naming import entry_names, flat, short_labels


def test_labels_drop_parameters_that_tell_nothing_apart():
    entries = ["deq | anderson[memory=5] | implicit | adam[lr=0.01]", "linear | adam[lr=0.01]"]
    assert list(short_labels(entries).values()) == ["deq/anderson/implicit/adam", "linear/adam"]


def test_labels_keep_the_parameters_that_tell_entries_apart():
    entries = ["linear | adam[lr=0.01]", "linear | adam[lr=0.1]", "mlp | adam[lr=0.1]"]
    assert list(short_labels(entries).values()) == ["linear/adam[lr=0.01]", "linear/adam[lr=0.1]", "mlp/adam"]


def test_labels_of_distinct_entries_are_distinct(fake):
    entries = {fake.trial(entry).entry for entry in fake.ENTRIES}
    assert len(set(short_labels(sorted(entries)).values())) == len(entries) == 14


def test_a_bar_inside_a_parameter_separates_nothing():
    (label,) = short_labels(["m[kind='a|b'] | adam"]).values()
    assert label == "m/adam"


def test_the_same_entry_under_two_settings_is_two_entries(fake):
    single = fake.trial(fake.ENTRIES[6])
    double = dataclasses.replace(single, settings={**single.settings, "dtype": "float64"})
    names = entry_names([single, double])
    assert names == [f"{single.entry} | dtype=float32", f"{single.entry} | dtype=float64"]


def test_seeds_of_one_entry_share_its_name(fake):
    trials = [fake.trial(fake.ENTRIES[0], seed=seed) for seed in range(3)]
    assert entry_names(trials) == [trials[0].entry] * 3


def test_a_nested_component_is_flattened_under_its_parameter():
    nested = {"solver": {"name": "anderson", "memory": 5}, "betas": [0.9, 0.99]}
    assert flat(nested, "gradient.") == {
        "gradient.solver": "anderson",
        "gradient.solver.memory": 5,
        "gradient.betas": "[0.9, 0.99]",
    }

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from deqbench.telling.attaining import attained_by
from deqbench.telling.equal_budgets import (
    at_equal_cost,
    equal_sizes,
    parameters_of,
    value_at,
    with_operations,
)
from deqbench.telling.questions import leads
from deqbench.telling.tables import Frames

# label, seed, status, updates, operations, (seconds, step, accuracy) of each evaluation
TRIALS = [
    ("fast", 0, "ok", 10, 100.0, [(0.0, 0, 0.1), (1.0, 5, 0.6), (2.0, 10, 0.7)]),
    ("fast", 1, "ok", 10, 100.0, [(0.0, 0, 0.1), (1.0, 5, 0.5), (2.5, 10, 0.8)]),
    ("slow", 0, "ok", 10, 1000.0, [(0.0, 0, 0.2), (1.9, 1, 0.3), (2.1, 2, 0.9), (9.0, 10, 0.95)]),
    ("slow", 1, "ok", 10, 1000.0, [(0.0, 0, 0.2), (2.0, 1, 0.4), (9.0, 10, 0.95)]),
    ("broken", 0, "diverged", 10, 100.0, [(0.0, 0, 0.1), (0.5, 9, 0.99)]),
    ("broken", 1, "ok", 10, 200.0, [(0.0, 0, 0.1), (3.0, 10, 0.5)]),
]


def made(trials=TRIALS):
    table = pd.DataFrame(
        {
            "key": [f"{label}-{seed}" for label, seed, *_ in trials],
            "dataset": "d",
            "entry": [one[0] for one in trials],
            "label": [one[0] for one in trials],
            "model": [one[0] for one in trials],
            "seed": [one[1] for one in trials],
            "status": [one[2] for one in trials],
            "steps": [one[3] for one in trials],
            "operations": [one[4] for one in trials],
            "parameters": 100,
            "test_accuracy": [one[5][-1][2] for one in trials],
        }
    )
    points = [
        (f"{label}-{seed}", "d", label, label, seed, step, 0.0, seconds, "test_accuracy", value)
        for label, seed, _, _, _, curve in trials
        for seconds, step, value in curve
    ]
    columns = ["key", "dataset", "entry", "label", "seed", "step", "epoch", "seconds", "name", "value"]
    return Frames(table, pd.DataFrame(points, columns=columns), {"experiment": "training"}, {}, {})


def test_the_common_budget_is_the_smallest_of_all_successful_trials():
    frames = made()
    found = at_equal_cost(frames, with_operations(frames), "d", "seconds")
    assert found.budget == 2.0


def test_the_last_value_before_the_budget_is_carried_forward_and_none_is_invented():
    frames = made()
    one = at_equal_cost(frames, with_operations(frames), "d", "seconds").contest
    places, values = one.sides.trials["slow"]
    assert values.tolist() == [0.3, 0.4]
    assert one.sides.trials["fast"][1].tolist() == [0.7, 0.5]
    assert places.tolist() == [0, 1]


def test_a_trial_that_failed_has_failed_at_every_budget():
    frames = made()
    one = at_equal_cost(frames, with_operations(frames), "d", "seconds").contest
    values = one.sides.trials["broken"][1]
    assert math.isnan(values[0])
    assert values[1] == 0.1
    assert one.order[0] == "fast"


def test_operations_are_spread_evenly_over_the_updates():
    frames = made()
    curves = with_operations(frames)
    assert curves.loc[curves["key"] == "slow-0", "operations"].tolist() == [0.0, 100.0, 200.0, 1000.0]
    found = at_equal_cost(frames, curves, "d", "operations")
    assert found.budget == 100.0
    assert found.contest.sides.trials["slow"][1].tolist() == [0.3, 0.4]
    assert found.contest.sides.trials["fast"][1].tolist() == [0.7, 0.8]


def test_operations_read_from_categories_are_the_same():
    frames = made()
    curves = frames.curves.assign(key=frames.curves["key"].astype("category"))
    same = with_operations(replace(frames, curves=curves))
    assert same["operations"].tolist() == with_operations(frames)["operations"].tolist()


def test_an_entry_whose_operations_nobody_counted_is_left_out_and_named():
    trials = [(*one[:4], np.nan if one[0] == "fast" else one[4], one[5]) for one in TRIALS]
    frames = made(trials)
    found = at_equal_cost(frames, with_operations(frames), "d", "operations")
    assert found.left_out == ("fast",)
    assert set(found.contest.medians) == {"slow", "broken"}
    told = [one for one in leads(frames) if one.axis == "operations"]
    assert [one.left_out for one in told] == [("fast",)]


def test_a_metric_without_a_curve_is_not_read_at_equal_cost():
    frames = made()
    bare = replace(frames, curves=frames.curves.iloc[:0])
    assert at_equal_cost(bare, with_operations(bare), "d", "seconds") is None


def test_a_value_is_read_at_the_budget_itself():
    curves = pd.DataFrame({"key": ["a"] * 3, "seconds": [0.0, 1.0, 2.0], "value": [5.0, np.nan, 3.0]})
    assert value_at(curves, "seconds", 1.5).tolist() == [5.0]
    assert value_at(curves, "seconds", 2.0).tolist() == [3.0]


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [
        ({"a": 98, "b": 102, "c": 200}, [("a", "b")]),
        ({"a": 97, "b": 102}, []),
        ({"z": 10, "y": 10, "x": 500, "w": 510, "v": 520}, [("x", "w", "v"), ("z", "y")]),
        ({}, []),
    ],
)
def test_sizes_within_two_percent_of_a_common_middle_are_equal(sizes, groups):
    assert equal_sizes(sizes) == groups


def test_parameters_are_those_that_were_counted(frames):
    sizes = parameters_of(frames, "digits")
    assert sizes["mlp/adam"] == 4810
    assert len(sizes) == 14


def test_all_of_one_size_are_not_asked_twice():
    assert not [one for one in leads(made()) if one.axis == "parameters"]


def test_targets_are_attained_by_the_clock_that_is_read():
    frames = made()
    (seconds,), (updates,) = attained_by(frames, "seconds"), attained_by(frames, "updates")
    assert seconds.common == 2.0
    assert updates.common == 10.0
    failed = seconds.times[seconds.times["key"] == "broken-0"]
    assert failed["failed"].all()
    assert len(failed) == len(seconds.targets)
    (operations,) = attained_by(frames, "operations")
    assert operations.common == 100.0

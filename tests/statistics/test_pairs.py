from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from deqbench.statistics.paired import Layout, Measure, paired_differences

inf, nan = math.inf, math.nan
LOSS = Measure("loss", higher_is_better=False)
ACCURACY = Measure("accuracy", higher_is_better=True)
CALLS = Measure("calls", higher_is_better=False, kind="ratio")


def trials(measure, **entries):
    """One data set; a status in place of a number is a trial that failed."""
    rows = [
        {"dataset": "wine", "entry": entry, "seed": seed}
        | (
            {"status": value, measure.name: nan}
            if isinstance(value, str)
            else {"status": "ok", measure.name: value}
        )
        for entry, values in entries.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def pair(measure, first, second):
    table = paired_differences(trials(measure, a=first, b=second), "a", "b", measure)
    return table["difference"].tolist(), table["state"].tolist()


def test_seeds_are_paired_whatever_the_order_of_the_rows():
    frame = trials(LOSS, a=[1.0, 2.0, 3.0], b=[0.5, 2.5, 1.0])
    table = paired_differences(frame.sample(frac=1, random_state=2), "a", "b", LOSS)
    assert table[["seed", "first", "second", "difference"]].to_numpy().tolist() == [
        [0, 1.0, 0.5, 0.5],
        [1, 2.0, 2.5, -0.5],
        [2, 3.0, 1.0, 2.0],
    ]


@pytest.mark.parametrize(("measure", "bad"), [(LOSS, inf), (ACCURACY, -inf)])
def test_a_failure_is_a_loss_beyond_every_number(measure, bad):
    differences, states = pair(measure, [1.0, "timeout", 3.0], [1.0, 1.0, "error"])
    assert differences == [0.0, bad, -bad]
    assert states == ["complete", "first failed", "second failed"]


def test_two_failures_are_a_tie():
    assert pair(LOSS, ["diverged"], ["timeout"]) == ([0.0], ["both failed"])


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_an_ok_trial_without_a_finite_value_has_failed(value):
    assert pair(LOSS, [value], [1.0]) == ([inf], ["first failed"])


def test_a_pair_that_was_not_run_on_both_sides_is_no_pair():
    frame = trials(LOSS, a=[1.0, 2.0, "pending"], b=[1.0])
    assert len(paired_differences(frame, "a", "b", LOSS)) == 1


def test_a_ratio_is_a_difference_of_logarithms():
    differences, _ = pair(CALLS, [20.0, 5.0, "timeout"], [10.0, 10.0, 10.0])
    assert differences == pytest.approx([math.log(2), -math.log(2), inf])


@pytest.mark.parametrize("measure", [LOSS, ACCURACY, CALLS])
def test_the_other_way_round_the_differences_change_their_sign(measure):
    one, two = [1.0, "timeout", 3.0, "error"], [2.0, 1.0, "error", "killed"]
    assert pair(measure, one, two)[0] == [-value for value in pair(measure, two, one)[0]]


def test_a_ratio_to_nothing_is_refused():
    with pytest.raises(ValueError, match="values > 0"):
        pair(CALLS, [0.0], [10.0])


def test_two_trials_of_an_entry_in_one_unit_are_refused():
    frame = trials(LOSS, a=[1.0], b=[1.0])
    with pytest.raises(ValueError, match="a has several trials of dataset wine, seed 0"):
        paired_differences(pd.concat([frame, frame.query("entry == 'a'")]), "a", "b", LOSS)


def test_what_counts_as_a_result_can_be_told():
    frame = trials(LOSS, a=[1.0], b=[2.0]).assign(status=["not_converged", "ok"])
    assert paired_differences(frame, "a", "b", LOSS)["state"].item() == "first failed"
    lenient = paired_differences(frame, "a", "b", LOSS, Layout(counted=("ok", "not_converged")))
    assert lenient["difference"].item() == -1.0


def test_the_columns_can_be_told():
    frame = pd.DataFrame({"who": ["a", "b"], "map": "m", "draw": 3, "status": "ok", "loss": [1, 4]})
    table = paired_differences(frame, "a", "b", LOSS, Layout(entry="who", unit=("map", "draw")))
    assert table[["map", "draw", "difference"]].iloc[0].tolist() == ["m", 3, -3.0]


def test_nullable_integers_are_numbers_too():
    frame = trials(LOSS, a=[1.0], b=[4.0])
    frame["loss"] = pd.array([1, 4], dtype="Int64")
    assert paired_differences(frame, "a", "b", LOSS)["difference"].tolist() == [-3.0]


def test_two_that_never_met_have_an_empty_table():
    frame = trials(LOSS, a=[1.0], b=[1.0]).assign(dataset=["x", "y"])
    table = paired_differences(frame, "a", "b", LOSS)
    assert table.empty
    assert table["difference"].dtype == np.float64

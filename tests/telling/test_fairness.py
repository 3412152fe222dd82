"""The fairness panel: medians as the summary has them, ratios to the best, and what is matched."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from deqbench.telling.fairness import TUNED, WORK, mark, matched, spent, widest
from deqbench.telling.loading import load
from deqbench.telling.report.content import content_of
from deqbench.telling.report.sections import Story, fairness
from deqbench.telling.tables import summary

BEST = "deq-linear/anderson/implicit/adam"


@pytest.fixture(scope="module")
def panel(frames):
    return fairness.build(Story(frames, content_of(frames)))


def cells(table, label):
    row = next(row for row in table.rows if row[0] == label)
    return dict(zip(table.head[1:], row[2], strict=True))


@pytest.mark.parametrize("name", ["parameters", "train_seconds", "peak_bytes", "steps"])
def test_medians_are_those_of_the_summary(frames, name):
    told = spent(frames).medians[name].droplevel("dataset")
    expected = summary(frames).set_index("label")[name]
    pd.testing.assert_series_equal(told, expected, check_index_type=False, check_names=False)


def test_calls_and_products_are_added(frames):
    row = frames.trials[frames.trials["label"] == "deq-linear/direct/implicit/adam"].iloc[0]
    counted = row["forward_map_calls"] + row["backward_map_calls"] + row["backward_vjps"]
    assert spent(frames).medians.loc[("digits", row["label"]), WORK] == counted


def test_a_median_on_a_failure_is_infinite_and_has_no_ratio(frames):
    found = spent(frames)
    assert math.isinf(found.medians.loc[("digits", "unrolled/adam"), "train_seconds"])
    assert math.isnan(found.ratios("digits", BEST).loc["unrolled/adam", "train_seconds"])


def test_ratios_are_to_the_reference(frames):
    found = spent(frames)
    ratios = found.ratios("digits", "linear/adam")
    assert (ratios.loc["linear/adam"].dropna() == 1).all()
    assert ratios.loc["mlp/adam", "parameters"] == pytest.approx(4810 / 650)


def test_nothing_over_nothing_is_equal_and_something_over_nothing_is_more(frames):
    ratios = spent(frames).ratios("digits", "linear/adam")[WORK]
    assert ratios["mlp/adam"] == 1
    assert math.isinf(ratios["deq-linear/direct/implicit/adam"])


@pytest.mark.parametrize(
    ("ratio", "word"),
    [(1.0, "equal"), (1.0199, "equal"), (0.981, "equal"), (1.03, "more"), (0.97, "less"), (math.inf, "more")],
)
def test_within_two_percent_is_equal(ratio, word):
    assert mark(ratio) == word


def test_an_unknown_ratio_has_no_mark():
    assert mark(math.nan) == ""


def test_an_axis_unknown_for_one_entry_is_not_matched_for_all():
    ratios = pd.DataFrame({"a": [1.0, 1.01], "b": [1.0, np.nan], "c": [2.0, 0.5]}, index=["x", "y"])
    assert matched(ratios) == (["a"], ["b"], ["c"])


def test_the_widest_axis_is_told_with_its_ends():
    ratios = pd.DataFrame({"a": [1.0, 1.01], "c": [2.0, 0.5]}, index=["x", "y"])
    assert widest(ratios) == ("c", 0.5, 2.0)


def test_a_grid_of_learning_rates_counts_as_values_tried(fake, tmp_path):
    entries = [
        (*fake.ENTRIES[7][:3], f"adam[lr={rate}]", *fake.ENTRIES[7][4:]) for rate in (0.1, 0.01, 0.001)
    ]
    records = [fake.record(entry, seed=seed) for entry in [*entries, fake.ENTRIES[12]] for seed in range(2)]
    tried = spent(load(fake.write_run(tmp_path / "run", records))).medians[TUNED].droplevel("dataset")
    assert tried.to_dict() == {
        **{f"linear/adam[lr={rate}]": 3.0 for rate in (0.1, 0.01, 0.001)},
        "mlp/adam": 1.0,
    }


def test_the_reference_is_the_best_and_stands_first(panel, frames):
    best = content_of(frames).rankings[0].standings[0].label
    label, reference, row = panel.tables[0].rows[0]
    assert (label, reference) == (best, True)
    assert all(cell.mark == "" for cell in row)


def test_every_entry_has_a_row(panel, frames):
    assert {row[0] for row in panel.tables[0].rows} == set(frames.trials["label"])


def test_a_cell_tells_value_ratio_and_word(panel):
    table = panel.tables[0]
    reference = table.rows[0][0]
    own = {"mlp/adam": 4810, "deq-mlp/anderson/implicit/adam": 8906}[reference]
    cell = cells(table, "linear/adam")["parameters"]
    assert cell.text == f"650 ({650 / own:.2g}x less)"


def test_uncovered_operations_are_said(frames):
    trials = frames.trials.assign(operations=1e9, operations_coverage=1.0)
    trials.loc[trials["label"] == "mlp/adam", "operations_coverage"] = 0.61
    changed = replace(frames, trials=trials)
    said = fairness.build(Story(changed, content_of(changed))).remarks
    assert any("mlp/adam" in one and "61%" in one for one in said)


def test_operations_that_nobody_counted_are_a_dash_with_its_reason(frames):
    trials = frames.trials.assign(operations=1e9)
    trials.loc[trials["label"] == "linear/lbfgs", "operations"] = np.nan
    changed = replace(frames, trials=trials)
    it = fairness.build(Story(changed, content_of(changed)))
    assert cells(it.tables[0], "linear/lbfgs")["operations"].text == "-"
    assert any("linear/lbfgs" in one and "outside torch" in one for one in it.remarks)


def test_many_data_sets_are_one_table_of_ranges(fake, tmp_path):
    grounds = [f"data-{number}" for number in range(6)]
    records = [
        fake.record(entry, dataset=ground, seed=seed)
        for entry in fake.ENTRIES[7:9]
        for ground in grounds
        for seed in range(2)
    ]
    frames = load(fake.write_run(tmp_path / "run", records))
    it = fairness.build(Story(frames, content_of(frames)))
    assert len(it.tables) == 1
    label = next(label for label, reference, _ in it.tables[0].rows if not reference)
    other = cells(it.tables[0], label)
    assert other["parameters"].mark == "equal"
    assert other["train s"].mark in ("more", "less")
    assert other["train s"].ratio.endswith("x")


def test_one_entry_alone_has_no_panel(fake, tmp_path):
    frames = load(fake.write_run(tmp_path / "run", [fake.record(fake.ENTRIES[7])]))
    assert fairness.build(Story(frames, content_of(frames))) is None


def test_markdown_has_the_same_cells(panel):
    said = "\n".join(fairness.markdown(panel))
    for _, _, row in panel.tables[0].rows:
        assert all(cell.text in said for cell in row)

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from deqbench.statistics.comparison import as_family, compare
from deqbench.statistics.equivalence import Rope, Verdict
from deqbench.statistics.paired import Layout, Measure, paired_differences
from deqbench.telling.contests import contest, contest_of, measured_by
from deqbench.telling.loading import load
from deqbench.telling.pooled import MOST_ENTRIES, deciders, mean_ranks, pooled
from deqbench.telling.questions import leads
from deqbench.telling.rivals import MOST_RIVALS, rivals

ACCURACY = Measure("test_accuracy", higher_is_better=True)


def rows(values, status="ok", dataset="d"):
    table = pd.DataFrame(values).melt(ignore_index=False, var_name="label", value_name="loss")
    return table.rename_axis("seed").reset_index().assign(dataset=dataset, status=status)


def test_the_best_median_stands_first_and_ties_as_in_the_suite():
    one = contest_of(rows({"a": [3.0, 4.0, 5.0], "b": [1.0, 2.0, 9.0], "c": [2.0, 2.0, 2.0]}), "loss")
    assert one.order == ("b", "c", "a")
    assert one.medians == {"b": 2.0, "c": 2.0, "a": 4.0}


def test_an_entry_whose_median_falls_on_a_failure_is_last():
    table = rows({"a": [1.0, 1.0, 1.0], "b": [2.0, 2.0, 2.0]})
    table.loc[(table["label"] == "a") & (table["seed"] < 2), "status"] = "diverged"
    one = contest_of(table, "loss")
    assert one.order == ("b", "a")
    assert one.medians["a"] == np.inf


def test_positive_losses_are_compared_by_ratios_and_accuracies_by_points():
    loss, rope = measured_by("test_loss", np.array([0.5, 2.0]))
    assert (loss.kind, rope) == ("ratio", Rope(0.01, relative=True))
    accuracy, rope = measured_by("test_accuracy", np.array([0.5, 0.9]))
    assert (accuracy.kind, rope) == ("difference", Rope(0.01))
    gap, rope = measured_by("linear_gap", np.array([-2.0, 4.0, 6.0]))
    assert (gap.kind, rope.size) == ("difference", pytest.approx(0.04))


def test_nobody_measured_is_no_contest():
    assert contest_of(rows({"a": [np.nan, np.nan]}), "loss") is None


def test_a_contest_compares_as_the_statistics_do(frames):
    one = contest(frames, "digits")
    ours = one.compare("linear/lbfgs", "mlp/adam")
    pairs = paired_differences(frames.trials, "linear/lbfgs", "mlp/adam", ACCURACY, Layout("label"))
    assert ours.row() == compare(pairs, rope=Rope(0.01)).row()


def test_every_rival_is_compared_with_the_best_and_corrected_over_all(frames):
    (one,) = rivals(frames)
    assert one.best == "mlp/adam"
    assert len(one.compared) == 13
    alone = [
        compare(
            paired_differences(frames.trials, each.first, "mlp/adam", ACCURACY, Layout("label")),
            rope=Rope(0.01),
        )
        for each in one.compared
    ]
    assert [each.row() for each in one.compared] == [each.row() for each in as_family(alone)]


def test_a_rival_that_failed_most_is_never_better_nor_equivalent(frames):
    (one,) = rivals(frames)
    (failed,) = [each for each in one.compared if each.first == "unrolled/adam"]
    assert failed.pairs == 3
    assert failed.verdict not in (Verdict.IMPROVED, Verdict.EQUIVALENT)


def test_leads_are_one_family_over_all_that_a_reader_sees(frames):
    found = leads(frames)
    assert [one.compared.row() for one in found] == [
        one.row() for one in as_family([one.compared for one in found])
    ]


def test_the_first_lead_is_that_of_the_best_over_the_runner_up(frames):
    first = leads(frames)[0]
    assert (first.axis, first.kinds, first.entries) == ("own", False, 14)
    assert (first.compared.first, first.compared.second) == ("mlp/adam", "deq-mlp/anderson/implicit/adam")
    values = frames.trials.pivot_table(index="seed", columns="label", values="test_accuracy")
    difference = values["mlp/adam"] - values["deq-mlp/anderson/implicit/adam"]
    assert first.compared.shown.estimate == pytest.approx(difference.mean())


def test_the_best_implicit_stands_against_the_best_explicit(frames):
    found = {one.axis: one for one in leads(frames) if one.kinds and one.axis == "own"}
    compared = found["own"].compared
    assert (compared.first, compared.second) == ("deq-mlp/anderson/implicit/adam", "mlp/adam")


def test_one_seed_has_leads_without_interval(fake, tmp_path):
    records = [fake.record(entry, seed=0) for entry in fake.ENTRIES[6:9]]
    found = leads(load(fake.write_run(tmp_path, records)))
    assert found
    assert not any(one.compared.mean.known for one in found)
    assert {one.compared.verdict for one in found} == {Verdict.INCONCLUSIVE}


def test_one_entry_leads_nobody(fake, tmp_path):
    frames = load(fake.write_run(tmp_path, [fake.record(fake.ENTRIES[6], seed=seed) for seed in range(3)]))
    assert leads(frames) == ()
    assert rivals(frames) == ()
    assert pooled(frames) == ()


def test_many_entries_are_pooled_against_the_best_alone_and_few_in_all_pairs(frames, fake, tmp_path):
    (many,) = pooled(frames)
    assert len(many.order) > MOST_ENTRIES
    assert {one.second for one in many.compared} == {many.order[0]}
    records = [fake.record(entry, seed=seed) for entry in fake.ENTRIES[6:10] for seed in range(3)]
    (few,) = pooled(load(fake.write_run(tmp_path, records)))
    assert few.all_pairs
    assert len(few.compared) == 6


def test_pooled_data_sets_weigh_the_same(fake, tmp_path):
    entries = fake.ENTRIES[6:8]
    records = [fake.record(one, name, seed) for one in entries for name in ("a", "b") for seed in range(3)]
    records += [fake.record(one, "b", seed) for one in entries for seed in (3, 4)]
    frames = load(fake.write_run(tmp_path, records))
    (one,) = pooled(frames)
    values = frames.trials.pivot_table(index=["dataset", "seed"], columns="label", values="test_accuracy")
    first, second = one.compared[0].first, one.compared[0].second
    means = (values[first] - values[second]).groupby(level="dataset").mean()
    assert one.compared[0].shown.estimate == pytest.approx(means.mean())
    assert one.compared[0].pairs == 8


def test_data_sets_with_different_metrics_are_not_put_together(fake, tmp_path):
    entries = fake.ENTRIES[6:8]
    records = [fake.record(one, seed=seed) for one in entries for seed in range(3)]
    records += [fake.record(one, "diabetes", seed, score="r2") for one in entries for seed in range(3)]
    found = pooled(load(fake.write_run(tmp_path, records)))
    assert [(one.metric, one.datasets) for one in found] == [
        ("test_accuracy", ("digits",)),
        ("test_r2", ("diabetes",)),
    ]


def test_ranks_are_means_over_data_sets_with_ties_shared():
    medians = pd.DataFrame({"a": [1.0, 1.0], "b": [1.0, 3.0], "c": [2.0, 2.0]})
    ranks = mean_ranks(medians, higher_is_better=False)
    assert dict(ranks) == {"a": 1.25, "b": 2.25, "c": 2.5}


def test_who_turns_over_the_order_by_leaving_is_named():
    # b beats a on three of five; where a wins, c comes between them. Ranks: a 1.6, b 1.8; without c, b 1.4.
    medians = pd.DataFrame({"a": [2, 2, 2, 1, 1], "b": [1, 1, 1, 3, 3], "c": [3, 3, 3, 2, 2]}, dtype=float)
    assert list(mean_ranks(medians, higher_is_better=False).index[:2]) == ["a", "b"]
    assert deciders(medians, higher_is_better=False) == ("c",)


def test_no_run_compares_more_rivals_than_are_read(fake, tmp_path):
    records = []
    for number in range(MOST_RIVALS + 4):
        entry = ("linear", None, None, f"adam[lr={number + 1}]", 0.9 - number / 100, 0.03, 1e-4, 20, 650)
        records += [fake.record(entry, seed=seed) for seed in range(2)]
    (one,) = rivals(load(fake.write_run(tmp_path, records)))
    assert (len(one.compared), one.untold) == (MOST_RIVALS, 3)

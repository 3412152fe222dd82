from __future__ import annotations

import math

import pandas as pd
import pytest

from deqbench.errors import StoreError
from deqbench.keeping.store import Store
from deqbench.telling import tables
from deqbench.telling.loading import load


def line(frames, label):
    table = tables.summary(frames)
    return table[table["label"] == label].iloc[0]


def test_every_planned_trial_is_a_row_in_the_order_of_the_plan(frames, run_folder):
    assert list(frames.trials["key"]) == [row["key"] for row in Store(run_folder).plan()]
    assert len(frames.trials) == 42


def test_failed_trials_are_rows_with_status_reason_and_last_lines(frames):
    row = frames.trials[frames.trials["status"] == "timeout"].iloc[0]
    assert row["reason"] == "Passed its limit of 30 s."
    assert "Traceback" in row["detail"]


def test_parameters_and_settings_are_columns(frames):
    row = frames.trials.iloc[0]
    assert (row["trainer.lr"], row["gradient.solver"], row["gradient.solver.memory"]) == (0.01, "anderson", 5)
    assert (row["budget.epochs"], row["stop.max_calls"], row["dtype"]) == (20.0, 100, "float32")


def test_counts_stay_whole_numbers_where_some_rows_lack_them(run_folder, frames, tmp_path):
    tables.write(frames, tmp_path)
    text = (tmp_path / "trials.csv").read_text()
    header, first = text.splitlines()[:2]
    place = header.split(",").index("gradient.solver.memory")
    assert first.split(",")[place] == "5"


def test_pandas_reads_the_written_tables_back(frames, tmp_path):
    tables.write(frames, tmp_path)
    trials, curves, summary = (
        pd.read_csv(tmp_path / f"{name}.csv") for name in ("trials", "curves", "summary")
    )
    assert list(trials["key"]) == list(frames.trials["key"])
    assert list(trials["status"]) == list(frames.trials["status"])
    assert (len(curves), len(summary)) == (len(frames.curves), 14)
    assert curves["value"].isna().sum() == 1  # the diverged loss


def test_curves_say_whose_they_are(frames):
    named = frames.curves.merge(frames.trials, on="key", suffixes=("", "_trial"))
    assert len(named) == len(frames.curves)
    assert (named["entry"] == named["entry_trial"]).all()
    assert (named["seed"] == named["seed_trial"]).all()


def test_the_summary_counts_failures_by_status(frames):
    row = line(frames, "unrolled/adam")
    assert (row["n"], row["ok"], row["failures"]) == (3, 1, "timeout 1, out_of_memory 1")


def test_failed_trials_rank_last_although_they_left_numbers(frames):
    timed_out = frames.trials[frames.trials["status"] == "timeout"].iloc[0]
    assert timed_out["test_accuracy"] > 0.9  # observed before the end
    row = line(frames, "unrolled/adam")
    assert row["score"] == -math.inf
    assert row["train_seconds"] == math.inf


def test_map_calls_add_up_forward_and_backward(frames):
    assert line(frames, "deq-linear/anderson/implicit/adam")["map_calls"] == 400 * (12 + 3)


def test_the_interval_of_three_seeds_is_their_range_and_covers_three_quarters(frames):
    row = line(frames, "mlp/adam")
    scores = frames.trials.loc[frames.trials["label"] == "mlp/adam", "test_accuracy"]
    assert (row["score_low"], row["score"], row["score_high"]) == tuple(sorted(scores))
    assert row["coverage"] == 0.75


def test_a_trial_without_record_is_pending_and_counted(fake, tmp_path):
    records = [fake.record(fake.ENTRIES[6], seed=seed) for seed in range(3)]
    folder = fake.write_run(tmp_path, records[:1], planned=[one.trial for one in records])
    frames = load(folder)
    assert list(frames.trials["status"]) == ["ok", "pending", "pending"]
    assert tables.summary(frames)["failures"].iloc[0] == "pending 2"


def test_records_of_earlier_plans_are_in_no_table(fake, tmp_path):
    old, new = fake.record(fake.ENTRIES[6]), fake.record(fake.ENTRIES[7])
    folder = fake.write_run(tmp_path, [old, new], planned=[new.trial])
    frames = load(folder)
    assert list(frames.trials["key"]) == [new.trial.key]
    assert set(frames.curves["key"]) == {new.trial.key}


def test_each_data_set_is_judged_by_its_own_score(fake, tmp_path):
    records = [fake.record(fake.ENTRIES[6]), fake.record(fake.ENTRIES[6], dataset="diabetes", score="r2")]
    frames = load(fake.write_run(tmp_path, records))
    assert [tables.primary_metric(frames, name) for name in ("digits", "diabetes")] == [
        "test_accuracy",
        "test_r2",
    ]


def test_the_suites_primary_metric_is_preferred(fake, tmp_path):
    suite = {**fake.SUITE, "primary": "train_loss"}
    frames = load(fake.write_run(tmp_path, [fake.record(fake.ENTRIES[6])], suite=suite))
    assert tables.primary_metric(frames, "digits") == "train_loss"


def test_a_folder_without_a_run_is_a_store_error(tmp_path):
    with pytest.raises(StoreError, match="no run"):
        load(tmp_path)

from __future__ import annotations

import math

import pytest

from deqbench.telling.bands import bands, failed_ends
from deqbench.telling.loading import load


@pytest.fixture(scope="module")
def loss(frames):
    return bands(frames, "digits", "train_loss")


def test_a_band_is_the_median_and_range_of_the_seeds(frames, loss):
    chosen = frames.curves.query("label == 'mlp/adam' and name == 'train_loss' and step == 400")
    row = loss.query("label == 'mlp/adam' and step == 400").iloc[0]
    assert (row["low"], row["median"], row["high"]) == tuple(sorted(chosen["value"]))
    assert row["seconds"] == chosen["seconds"].median()


def test_after_a_divergence_the_band_reaches_the_failure(loss):
    after = loss.query("label == 'deq-mlp/anderson/one-step/adam' and step > 180")
    assert len(after)
    assert (after["high"] == math.inf).all()
    assert after["median"].map(math.isfinite).all()


def test_the_median_ends_where_most_seeds_have_failed(loss):
    rows = loss.query("label == 'unrolled/adam'").set_index("step")
    assert math.isfinite(rows.loc[167, "median"])  # two of three still ran
    assert rows.loc[200, "median"] == math.inf  # the second one was stopped in between


def test_an_accuracy_fails_downwards(frames):
    rows = bands(frames, "digits", "test_accuracy").query("label == 'unrolled/adam' and step == 0")
    assert rows["low"].item() == -math.inf


def test_a_trial_that_never_observed_anything_still_counts(loss):
    start = loss.query("label == 'unrolled/adam' and step == 0").iloc[0]
    assert start["high"] == math.inf


def test_a_trainer_that_stops_by_itself_keeps_its_last_value(fake, tmp_path):
    short = list(fake.ENTRIES[8])
    long, short[7] = fake.record(fake.ENTRIES[8], seed=0), 11
    frames = load(fake.write_run(tmp_path, [long, fake.record(tuple(short), seed=1)]))
    last = bands(frames, "digits", "test_accuracy").iloc[-1]
    finals = frames.trials["test_accuracy"]
    assert last["step"] == 12  # the median of 11 and 13
    assert (last["low"], last["high"]) == (finals.min(), finals.max())


def test_seeds_that_are_evaluated_at_different_steps_are_not_filled_in_between(fake, tmp_path):
    early, late = list(fake.ENTRIES[11]), list(fake.ENTRIES[11])
    early[7], late[7] = 60, 96  # evaluated every 5 and every 8 steps
    records = [fake.record(tuple(entry), seed=seed) for seed, entry in enumerate((early, late))]
    band = bands(load(fake.write_run(tmp_path, records)), "digits", "train_loss")
    firsts = [next(p.value for p in one.curves if p.step and p.name == "train_loss") for one in records]
    assert band.loc[1, "step"] == (5 + 8) / 2
    assert band.loc[1, "median"] == pytest.approx(sum(firsts) / 2)


def test_failed_trials_end_at_their_last_finite_observation(frames):
    ends = failed_ends(frames, "digits", "train_loss")
    assert sorted(ends["label"]) == ["deq-mlp/anderson/one-step/adam", "unrolled/adam"]
    assert ends["value"].notna().all()

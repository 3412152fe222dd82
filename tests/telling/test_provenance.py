"""Provenance, quiet machines and failures that are alike."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deqbench.comparing.merging import merge
from deqbench.records import Record, Status
from deqbench.telling.loading import load
from deqbench.telling.report.content import content_of
from deqbench.telling.report.sections import Story, environment, failures


def build(section, frames):
    return section.build(Story(frames, content_of(frames)))


def resting(fake, seed, code="c0de" * 4):
    trial = fake.trial(fake.ENTRIES[7], seed=seed)
    rests = {"experiment": "e" * 16, "model:linear": code, "data": f"{seed}d" * 32}
    return replace(fake.record(fake.ENTRIES[7], seed=seed), trial=trial.with_provenance(rests))


@pytest.fixture
def rested(fake, tmp_path):
    return load(fake.write_run(tmp_path / "run", [resting(fake, seed) for seed in range(2)]))


def test_digests_are_told_by_component_and_data_set(rested):
    told = dict(build(environment, rested).digests)
    assert told["model linear"] == "c0de" * 4
    assert told["data digits"] == f"{'0d' * 8}, {'1d' * 8}"


def test_data_of_several_seeds_is_no_warning_but_code_of_two_versions_is(fake, tmp_path):
    records = [resting(fake, 0), resting(fake, 1, code="beef" * 4)]
    warnings = build(environment, load(fake.write_run(tmp_path / "run", records))).warnings
    assert any("several versions of model:linear" in said for said in warnings)
    assert not any("data:" in said for said in warnings)


def test_merged_runs_keep_the_digests_of_both(rested, fake, tmp_path):
    other = load(fake.write_run(tmp_path / "other", [resting(fake, 2)]))
    merged = merge({"a": rested, "b": other})
    assert merged.provenance["data:digits"] == ("0d" * 32, "1d" * 32, "2d" * 32)


def test_uncommitted_changes_are_warned_of_with_the_commit(frames):
    assert any("b25d0fc2a91e" in said for said in build(environment, frames).warnings)


def test_trials_side_by_side_are_warned_of(frames):
    said = build(environment, replace(frames, run={**frames.run, "jobs": 4})).warnings
    assert any("4 trials ran at a time" in one for one in said)


@pytest.mark.parametrize(("load_then", "calm"), [(0.1, True), (1.9, False)])
def test_a_busy_machine_is_told_from_a_quiet_one(frames, load_then, calm):
    cpu = {"model": "AMD EPYC 7B13", "usable": 2, "load": load_then}
    run = {**frames.run, "jobs": 1, "threads": 1}
    it = build(environment, replace(frames, environment={**frames.environment, "cpu": cpu}, run=run))
    assert bool(it.calm) is calm
    assert any("was busy" in said for said in it.warnings) is not calm


def test_differences_of_merged_runs_stand_apart_from_the_facts(frames):
    changed = replace(frames, environment={**frames.environment, "differences": ["a and b: torch 2.5, 2.6"]})
    it = build(environment, changed)
    assert it.differences == ("a and b: torch 2.5, 2.6",)
    assert "differences" not in dict(it.facts)


def failed(fake, seed, step, status=Status.KILLED):
    reason = f"its process was ended by signal SIGSEGV (Segmentation fault) after step {step}."
    return Record(
        fake.trial(fake.ENTRIES[7], seed=seed), status, reason, detail=f"Fatal error\nat step {step}"
    )


def test_failures_that_differ_in_numbers_alone_stand_together(fake, tmp_path):
    records = [failed(fake, seed, step) for seed, step in ((0, 10), (1, 250), (2, 3))]
    it = build(failures, load(fake.write_run(tmp_path / "run", records)))
    (group,) = it.groups
    assert group.where == "3 trials of linear/adam"
    assert [row[1] for row in group.rows] == ["0", "1", "2"]
    assert all("SIGSEGV" in row[2] for row in group.rows)


def test_failures_of_another_status_stand_apart(fake, tmp_path):
    records = [failed(fake, 0, 1), failed(fake, 1, 2, Status.TIMEOUT)]
    groups = build(failures, load(fake.write_run(tmp_path / "run", records))).groups
    assert [group.first.status for group in groups] == ["killed", "timeout"]
    assert groups[0].first.detail == "Fatal error\nat step 1"

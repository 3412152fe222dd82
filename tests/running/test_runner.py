from __future__ import annotations

import re
from pathlib import Path

import pytest

from deqbench.discovery.registry import Registry
from deqbench.errors import ConfigurationError, StoreError
from deqbench.keeping.runs import RunOptions
from deqbench.keeping.store import Store
from deqbench.records import Status
from deqbench.running import runner
from deqbench.running.progress import Quiet
from deqbench.running.runner import in_blocks, record_of, refuse_full_disk, run_suite
from deqbench.suites.suite import read_suite
from deqbench.workers import Job, Outcome

SUITE = """
seeds = [0, 1]
budget = { steps = 1 }
defaults = { dataset = "wine", trainer = "gd" }
[[grid]]
model = ["linear", "mlp[width=4]", "mlp[width=5]", "mlp[width=6]"]
"""


class Remembers(Quiet):
    def __init__(self):
        self.finished_labels = []

    def finished(self, record):
        self.finished_labels.append(record.trial.label)


@pytest.fixture
def run(tmp_path, fake_workers):
    """Run the suite with fake workers; returns the result and the labels that ran, in order."""
    path = tmp_path / "four.toml"
    path.write_text(SUITE)
    registry = Registry.load()
    listener = Remembers()

    def go(answers=None, **options):
        fake_workers.answers = answers or {}
        listener.finished_labels = []
        options.setdefault("out", tmp_path / "run")
        result = run_suite(read_suite(str(path), registry), registry, RunOptions(**options), listener)
        return result, listener.finished_labels

    return go


def failed(status, **fields):
    return lambda _pool, job: Outcome(job, status=status, reason="it failed", **fields)


def interrupt(pool, job):
    pool.interrupted.append(Outcome(job, status=Status.INTERRUPTED, reason="was in flight"))
    raise KeyboardInterrupt


def test_a_run_whose_trials_are_all_ok_exits_0_and_leaves_a_record_each(run):
    result, ran = run()
    assert (result.exit_code, result.counts) == (0, {"ok": 8})
    assert len(ran) == len(list(Store(result.folder).records())) == 8


def test_a_failed_trial_is_a_row_and_exit_1_and_the_others_complete(run):
    result, ran = run({"mlp[width=4] | gd | seed 1": failed(Status.KILLED, signal="SIGSEGV")})
    assert (result.exit_code, result.counts) == (1, {"ok": 7, "killed": 1})
    assert len(ran) == 8


def test_what_a_killed_trial_had_observed_is_kept(run):
    points = ([0, 0.0, 0.0, "test_loss", 2.0], [1, 1.0, 0.5, "test_loss", 1.5])
    result, _ = run({"linear | gd | seed 0": failed(Status.TIMEOUT, emitted=points)})
    record = next(Store(result.folder).records())
    assert record.metrics == {"test_loss": 1.5}
    assert [point.value for point in record.curves] == [2.0, 1.5]


def test_the_same_command_again_runs_nothing(run):
    run()
    result, ran = run()
    assert (ran, result.reused, result.exit_code) == ([], 8, 0)


def test_a_reused_failure_still_exits_1(run):
    run({"linear | gd | seed 0": failed(Status.ERROR)})
    result, ran = run()
    assert (ran, result.exit_code) == ([], 1)


def test_fresh_runs_everything_again(run):
    run()
    assert len(run(fresh=True)[1]) == 8


def test_a_fresh_run_cut_short_resumes_as_a_fresh_one(run):
    run()
    run({"linear | gd | seed 1": interrupt}, fresh=True)
    result, ran = run()
    assert 0 < len(ran) < 8
    assert result.exit_code == 0


def test_an_interruption_records_what_was_in_flight_and_exits_130(run):
    result, _ = run({"linear | gd | seed 1": interrupt})
    assert (result.exit_code, result.counts["interrupted"]) == (130, 1)
    assert Store(result.folder).run()["state"] == "interrupted"


def test_an_interrupted_run_is_completed_by_the_same_command(run):
    _, before = run({"linear | gd | seed 1": interrupt})
    result, after = run()
    label = "wine | linear | gd | seed 1"
    assert result.exit_code == 0
    assert set(before) & set(after) == {label}
    assert len({*before, *after}) == 8


def test_only_plans_the_selected_trials_and_keeps_other_records(run):
    run()
    result, _ = run(only="seed=1")
    assert (result.planned, result.reused) == (4, 4)
    assert len(Store(result.folder).keys()) == 8


def test_trials_run_seed_by_seed_shuffled_within(run):
    _, ran = run()
    assert [label[-1] for label in ran] == list("00001111")
    assert ran[:4] != sorted(ran[:4])  # a fixed shuffle: this suite's is not the written order


def test_the_order_of_execution_is_the_same_at_every_run(run):
    assert run()[1] == run(fresh=True)[1]


def test_the_plan_keeps_the_order_of_the_suite(run):
    result, _ = run()
    labels = [record.trial.label for record in Store(result.folder).records()]
    assert labels[:2] == ["wine | linear | gd | seed 0", "wine | linear | gd | seed 1"]


def test_an_unknown_device_is_refused_before_anything_is_written(run, tmp_path):
    with pytest.raises(ConfigurationError):
        run(device="abacus")
    assert not (tmp_path / "run").exists()


def test_a_full_disk_is_refused(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 2**20})()
    monkeypatch.setattr(runner.shutil, "disk_usage", lambda _folder: usage)
    with pytest.raises(StoreError, match="Only 1 MiB are free"):
        refuse_full_disk(tmp_path)


def test_the_record_of_a_returned_job_gains_its_wall_time(make_trial, make_record):
    trial = make_trial()
    outcome = Outcome(Job("x", "y"), result=make_record(trial).to_json(), wall_seconds=2.5)
    assert record_of(outcome, trial).costs == {"train_seconds": 1.0, "wall_seconds": 2.5}


def test_no_trials_have_an_order_too():
    assert in_blocks("tiny", []) == []


def test_the_running_wing_names_no_pandas():
    core = Path(runner.__file__).parents[1]
    for room in ("running", "keeping", "workers", "experiments", "equilibria", "learning", "measuring"):
        for path in (core / room).glob("*.py"):
            assert not re.search(r"^\s*(import|from) pandas", path.read_text(), re.MULTILINE)

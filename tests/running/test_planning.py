from __future__ import annotations

import pytest

from deqbench.discovery.registry import Registry, sources_from
from deqbench.keeping.store import Store
from deqbench.records import Status
from deqbench.running.planning import make_plan
from deqbench.suites.suite import expand, read_suite
from deqbench.workers import Outcome

SUITE = """
seeds = [0, 1]
budget = { steps = 1 }
defaults = { dataset = "wine", trainer = "halving" }
[[grid]]
model = "linear"
"""

PLUGIN = """
from deqbench.plugin import Entry, hookimpl
from {rule} import RATE

class Halving:
    def steps(self, objective):
        yield objective.backward() * RATE

@hookimpl
def deqbench_trainers():
    return [Entry("halving", Halving)]
"""


class FakePool:
    """Answers each fingerprint job at once."""

    def __init__(self, answer=None):
        self.answer = answer or (lambda job: Outcome(job, result={"fingerprint": "f0"}))
        self.jobs = []

    def provide(self, modules):
        """Import nothing."""

    def run(self, jobs, on_start=None, on_tick=None):
        for job in jobs:
            self.jobs.append(job)
            yield self.answer(job)


@pytest.fixture
def folder(tmp_path):
    """A plugin of two files, the second named after the test (Python imports a name once), and a suite."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "halving.py").write_text(PLUGIN.format(rule=tmp_path.name))
    (plugins / f"{tmp_path.name}.py").write_text("RATE = 0.5\n")
    (tmp_path / "halved.toml").write_text(SUITE)
    return tmp_path


def planned(folder, pool=None, **options):
    registry = Registry.load(sources_from([str(folder / "plugins" / "halving.py")]))
    trials = expand(read_suite(str(folder / "halved.toml"), registry), registry)
    return make_plan(trials, registry, Store(folder / "run"), pool or FakePool(), **options)


def store_all(folder, plan, make_record):
    store = Store(folder / "run")
    store.add_sources(plan.files)
    for one in plan.trials:
        store.write(make_record(one.trial))


def test_every_component_the_experiment_and_the_data_are_in_the_provenance(folder):
    trial = planned(folder).trials[0].trial
    assert set(trial.provenance) == {
        "experiment",
        "data",
        "dataset:wine",
        "model:linear",
        "trainer:halving",
        "probe:loss",
        "probe:accuracy",
        "probe:r2",
    }


def test_data_is_loaded_once_for_each_seed(folder):
    pool = FakePool()
    planned(folder, pool)
    assert [job.payload["seed"] for job in pool.jobs] == [0, 1]


def test_a_second_run_reuses_everything(folder, make_record):
    store_all(folder, planned(folder), make_record)
    again = planned(folder)
    assert (len(again.reused), len(again.to_run)) == (2, 0)


def test_an_edited_helper_module_makes_trials_stale_and_is_named(folder, make_record):
    store_all(folder, planned(folder), make_record)
    (folder / "plugins" / f"{folder.name}.py").write_text("RATE = 0.25\n")
    decision = planned(folder).to_run[0].decision
    assert decision.action == "stale"
    assert decision.reasons[0].startswith(f"trainer halving changed: {folder.name} edited")


def test_a_file_that_nothing_imports_changes_nothing(folder, make_record):
    store_all(folder, planned(folder), make_record)
    (folder / "plugins" / "bystander.py").write_text("X = 1\n")
    assert len(planned(folder).reused) == 2


def test_changed_data_makes_trials_stale(folder, make_record):
    store_all(folder, planned(folder), make_record)
    pool = FakePool(lambda job: Outcome(job, result={"fingerprint": "f1"}))
    assert [one.decision.action for one in planned(folder, pool).to_run] == ["stale", "stale"]


def test_data_that_cannot_be_loaded_fails_its_own_trials_only(folder):
    def answer(job):
        if job.payload["seed"] == 1:
            return Outcome(job, status=Status.ERROR, reason="OSError: no network", detail="trace")
        return Outcome(job, result={"fingerprint": "f0"})

    plan = planned(folder, FakePool(answer))
    assert [one.trial.seed for one in plan.to_run] == [0]
    (lost,) = plan.unloadable
    assert "OSError: no network" in lost.unloadable.reason


def test_fresh_reuses_nothing(folder, make_record):
    store_all(folder, planned(folder), make_record)
    assert len(planned(folder, fresh=True).to_run) == 2


def test_loading_data_is_given_longer_than_a_short_trial(folder):
    text = SUITE.replace("steps = 1", "steps = 1, seconds = 2")
    (folder / "halved.toml").write_text(text)
    pool = FakePool()
    planned(folder, pool)
    assert pool.jobs[0].limits.seconds == 60

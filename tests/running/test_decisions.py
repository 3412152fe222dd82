from __future__ import annotations

from dataclasses import replace

import pytest

from deqbench.keeping.store import Store
from deqbench.records import Status
from deqbench.running.decisions import Action, Decider
from deqbench.trials import Limits

FILES = {"g1": {"trainers.gd": "2", "helper": "5"}}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_a_trial_nothing_is_stored_of_is_new(store, make_trial):
    decision = Decider(store, {}).decide(make_trial())
    assert (decision.action, decision.previous) == (Action.NEW, None)


@pytest.mark.parametrize("status", [one for one in Status if one is not Status.INTERRUPTED])
def test_a_finished_trial_is_reused_whatever_its_status(store, make_trial, make_record, status):
    store.write(make_record(make_trial(), status))
    decision = Decider(store, {}).decide(make_trial())
    assert decision.action is Action.REUSED
    assert status.value in decision.reasons[0]


def test_an_interrupted_trial_runs_again(store, make_trial, make_record):
    store.write(make_record(make_trial(), Status.INTERRUPTED))
    assert Decider(store, {}).decide(make_trial()).action is Action.RETRIED


def test_fresh_uses_nothing_stored(store, make_trial, make_record):
    store.write(make_record(make_trial()))
    assert Decider(store, {}, fresh=True).decide(make_trial()).action is Action.NEW


@pytest.mark.parametrize(("status", "action"), [(Status.ERROR, "retried"), (Status.OK, "reused")])
def test_retry_failed_retries_what_did_not_end_ok(store, make_trial, make_record, status, action):
    store.write(make_record(make_trial(), status))
    assert Decider(store, {}, retry_failed=True).decide(make_trial()).action == action


@pytest.mark.parametrize(
    ("case", "action"),
    [
        ((Status.TIMEOUT, Limits(seconds=2), Limits(seconds=5)), "retried"),
        ((Status.TIMEOUT, Limits(seconds=2), Limits()), "retried"),
        ((Status.TIMEOUT, Limits(seconds=2), Limits(seconds=2)), "reused"),
        ((Status.TIMEOUT, Limits(seconds=2), Limits(seconds=1)), "reused"),
        ((Status.OUT_OF_MEMORY, Limits(memory_bytes=1), Limits(memory_bytes=2)), "retried"),
        ((Status.OUT_OF_MEMORY, Limits(), Limits(memory_bytes=2)), "reused"),
        ((Status.OK, Limits(seconds=2), Limits(seconds=5)), "reused"),
    ],
)
def test_a_stopped_trial_runs_again_only_if_its_limit_grew(store, make_trial, make_record, case, action):
    status, before, now = case
    store.write(make_record(make_trial(limits=before), status))
    assert Decider(store, {}).decide(make_trial(limits=now)).action == action


def test_changed_code_makes_a_trial_stale_and_names_the_file(store, make_trial, make_record):
    store.write(make_record(make_trial()))
    store.add_sources({"g0": {"trainers.gd": "2", "helper": "4"}})
    changed = make_trial(provenance={"experiment": "e0", "trainer:gd": "g1", "data": "d0"})
    decision = Decider(store, FILES).decide(changed)
    assert (decision.action, decision.previous) == (Action.STALE, make_trial().key)
    assert decision.reasons == ("trainer gd changed: helper edited (digest g0 -> g1)",)


def test_changed_data_makes_a_trial_stale(store, make_trial, make_record):
    store.write(make_record(make_trial()))
    changed = make_trial(provenance={"experiment": "e0", "trainer:gd": "g0", "data": "d1"})
    decision = Decider(store, {}).decide(changed)
    assert decision.action is Action.STALE
    assert "contents of the data set changed" in decision.reasons[0]


def test_a_new_trial_is_told_apart_from_the_nearest_stored_one(store, make_trial, make_record):
    store.write(make_record(make_trial(seed=3, lr=0.5)))
    store.write(make_record(make_trial(seed=0, lr=0.1)))
    decision = Decider(store, {}).decide(make_trial(seed=0, lr=0.2))
    assert (decision.action, decision.previous) == (Action.NEW, make_trial(seed=0, lr=0.1).key)
    assert decision.reasons == ("trainer.lr: 0.1 -> 0.2",)


def test_a_damaged_record_is_run_again(store, make_trial):
    trial = make_trial()
    path = store.folder / "records" / f"{trial.key}.json"
    path.parent.mkdir()
    path.write_text("no json")
    assert Decider(store, {}).decide(trial).action is Action.RETRIED


def test_the_suites_name_and_limits_do_not_make_a_trial_another(make_trial):
    trial = make_trial()
    assert replace(trial, suite="other", limits=Limits(seconds=1)).key == trial.key

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from deqbench.errors import StoreError
from deqbench.keeping import store as store_module
from deqbench.keeping.store import Store, finite
from deqbench.records import Status
from deqbench.trials import Limits


def plan_row(trial):
    return {"key": trial.key, "previous": None, "label": trial.label, "trial": trial.to_json()}


def test_a_record_comes_back_as_it_was_written(tmp_path, make_trial, make_record):
    record = make_record(make_trial())
    Store(tmp_path).write(record)
    assert Store(tmp_path).read(record.trial.key) == record


def test_no_record_is_none(tmp_path):
    assert Store(tmp_path).read("0" * 16) is None


def test_non_finite_numbers_are_stored_as_null(tmp_path, make_trial, make_record):
    trial = make_trial()
    Store(tmp_path).write(make_record(trial, metrics={"a": math.nan, "b": math.inf}))
    assert Store(tmp_path).read(trial.key).metrics == {"a": None, "b": None}


def test_finite_reaches_into_lists_and_tables():
    assert finite({"a": [1.0, (math.nan, "x")], "b": {"c": -math.inf}}) == {
        "a": [1.0, [None, "x"]],
        "b": {"c": None},
    }


def test_a_write_that_dies_before_its_rename_leaves_the_old_record(
    tmp_path, make_trial, make_record, monkeypatch
):
    store, trial = Store(tmp_path), make_trial()
    store.write(make_record(trial, metrics={"a": 1.0}))

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_module.os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        store.write(make_record(trial, metrics={"a": 2.0}))
    assert store.read(trial.key).metrics == {"a": 1.0}
    assert [path.name for path in (tmp_path / "records").iterdir()] == [f"{trial.key}.json"]


def test_a_half_written_temporary_file_is_no_record(tmp_path, make_trial, make_record):
    store, trial = Store(tmp_path), make_trial()
    store.write(make_record(trial))
    (tmp_path / "records" / ".0123.json.x.tmp").write_text('{"schema": 1, "ke')
    assert store.keys() == [trial.key]


def test_a_damaged_record_is_named(tmp_path, make_trial):
    trial = make_trial()
    path = tmp_path / "records" / f"{trial.key}.json"
    path.parent.mkdir()
    path.write_text("{")
    with pytest.raises(StoreError, match=trial.key):
        Store(tmp_path).read(trial.key)


def test_records_follow_the_plan_and_leave_out_what_it_does_not_hold(tmp_path, make_trial, make_record):
    store = Store(tmp_path)
    planned = [make_trial(seed=seed) for seed in (5, 3, 4)]
    for trial in (*planned[:2], make_trial(seed=9)):
        store.write(make_record(trial))
    store.write_plan([plan_row(trial) for trial in planned])
    assert [record.trial.seed for record in store.records()] == [5, 3]


def test_a_reused_record_carries_the_trial_of_the_present_plan(tmp_path, make_trial, make_record):
    store, before = Store(tmp_path), make_trial()
    store.write(make_record(before))
    now = replace(before, limits=Limits(seconds=9.0), suite="renamed")
    store.write_plan([plan_row(now)])
    assert next(store.records()).trial.limits == Limits(seconds=9.0)


def test_a_folder_without_a_run_says_so(tmp_path):
    with pytest.raises(StoreError, match=r"no run lies there"):
        Store(tmp_path).plan()


def test_a_plan_of_a_newer_deqbench_is_refused(tmp_path):
    (tmp_path / "plan.json").write_text(json.dumps({"schema": 99, "trials": []}))
    with pytest.raises(StoreError, match="schema 99"):
        Store(tmp_path).plan()


def test_the_last_lines_of_a_failure_lie_beside_its_record(tmp_path, make_trial, make_record):
    trial = make_trial()
    Store(tmp_path).write(make_record(trial, Status.ERROR, reason="boom", detail="Traceback\nboom"))
    assert (tmp_path / "logs" / f"{trial.key}.txt").read_text() == "Traceback\nboom\n"


def test_sources_of_earlier_code_are_kept(tmp_path):
    store = Store(tmp_path)
    store.add_sources({"d1": {"a": "1"}})
    store.add_sources({"d2": {"a": "2"}})
    assert store.sources() == {"d1": {"a": "1"}, "d2": {"a": "2"}}


def test_an_unwritable_folder_is_refused_by_the_lock(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="--out"), Store(tmp_path / "file" / "run").lock():
        pass


def test_a_second_writer_is_refused_with_the_first_ones_process(tmp_path):
    refused = pytest.raises(StoreError, match=f"process {os.getpid()}")
    with Store(tmp_path).lock(), refused, Store(tmp_path).lock():
        pass


def test_a_lock_is_free_again_when_its_holder_is_done(tmp_path):
    with Store(tmp_path).lock():
        pass
    with Store(tmp_path).lock():
        pass


def test_a_lock_whose_holder_was_killed_is_free(tmp_path):
    code = (
        "import os, signal, sys; from deqbench.keeping.store import Store\n"
        "lock = Store(sys.argv[1]).lock(); lock.__enter__(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -9
    with Store(tmp_path).lock():
        pass


def test_the_store_imports_neither_torch_nor_pandas():
    code = (
        "import sys, deqbench.keeping.store;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

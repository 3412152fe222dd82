"""What is done ahead where a processor is free: the fork of the next worker, the start of the next job."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from deqbench.records import Status
from deqbench.workers import Job, Pool


def job(target, payload=None):
    return Job(target, f"faulty_jobs:{target}", payload or {})


@pytest.fixture
def roomy(monkeypatch):
    """However few processors there are here, one is free beside a pool's jobs."""
    monkeypatch.setattr(Pool, "_roomy", True)


@pytest.fixture
def cramped(monkeypatch):
    monkeypatch.setattr(Pool, "_roomy", False)


def idle_workers(pool):
    """Return the nursery's children once one has been forked ahead."""
    nursery = psutil.Process(pool._starter.process.pid)
    deadline = time.monotonic() + 5.0
    while not (children := nursery.children()):
        assert time.monotonic() < deadline
    return [child.pid for child in children]


def await_end(pid):
    deadline = time.monotonic() + 2.0
    while Path(f"/proc/{pid}/cwd").exists():  # neither a zombie nor one that is reaped has it
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.usefixtures("roomy")
def test_a_job_whose_worker_was_forked_ahead_has_that_process_to_itself():
    with Pool(preload=()) as pool:
        first = list(pool.run([job("about_itself")]))
        waiting = idle_workers(pool)
        second, third = pool.run([job("about_itself"), job("about_itself")])
    pids = [outcome.result["pid"] for outcome in (*first, second, third)]
    assert len(set(pids)) == 3
    assert second.result["pid"] in waiting
    assert second.result["group"] == second.result["pid"]


@pytest.mark.usefixtures("roomy")
def test_a_worker_forked_ahead_and_killed_is_replaced():
    with Pool(preload=()) as pool:
        list(pool.run([job("double", {"x": 1})]))
        for pid in idle_workers(pool):
            os.kill(pid, signal.SIGKILL)
            await_end(pid)
        outcomes = list(pool.run([job("double", {"x": 2}), job("double", {"x": 3})]))
    assert [outcome.result for outcome in outcomes] == [4, 6]


@pytest.mark.usefixtures("roomy")
def test_a_worker_forked_ahead_ends_with_its_nursery():
    with Pool(preload=()) as pool:
        list(pool.run([job("double", {"x": 1})]))
        waiting = idle_workers(pool)
        os.kill(pool._starter.process.pid, signal.SIGKILL)
        for pid in waiting:
            await_end(pid)


@pytest.mark.usefixtures("roomy")
def test_a_closed_pool_leaves_no_worker_that_was_forked_ahead():
    with Pool(preload=()) as pool:
        list(pool.run([job("double", {"x": 1})]))
        waiting = idle_workers(pool)
    assert not [pid for pid in waiting if psutil.pid_exists(pid)]


@pytest.mark.usefixtures("cramped")
def test_nothing_is_forked_ahead_where_no_processor_is_free():
    with Pool(preload=()) as pool:
        list(pool.run([job("double", {"x": 1})]))
        assert psutil.Process(pool._starter.process.pid).children() == []


@pytest.mark.usefixtures("roomy")
def test_the_next_job_starts_before_an_outcome_is_handed_out_if_that_is_asked_for():
    drawn = []

    def jobs():
        for number in range(4):
            drawn.append(number)
            yield job("double", {"x": number})

    with Pool(preload=()) as pool:
        seen = [(outcome.result, len(drawn)) for outcome in pool.run(jobs(), ahead=True)]
    assert seen == [(0, 2), (2, 3), (4, 4), (6, 4)]


@pytest.mark.usefixtures("cramped")
def test_the_next_job_waits_for_an_outcome_to_be_dealt_with_where_no_processor_is_free():
    drawn = []

    def jobs():
        for number in range(2):
            drawn.append(number)
            yield job("double", {"x": number})

    with Pool(preload=()) as pool:
        seen = [(outcome.result, len(drawn)) for outcome in pool.run(jobs(), ahead=True)]
    assert seen == [(0, 1), (2, 2)]


@pytest.mark.usefixtures("roomy")
def test_what_was_started_ahead_is_interrupted_when_a_run_is_left():
    with Pool(preload=()) as pool:
        for outcome in pool.run([job("double", {"x": 1}), job("hangs")], ahead=True):
            assert outcome.returned
            break
        assert [one.status for one in pool.interrupted] == [Status.INTERRUPTED]


@pytest.mark.usefixtures("roomy")
def test_what_a_pool_is_told_to_provide_is_imported_before_the_next_worker_is_forked():
    with Pool(preload=()) as pool:
        (before,) = pool.run([job("about_itself")])
        pool.provide(["colorsys"])
        (after,) = pool.run([job("about_itself")])
    assert "colorsys" not in before.result["modules"]
    assert "colorsys" in after.result["modules"]


def test_a_worker_tells_which_library_it_had_to_import():
    with Pool(preload=()) as pool:
        plain, statistical = pool.run([job("double", {"x": 1}), job("imports", {"module": "scipy.stats"})])
    assert plain.imported == ()
    assert statistical.imported == ("scipy.stats",)


def test_a_pool_opened_before_it_is_entered_is_one_pool():
    pool = Pool(preload=())
    pool.open()
    nursery = pool._starter.process
    with pool:
        assert pool._starter.process is nursery
    assert nursery.poll() is not None

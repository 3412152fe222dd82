"""A reused worker: who serves which job, and that no job finds what another one left."""

from __future__ import annotations

import os

import psutil
import pytest

from deqbench.trials import Limits
from deqbench.workers import Job, Pool


def job(target, payload=None, **limits):
    module = "changing_jobs" if target.startswith("changes") else "faulty_jobs"
    return Job(target, f"{module}:{target}", payload or {}, Limits(**limits))


@pytest.fixture(scope="module")
def pool():
    with Pool(preload=(), reuse=True) as opened:
        yield opened


def results(pool, *jobs):
    return [outcome.result for outcome in pool.run(jobs)]


def test_jobs_that_return_share_one_worker(pool):
    first, second, third = results(pool, *[job("pid")] * 3)
    assert first == second == third != os.getpid()


def test_two_jobs_at_once_have_two_workers_and_the_next_two_have_the_same():
    with Pool(jobs=2, preload=(), reuse=True) as pool:
        waits = [job("tells_times", {"seconds": 0.1})] * 2
        list(pool.run(waits))
        nursery = psutil.Process(pool._starter.process.pid)
        before = {child.pid for child in nursery.children()}
        list(pool.run(waits))
        assert {child.pid for child in nursery.children()} == before
        assert len(before) == 2


@pytest.mark.parametrize(
    ("target", "limits"),
    [
        ("raises", {}),
        ("exits_at_once", {}),
        ("segfaults", {}),
        ("hangs", {"seconds": 0.1}),
        ("hangs_in_c", {"seconds": 0.1}),
    ],
)
def test_a_job_that_fails_costs_its_worker_and_no_other_job(pool, target, limits):
    (before,) = results(pool, job("pid"))
    failed, after = pool.run([job(target, **limits), job("pid")])
    assert not failed.returned
    assert after.returned
    assert after.result != before
    assert not psutil.pid_exists(before)


@pytest.mark.parametrize("target", ["forks_a_child", "forgets_a_thread"])
def test_a_worker_that_leaves_something_running_is_replaced(pool, target):
    left, after = results(pool, job(target), job("pid"))
    assert left != after


def test_a_worker_that_keeps_much_memory_is_replaced(pool):
    left, after = results(pool, job("takes_and_frees_memory", {"mib": 300, "keep": True}), job("pid"))
    assert left != after


def test_memory_that_a_job_gives_back_does_not_cost_its_worker(pool):
    left, after = results(pool, job("takes_and_frees_memory", {"mib": 300, "keep": False}), job("pid"))
    assert left == after


def test_what_a_job_prints_is_not_the_next_ones(pool):
    first, second = pool.run([job("prints", {"words": w, "fine": w == "one"}) for w in ("one", "two")])
    assert first.returned
    assert second.detail == "two"


def test_what_a_job_changed_in_its_module_is_undone(pool):
    first, second = results(pool, *[job("changes_its_module")] * 2)
    assert first == second
    assert first[1:] == [0, [], {"kept": 1}, ["kept"], 0, [], False, 0]


def test_a_job_finds_the_process_as_a_forked_one_does():
    with Pool(preload=("numpy", "torch")) as forking:
        ((_, fresh),) = results(forking, job("changes_settings"))
    with Pool(preload=("numpy", "torch"), reuse=True) as reusing:
        (one, first), (other, second) = results(reusing, *[job("changes_settings")] * 2)
    assert one == other
    assert first == second
    # The system seeds these generators in every nursery; a trial seeds them itself.
    unseeded = {"random", "numpy", "torch"}
    assert {k: v for k, v in first.items() if k not in unseeded} == {
        k: v for k, v in fresh.items() if k not in unseeded
    }

"""The pool: how many at once, in what environment, and what it does when the nursery dies."""

from __future__ import annotations

import os
import signal
import statistics
import time
from pathlib import Path

import psutil
import pytest

from deqbench.records import Status
from deqbench.trials import Limits
from deqbench.workers import PRELOAD, Job, Pool


def job(target, payload=None, **limits):
    return Job(target, f"faulty_jobs:{target}", payload or {}, Limits(**limits))


@pytest.fixture(scope="module")
def full():
    """A pool as a run has it: everything preloaded, one thread."""
    with Pool() as opened:
        yield opened


@pytest.fixture(scope="module")
def itself(full):
    (outcome,) = full.run([job("about_itself")])
    assert outcome.returned, outcome.detail
    return outcome.result


def overlap(spans):
    """Return how many spans hold the instant that most of them hold."""
    return max(sum(start <= instant < end for start, end in spans) for instant, _ in spans)


@pytest.mark.parametrize("workers", [1, 3])
def test_as_many_jobs_run_at_once_as_were_allowed(workers):
    with Pool(jobs=workers, preload=()) as pool:
        outcomes = list(pool.run(job("tells_times", {"seconds": 0.15}) for _ in range(6)))
    spans = [outcome.result for outcome in outcomes]
    assert len(spans) == 6
    assert overlap(spans) == workers


def test_jobs_are_drawn_only_when_a_worker_is_free():
    drawn = []

    def jobs():
        for number in range(4):
            drawn.append(number)
            yield job("double", {"x": number})

    with Pool(preload=()) as pool:
        seen = [(outcome.result, len(drawn)) for outcome in pool.run(jobs())]
    assert seen == [(0, 1), (2, 2), (4, 3), (6, 4)]


def test_a_pool_tells_of_starts_and_ticks():
    started, ticks = [], []
    with Pool(preload=()) as pool:
        jobs = [job("double", {"x": 1}), job("hangs", seconds=0.2)]
        list(pool.run(jobs, started.append, lambda: ticks.append(1)))
    assert started == jobs
    assert len(ticks) >= 4


def test_a_run_left_early_kills_what_is_in_flight_and_names_it():
    with Pool(jobs=2, preload=()) as pool:
        for outcome in pool.run([job("hangs"), job("double", {"x": 1}), job("hangs")]):
            assert outcome.result == 2
            break
        interrupted = pool.interrupted
        assert {outcome.job.name for outcome in interrupted} == {"hangs"}
        assert {outcome.status for outcome in interrupted} == {Status.INTERRUPTED}
        nursery = psutil.Process(pool._starter.process.pid)
        assert [child.pid for child in nursery.children() if child.status() != "zombie"] == []


def test_a_pool_leaves_no_folder_behind():
    with Pool(preload=()) as pool:
        list(pool.run([job("double", {"x": 1})]))
        folder = pool._folder
        assert not list(folder.glob("job-*"))
    assert not folder.exists()


def test_an_exception_in_the_run_ends_the_workers():
    nurseries = []

    def consume():
        with Pool(preload=()) as pool:
            nurseries.append(pool._starter.process)
            for _ in pool.run([job("double", {"x": 1}), job("hangs")]):
                raise RuntimeError("consumer")

    with pytest.raises(RuntimeError, match="consumer"):
        consume()
    assert nurseries[0].poll() == 0


def test_a_worker_leads_a_group_of_its_own(itself):
    assert itself["group"] == itself["pid"] != os.getpgid(0)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_forked_worker_computes_with_the_threads_it_was_given(threads):
    with Pool(threads=threads, preload=("numpy", "torch")) as pool:
        (outcome,) = pool.run([job("multiplies")])
    assert outcome.result == {
        "equal": True,
        "gradient": True,
        "threads": threads,
        "cuda_initialised": False,
    }


def test_the_hash_of_text_is_the_same_in_every_run(itself):
    with Pool(preload=(), start_method="spawn") as pool:
        (outcome,) = pool.run([job("about_itself")])
    assert outcome.result["hash"] == itself["hash"]


def test_the_nursery_imports_nothing_of_a_plugin(itself):
    assert "torch" in itself["modules"]
    assert not [name for name in itself["modules"] if name.startswith("deqbench_plugins")]


def test_the_nursery_starts_no_thread(itself):
    assert itself["nursery_threads"] == 1
    assert "sklearn" in itself["modules"]


def test_a_job_forked_from_the_nursery_costs_a_fraction_of_an_import_of_torch(full):
    assert "torch" in PRELOAD
    outcomes = list(full.run(job("double", {"x": 1}) for _ in range(9)))
    assert statistics.median(outcome.wall_seconds for outcome in outcomes) < 0.3


def test_a_nursery_that_dies_is_replaced_once_then_every_worker_is_spawned():
    with Pool(jobs=2, preload=()) as pool:

        def kill_nursery(started):
            if started.name == "hangs_in_c":
                os.kill(pool._starter.process.pid, signal.SIGKILL)

        jobs = [job("hangs_in_c"), job("double", {"x": 1}), job("hangs_in_c"), job("double", {"x": 2})]
        outcomes = []
        for one in jobs:
            outcomes += pool.run([one], on_start=kill_nursery)
        method = type(pool._starter).__name__
    assert [outcome.status for outcome in outcomes] == [Status.KILLED, None, Status.KILLED, None]
    assert outcomes[0].reason == "the nursery that forked it died"
    assert "-9" in outcomes[0].detail
    assert method == "SpawnStarter"


def test_a_worker_of_a_dead_nursery_ends_with_all_it_started(tmp_path):
    def kill_nursery():
        if len(list(tmp_path.iterdir())) == 3:
            os.kill(pool._starter.process.pid, signal.SIGKILL)

    with Pool(preload=()) as pool:
        payload = {"hang": True, "pids": str(tmp_path)}
        (outcome,) = pool.run([job("starts_others", payload, seconds=20)], on_tick=kill_nursery)
    assert outcome.status is Status.KILLED
    worker, near = sorted(int(path.name) for path in tmp_path.iterdir())[:2]
    assert_gone([worker, near])


def assert_gone(pids):
    deadline = time.monotonic() + 2.0
    while any(Path(f"/proc/{pid}/cwd").exists() for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_output_that_grows_without_end_is_cut(monkeypatch):
    monkeypatch.setattr("deqbench.workers.flights.OUTPUT_BYTES", 1024**2)
    monkeypatch.setattr("deqbench.workers.pool._TRIM_SECONDS", 0.1)
    sizes = []
    with Pool(preload=()) as pool:

        def note():
            sizes.extend(path.stat().st_size for path in pool._folder.glob("job-*/stderr.txt"))

        payload = {"lines": 3000, "then_sleep": 0.5}
        (outcome,) = pool.run([job("prints_a_lot", payload)], on_tick=note)
    assert sizes[-1] < 2 * 1024**2 < 3000 * 1024  # what it printed
    assert outcome.status is Status.ERROR


def test_what_fled_from_a_worker_ends_though_another_worker_runs():
    with Pool(jobs=2, preload=()) as pool:
        for outcome in pool.run([job("hangs"), job("starts_others")]):
            assert_gone(outcome.result)
            break

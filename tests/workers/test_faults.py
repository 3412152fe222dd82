"""Every way a worker can fail, with real processes: forked, spawned and reused."""

from __future__ import annotations

import time

import psutil
import pytest

from deqbench.records import Status
from deqbench.trials import Limits
from deqbench.workers import Job, Pool

MIB = 1024**2


@pytest.fixture(scope="module", params=["forkserver", "spawn", "reused"])
def pool(request):
    method = "auto" if request.param == "reused" else request.param
    with Pool(jobs=1, preload=(), start_method=method, reuse=request.param == "reused") as opened:
        yield opened


def run(pool, target, payload=None, **limits):
    job = Job(target, f"faulty_jobs:{target}", payload or {}, Limits(**limits))
    (outcome,) = pool.run([job])
    return outcome


def assert_gone(pids, within=2.0):
    deadline = time.monotonic() + within
    while alive := [pid for pid in pids if lives(pid)]:
        assert time.monotonic() < deadline, f"still alive after {within} s: {alive}"
        time.sleep(0.01)


def lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_job_returns_its_value_and_what_it_emitted(pool):
    outcome = run(pool, "double", {"x": 21})
    assert outcome.returned
    assert outcome.result == 42
    assert outcome.emitted == ({"seen": 21},)
    assert outcome.peak_bytes is None or outcome.peak_bytes > MIB


def test_a_result_that_is_not_a_number_is_passed_on(pool):
    assert run(pool, "not_a_number").result["loss"] != run(pool, "not_a_number").result["loss"]


def test_an_exception_is_an_error_with_its_message_and_traceback(pool):
    outcome = run(pool, "raises")
    assert outcome.status is Status.ERROR
    assert outcome.reason == "ValueError: the step is too long"
    assert "faulty_jobs.py" in outcome.detail
    assert outcome.emitted == ("before",)


def test_a_result_that_is_no_json_is_an_error(pool):
    outcome = run(pool, "unserialisable")
    assert outcome.status is Status.ERROR
    assert "not JSON serializable" in outcome.reason


def test_an_unknown_target_is_an_error(pool):
    outcome = run(pool, "no_such_function")
    assert outcome.status is Status.ERROR
    assert "no_such_function" in outcome.reason


def test_sys_exit_is_an_error(pool):
    outcome = run(pool, "exits")
    assert outcome.status is Status.ERROR
    assert outcome.reason == "SystemExit: 4"


def test_an_exit_without_a_result_is_an_error_with_its_code_and_last_words(pool):
    outcome = run(pool, "exits_at_once")
    assert outcome.status is Status.ERROR
    assert "exit code 3" in outcome.reason
    assert outcome.detail == "last words"
    assert outcome.emitted == ("before",)


def test_a_hang_of_60_s_under_a_limit_of_2_s_ends_within_4_s(pool):
    start = time.monotonic()
    outcome = run(pool, "hangs_in_c", seconds=2.0)
    assert time.monotonic() - start < 4.0
    assert 2.0 <= outcome.wall_seconds < 4.0
    assert outcome.status is Status.TIMEOUT
    assert outcome.reason == "passed its limit of 2 s and was stopped"
    assert_gone(outcome.emitted)


def test_a_sleeping_worker_is_stopped_at_its_limit(pool):
    outcome = run(pool, "hangs", seconds=0.2)
    assert outcome.status is Status.TIMEOUT
    assert_gone(outcome.emitted)


def test_a_timeout_says_where_the_worker_hung(pool):
    assert "in hangs_in_c" in run(pool, "hangs_in_c", seconds=0.2).detail


def test_a_worker_that_ignores_signals_is_killed_all_the_same(pool):
    assert run(pool, "ignores_signals", seconds=0.2).signal == "SIGKILL"


def test_a_segmentation_fault_is_killed_by_its_signal_and_says_where(pool):
    outcome = run(pool, "segfaults")
    assert outcome.status is Status.KILLED
    assert outcome.signal == "SIGSEGV"
    assert outcome.reason == "its process was ended by SIGSEGV (Segmentation fault)"
    assert "in segfaults" in outcome.detail
    assert outcome.emitted == ("before",)


def test_an_abort_is_killed_by_its_signal(pool):
    outcome = run(pool, "aborts")
    assert outcome.status is Status.KILLED
    assert outcome.signal == "SIGABRT"


@pytest.mark.parametrize("target", ["eats_memory", "eats_memory_in_a_child"])
def test_a_worker_over_its_memory_limit_is_stopped(pool, target):
    outcome = run(pool, target, memory_bytes=200 * MIB, seconds=30.0)
    assert outcome.status is Status.OUT_OF_MEMORY
    assert "over its limit of 0.195 GiB" in outcome.reason
    assert outcome.peak_bytes > 200 * MIB


def test_an_allocation_that_is_refused_is_out_of_memory(pool):
    assert run(pool, "asks_for_too_much_memory").status is Status.OUT_OF_MEMORY


def test_output_beyond_any_pipe_neither_blocks_a_worker_nor_drowns_its_last_words(pool):
    outcome = run(pool, "prints_a_lot", {"lines": 4000, "then_sleep": 0})
    assert outcome.detail.endswith("the end")
    assert len(outcome.detail) <= 6000


def test_a_worker_finds_standard_input_empty(pool):
    assert run(pool, "reads_input").result == ""


def test_what_a_worker_started_ends_with_its_hang(pool):
    outcome = run(pool, "starts_others", {"hang": True}, seconds=0.3)
    assert outcome.status is Status.TIMEOUT
    assert_gone(outcome.emitted[0])


def test_what_a_worker_started_in_its_group_ends_with_its_return(pool):
    near, _ = run(pool, "starts_others").result
    assert_gone([near])


def test_a_thread_left_running_does_not_keep_a_worker(pool):
    outcome = run(pool, "leaves_a_thread")
    assert outcome.result == "done"
    assert outcome.wall_seconds < 10.0


def test_after_every_fault_the_next_job_runs(pool):
    jobs = [
        Job(name, f"faulty_jobs:{name}", {"x": 1}, Limits(seconds=0.2))
        for name in ("raises", "hangs", "segfaults", "exits_at_once", "double")
    ]
    outcomes = {outcome.job.name: outcome.status for outcome in pool.run(jobs)}
    assert outcomes == {
        "raises": Status.ERROR,
        "hangs": Status.TIMEOUT,
        "segfaults": Status.KILLED,
        "exits_at_once": Status.ERROR,
        "double": None,
    }


def test_the_largest_worker_is_stopped_before_the_machine_runs_out_of_memory(pool, monkeypatch):
    monkeypatch.setattr("deqbench.workers.pool.shortage", lambda: "nothing was left")
    monkeypatch.setattr("deqbench.workers.pool.BLAME_BYTES", 200 * MIB)
    outcome = run(pool, "eats_memory", seconds=30.0)
    assert outcome.status is Status.OUT_OF_MEMORY
    assert outcome.reason.endswith("of memory when nothing was left")

"""What is left when the run itself ends badly: nothing, within two seconds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from deqbench.records import Status

RUN = """
import signal
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, and the children inherit that
import sys
from deqbench.workers import Job, Pool

method, reuse, pids = sys.argv[1:]
sys.path.insert(0, {here!r})
hanging = [
    Job("c", "faulty_jobs:hangs_in_c", {{"pids": pids}}),
    Job("family", "faulty_jobs:starts_others", {{"pids": pids, "hang": True}}),
]
with Pool(jobs=2, preload=(), start_method=method, reuse=reuse == "reused") as pool:
    print(pool._folder, flush=True)
    try:
        list(pool.run(hanging))
    except KeyboardInterrupt:
        print(*(outcome.status for outcome in pool.interrupted), flush=True)
        raise
"""


class Run:
    """A run in a process of its own, whose two workers hang: one in C code, one with two children."""

    def __init__(self, method, reuse, folder):
        script = RUN.format(here=str(Path(__file__).parent))
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, method, reuse, str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.folder = Path(self.process.stdout.readline().strip())
        until(lambda: len(list(folder.iterdir())) == 4, 20.0)
        self.pids = {int(path.name) for path in folder.iterdir()}
        self.pids |= {child.pid for child in psutil.Process(self.process.pid).children(recursive=True)}

    def alive(self):
        return [pid for pid in self.pids if lives(pid)]


def lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(holds, seconds):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.01)


@pytest.fixture(params=[("forkserver", "once"), ("spawn", "once"), ("forkserver", "reused")])
def run(request, tmp_path):
    started = Run(*request.param, tmp_path)
    yield started
    for pid in started.alive():
        os.kill(pid, signal.SIGKILL)
    started.process.kill()
    started.process.wait()
    started.process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_killed_leaves_no_process_within_two_seconds(run, number):
    assert len(run.alive()) >= 5
    run.process.send_signal(number)
    until(lambda: not run.alive(), 2.0)


def test_ctrl_c_ends_the_workers_and_names_what_was_in_flight(run):
    run.process.send_signal(signal.SIGINT)
    said = run.process.stdout.readline().split()
    assert said == [Status.INTERRUPTED, Status.INTERRUPTED]
    assert run.process.wait(5.0) == -signal.SIGINT
    until(lambda: not run.alive(), 2.0)
    assert not run.folder.exists()


def test_a_killed_run_leaves_no_folder(run):
    run.process.kill()
    until(lambda: not run.folder.exists(), 2.0)


def test_a_run_killed_while_its_nursery_still_imports_leaves_no_process():
    code = (
        "from deqbench.workers import Pool\n"
        "with Pool() as pool: print(pool._starter.process.pid, flush=True); input()"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with run:
        nursery = psutil.Process(int(run.stdout.readline()))
        # Its wish to die with the run is among the first things it does, long before torch is there.
        until(lambda: "torch" in " ".join(mapping.path for mapping in nursery.memory_maps()), 60.0)
        run.kill()
        until(lambda: not lives(nursery.pid), 2.0)

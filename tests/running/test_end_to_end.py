"""The main job through the command line, with real workers: issue 2, must-show 4, 5 and 7."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from deqbench import cli
from deqbench.keeping.store import Store
from deqbench.telling.loading import load

FAULTY = Path(__file__).with_name("faulty_solvers.py")

FAULTY_SUITE = """
title = "Every way to fail, between two that do not"
seeds = [0]
evaluations = 1
probes = ["loss"]
budget = { steps = 2, seconds = 60, memory_gib = 1.5 }
defaults = { dataset = "wine", model = "deq-mlp[width=4]", gradient = "one-step", trainer = "gd" }

[[grid]]
solver = ["picard", "raises", "turns-nan"]

[[grid]]
solver = "hangs"
budget = { seconds = 2 }

[[grid]]
solver = ["crashes", "eats-memory", "anderson"]
"""

PLAIN_SUITE = """
title = "Small, quick, of several kinds"
seeds = [0, 1]
evaluations = 2
budget = { epochs = 2 }
defaults = { dataset = "wine", trainer = "adam" }

[[grid]]
model = "deq-linear"
solver = "picard"
gradient = "implicit"

[[grid]]
model = ["mlp[width=8]", "linear"]

[[grid]]
model = "linear"
trainer = "gd"
"""


def run_in_process(*words) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", *map(str, words), "--no-report"])
    return ended.value.code


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = tmp_path_factory.mktemp("suites") / "plain.toml"
    path.write_text(PLAIN_SUITE)
    return path


@pytest.fixture(scope="module")
def uninterrupted(plain, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    assert run_in_process(plain, "--out", folder, "--jobs", 2) == 0
    return folder


@pytest.fixture(scope="module", params=["trial", "worker"])
def faulty(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("faulty")
    suite = folder / "faulty.toml"
    suite.write_text(FAULTY_SUITE)
    words = ["--plugin", FAULTY, "--isolation", request.param]
    code = run_in_process(suite, "--out", folder / "run", *words)
    return code, load(folder / "run").trials.set_index("solver")


class TestFaults:
    def test_the_run_ends_with_exit_1(self, faulty):
        assert faulty[0] == 1

    @pytest.mark.parametrize(
        ("solver", "status"),
        [
            ("raises", "error"),
            ("turns-nan", "diverged"),
            ("hangs", "timeout"),
            ("crashes", "killed"),
            ("eats-memory", "out_of_memory"),
        ],
    )
    def test_a_faulty_solver_leaves_a_row_with_its_status_and_reason(self, faulty, solver, status):
        row = faulty[1].loc[solver]
        assert row["status"] == status, (row["reason"], row["detail"])
        assert row["reason"]

    @pytest.mark.parametrize("solver", ["picard", "anderson"])
    def test_trials_beside_them_complete(self, faulty, solver):
        assert faulty[1].loc[solver, "status"] in ("ok", "not_converged")
        assert faulty[1].loc[solver, "steps"] == 2

    def test_a_hang_ends_soon_after_its_limit(self, faulty):
        assert faulty[1].loc["hangs", "wall_seconds"] < 4.0

    def test_what_was_seen_before_the_end_is_kept(self, faulty):
        assert "this solver was made to raise" in faulty[1].loc["raises", "reason"]


TIMING = ("seconds", "bytes", "overhead")


def measured(folder) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A run's tables without what a clock or an allocator says."""
    frames = load(folder)
    timed = [name for name in frames.trials if str(name).endswith(TIMING)]
    return frames.trials.drop(columns=timed), frames.curves.drop(columns="seconds")


def test_a_reused_worker_gives_the_same_numbers_bit_for_bit(plain, uninterrupted, tmp_path):
    assert run_in_process(plain, "--out", tmp_path, "--isolation", "worker") == 0
    for reused, forked in zip(measured(tmp_path), measured(uninterrupted), strict=True):
        pd.testing.assert_frame_equal(reused, forked, check_exact=True)
    pids = {record.host["pid"] for record in Store(tmp_path).records()}
    assert len(pids) == 1
    run = Store(tmp_path).run()
    assert run["isolation"] == "worker"
    assert "--isolation worker" in " ".join(run["command"])


CARELESS = """
import torch
from deqbench.plugin import Entry, Iterate, hookimpl

USED = []


class Careless:
    tried = 0

    def init(self, f, z0):
        return Iterate(z0, f(z0))

    def step(self, f, state):
        USED.append(1)
        Careless.tried += 1
        torch.set_default_dtype(torch.float64 if len(USED) % 2 else torch.float32)
        return Iterate(state.fz, f(state.fz / (1 + 0.1 * (len(USED) > 40) + 0.1 * (Careless.tried > 40))))


@hookimpl
def deqbench_solvers():
    return [Entry("careless", Careless)]
"""


def test_a_plugin_that_remembers_cannot_tell_the_next_trial(tmp_path):
    """It would slow down after 40 steps in one process; each of its trials takes fewer."""
    (plugin := tmp_path / "careless.py").write_text(CARELESS)
    suite = tmp_path / "remember.toml"
    suite.write_text(
        'experiment = "equilibrium"\nseeds = [0, 1, 2, 3]\nrepeats = 1\n'
        "stop = { tolerance = 1e-3, max_calls = 9 }\n"
        '[[grid]]\nmap = "affine[gamma=0.3,dimension=4]"\nsolver = "careless"\n'
    )
    found = {}
    for isolation in ("trial", "worker"):
        folder = tmp_path / isolation
        run_in_process(suite, "--out", folder, "--plugin", plugin, "--isolation", isolation)
        found[isolation] = measured(folder)
    for reused, forked in zip(found["worker"], found["trial"], strict=True):
        pd.testing.assert_frame_equal(reused, forked, check_exact=True)


def wait_until(claim, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if claim():
            return True
        time.sleep(0.01)
    return bool(claim())


def alive(processes) -> list[psutil.Process]:
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="module")
def story(plain, tmp_path_factory):
    """kill -9 of the whole run after two of its eight trials, then the same command."""
    folder = tmp_path_factory.mktemp("killed")
    words = [sys.executable, "-m", "deqbench", "run", str(plain), "--out", str(folder), "--no-report"]
    run = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    store = Store(folder)
    assert wait_until(lambda: len(store.keys()) >= 2 or run.poll() is not None, 120), run.stderr.read()
    family = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    gone = wait_until(lambda: not alive(family), 2.0)
    assert run.wait() == -signal.SIGKILL
    run.stderr.close()
    before = {path.stem: path.read_bytes() for path in (folder / "records").glob("*.json")}
    code = run_in_process(plain, "--out", folder)
    return {"folder": folder, "family": family, "gone": gone, "before": before, "code": code}


class TestKilledInTheMiddle:
    def test_it_was_killed_in_the_middle(self, story):
        assert 2 <= len(story["before"]) < 8
        assert story["family"]

    def test_no_process_is_left_within_two_seconds(self, story):
        assert story["gone"]

    def test_resuming_completes_it(self, story):
        assert story["code"] == 0

    def test_nothing_done_is_repeated(self, story):
        records = story["folder"] / "records"
        after = {key: (records / f"{key}.json").read_bytes() for key in story["before"]}
        assert after == story["before"]
        decisions = {row["key"]: row["decision"] for row in Store(story["folder"]).plan()}
        assert {key for key, made in decisions.items() if made == "reused"} == set(story["before"])

    def test_the_tables_equal_those_of_an_uninterrupted_run_with_two_jobs(self, story, uninterrupted):
        """Bit for bit: metrics, counts and curves; fresh against resumed, one job against two."""
        for resumed, whole in zip(measured(story["folder"]), measured(uninterrupted), strict=True):
            pd.testing.assert_frame_equal(resumed, whole, check_exact=True)


def test_ctrl_c_records_what_was_in_flight_and_exits_130(tmp_path):
    suite = tmp_path / "hang.toml"
    suite.write_text(FAULTY_SUITE.replace("budget = { seconds = 2 }", ""))
    folder = tmp_path / "run"
    words = ["run", str(suite), "--only", "solver=hangs", "--plugin", str(FAULTY), "--json"]
    run = subprocess.Popen(
        [sys.executable, "-m", "deqbench", *words, "--out", str(folder)], stdout=subprocess.PIPE, text=True
    )
    events = []
    for line in run.stdout:
        events.append(json.loads(line))
        if events[-1]["event"] == "started":
            run.send_signal(signal.SIGINT)
    assert run.wait(20) == 130
    run.stdout.close()
    assert [event["event"] for event in events][-3:] == ["finished", "ended", "report"]
    (record,) = Store(folder).records()
    assert record.status == "interrupted"
    assert Store(folder).run()["state"] == "interrupted"

from __future__ import annotations

import json

import pytest

from deqbench import cli
from deqbench.keeping.store import Store
from deqbench.records import Status
from deqbench.workers import Outcome

SUITE = """
title = "Two entries"
seeds = [0, 1]
budget = { steps = 1 }
defaults = { dataset = "wine", trainer = "gd" }
[[grid]]
model = ["linear", "mlp[width=4]"]
"""


@pytest.fixture
def command(tmp_path, fake_workers, monkeypatch, capsys):
    """Call ``deqbench WORDS`` in a fresh folder; returns exit code, standard output and standard error."""
    (tmp_path / "two.toml").write_text(SUITE)
    monkeypatch.chdir(tmp_path)

    def call(*words):
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        return ended.value.code, *capsys.readouterr()

    return call


def test_a_run_ends_with_its_table_on_standard_output_and_progress_on_standard_error(command):
    code, out, err = command("run", "two.toml", "--no-report")
    assert code == 0
    assert "two: 4 trials: 4 ok" in out
    assert "[4/4] ok" in err
    assert "\x1b" not in out + err


def test_records_go_to_reports_under_the_current_directory(command, tmp_path):
    command("run", "two.toml", "--no-report")
    assert len(Store(tmp_path / "reports" / "two").keys()) == 4


def test_quiet_prints_the_answer_alone(command):
    code, out, err = command("run", "two.toml", "--no-report", "--quiet")
    assert (code, err) == (0, "")
    assert "4 ok" in out


def test_json_prints_events_and_nothing_else(command):
    code, out, err = command("run", "two.toml", "--no-report", "--json")
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert events == ["planned", *["started", "finished"] * 4, "ended", "report"]


def test_a_failed_trial_is_exit_1_and_is_counted_in_the_table(command, fake_workers):
    fake_workers.answers = {"linear | gd | seed 0": lambda _, job: Outcome(job, status=Status.KILLED)}
    code, out, _ = command("run", "two.toml", "--no-report")
    assert code == 1
    assert "killed 1" in out


def test_a_dry_run_lists_the_trials_and_writes_nothing(command, tmp_path):
    code, out, _ = command("run", "two.toml", "--dry-run", "--only", "seed=1")
    assert code == 0
    assert out.splitlines() == [
        "wine | linear | gd | seed 1",
        "wine | mlp[width=4] | gd | seed 1",
        "1 seed cannot reach p < 0.05 with a two-sided sign-flip test (its least p is 1); 6 can.",
        "2 trials; nothing was run (--dry-run)",
    ]
    assert not (tmp_path / "reports").exists()


def test_the_stored_command_reproduces_the_run(command, tmp_path):
    words = ("run", "two.toml", "--out", "here", "--jobs", "2", "--only", "seed=1", "--set", "budget.steps=2")
    command(*words, "--no-report", "--quiet", "--fresh")
    assert Store(tmp_path / "here").run()["command"] == ["deqbench", *words]


@pytest.mark.parametrize(
    "words",
    [
        ("two.toml", "--only", "seed=7"),
        ("two.toml", "--set", "budget.stepz=2"),
        ("no-such-suite",),
        ("two.toml", "--jobs", "0"),
        ("two.toml", "--out", "two.toml"),
        ("two.toml", "--plugin", "nowhere.py"),
    ],
)
def test_a_mistake_is_one_message_and_exit_2_before_anything_runs(command, tmp_path, words):
    code, out, err = command("run", *words)
    assert (code, out) == (2, "")
    assert "Error" in err
    assert "Traceback" not in err
    assert not (tmp_path / "reports").exists()


def test_why_says_a_reused_trial_was_reused_and_that_nothing_changed(command):
    command("run", "two.toml", "--no-report", "--quiet")
    command("run", "two.toml", "--no-report", "--quiet")
    code, out, _ = command("why", "linear 0")
    assert code == 0
    assert "reused, compared with" in out
    assert "the code of today is the code of this result" in out


def test_why_names_what_a_setting_changed(command):
    command("run", "two.toml", "--no-report", "--quiet")
    command("run", "two.toml", "--no-report", "--quiet", "--set", "budget.steps=2")
    assert "settings.budget.steps: 1 -> 2" in command("why", "linear 0")[1]


def test_why_finds_a_trial_by_the_beginning_of_its_key(command, tmp_path):
    command("run", "two.toml", "--no-report", "--quiet")
    key = Store(tmp_path / "reports" / "two").keys()[0]
    told = json.loads(command("why", key[:9], "--json")[1])
    assert told["key"] == key


@pytest.mark.parametrize(("words", "said"), [("gd", "4 trials of"), ("abacus", "No trial of")])
def test_why_lists_the_trials_when_no_single_one_is_meant(command, words, said):
    command("run", "two.toml", "--no-report", "--quiet")
    code, _, err = command("why", words)
    assert code == 2
    assert said in err
    assert "wine | linear | gd | seed 0" in err


def test_why_without_a_run_says_what_to_do(command):
    code, _, err = command("why", "anything")
    assert code == 2
    assert "Run a suite" in err

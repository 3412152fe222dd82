"""Suites on maps from the command line: exit codes, and what is said of components that are not installed."""

import json
import sys
from pathlib import Path

import pytest

from deqbench.cli import main
from deqbench.running.planning import Plan
from deqbench.running.sentences import plan_sentence

PLUGIN = '''
from deqbench.plugin import Entry, Iterate, hookimpl

class Absent:
    """Needs what nobody has."""
    def init(self, f, z0): return Iterate(z0, f(z0))
    def step(self, f, state): return Iterate(state.fz, f(state.fz))

@hookimpl
def deqbench_solvers(): return [Entry("absent", Absent, requires=("no_such_package",))]
'''
SUITE = """
experiment = "equilibrium"
repeats = 1
stop = { tolerance = 1e-4, max_calls = 20 }
[[grid]]
map = "affine[gamma=0.9,batch=2,dimension=4]"
solver = ["picard", "anderson", "absent"]
optional = true
"""
LEFT_OUT = "left out: absent needs no_such_package; install it"


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    (tmp_path / "absent.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "maps.toml").write_text(SUITE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def call(*words):
        with pytest.raises(SystemExit) as ended:
            main(["run", "maps.toml", "--plugin", "absent.py", *words])
        return ended.value.code, *capsys.readouterr()

    return call


def test_a_run_says_what_it_leaves_out_and_a_miss_does_not_fail_it(call, tmp_path):
    code, out, _ = call("--no-report", "--json")
    events = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert events[0]["left_out"] == [LEFT_OUT.removeprefix("left out: ")]
    ended = next(one for one in events if one["event"] == "ended")
    assert (ended["exit_code"], ended["counts"]) == (0, {"ok": 1, "not_converged": 1})
    facts = json.loads((tmp_path / "reports" / "maps" / "run.json").read_text(encoding="utf-8"))
    assert facts["left_out"] == events[0]["left_out"]


def test_a_log_says_it_in_a_line_of_its_own():
    plan = Plan((), {}, ("a needs b", "c needs d"))
    lines = plan_sentence(plan, Path("there")).splitlines()
    assert lines == ["0 trials; records go to there", "left out: a needs b", "left out: c needs d"]


def test_a_dry_run_says_it(call):
    code, out, _ = call("--dry-run")
    assert code == 0
    assert LEFT_OUT in out
    assert "2 trials; nothing was run" in out

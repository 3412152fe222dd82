from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from deqbench.keeping.runs import RunResult
from deqbench.records import Status
from deqbench.running.decisions import Action, Decision
from deqbench.running.planning import Plan, Planned
from deqbench.running.progress import JsonLines, Lines, Quiet, choose_listener


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def story(make_trial, make_record):
    """A run of two trials, told to a listener."""
    done, failed = make_trial(seed=0), make_trial(seed=1)
    new = Decision(Action.NEW, ("nothing like it is stored",))
    plan = Plan((Planned(done, new), Planned(failed, new)), {})

    def tell(listener):
        listener.planned(plan, Path("there"))
        listener.started(done)
        listener.tick()
        listener.finished(make_record(done, costs={"wall_seconds": 1.25}))
        listener.started(failed)
        listener.finished(make_record(failed, Status.ERROR, reason="ValueError: no\nway"))
        listener.close()
        listener.ended(RunResult(Path("there"), {"ok": 1, "error": 1}, 2, 0, False, 3.0))

    return tell


def test_plain_lines_say_status_label_time_and_reason(story):
    stream = io.StringIO()
    story(Lines(stream))
    assert stream.getvalue().splitlines() == [
        "2 trials; records go to there",
        "[1/2] ok            wine | linear | gd[lr=0.1] | seed 0  1.2 s",
        "[2/2] error         wine | linear | gd[lr=0.1] | seed 1  (ValueError: no way)",
        "Done: 1 error, 1 ok of 2, in 3.0 s",
    ]


def test_every_json_line_is_an_object_with_its_event(story):
    stream = io.StringIO()
    story(JsonLines(stream))
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["event"] for event in events] == [
        "planned",
        "started",
        "finished",
        "started",
        "finished",
        "ended",
    ]
    assert events[0]["trials"][0]["decision"] == "new"
    assert events[-1]["exit_code"] == 1


def test_a_terminal_gets_a_live_view_that_keeps_failures(story, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    listener = choose_listener(stream)
    story(listener)
    assert "\x1b[" in stream.getvalue()
    assert "ValueError: no way" in stream.getvalue()


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_color_and_dumb_terminals_get_plain_lines(story, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    stream = Terminal()
    story(choose_listener(stream))
    assert "\x1b" not in stream.getvalue()


def test_a_pipe_gets_plain_lines():
    assert isinstance(choose_listener(io.StringIO()), Lines)


def test_quiet_says_nothing(story):
    stream = Terminal()
    listener = choose_listener(stream, quiet=True)
    story(listener)
    assert isinstance(listener, Quiet)
    assert stream.getvalue() == ""

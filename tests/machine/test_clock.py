"""The stopwatch counts what it should and nothing else."""

from __future__ import annotations

import time

import pytest
import torch

from deqbench.measuring import clock
from deqbench.measuring.clock import Stopwatch


class Hands:
    """Wall and CPU time that move only when told."""

    def __init__(self, monkeypatch):
        self.wall = self.cpu = 100.0
        monkeypatch.setattr(clock.time, "perf_counter", lambda: self.wall)
        monkeypatch.setattr(clock.time, "process_time", lambda: self.cpu)

    def move(self, wall, cpu=0.0):
        self.wall += wall
        self.cpu += cpu


@pytest.fixture
def hands(monkeypatch):
    return Hands(monkeypatch)


def test_a_watch_counts_from_start_to_stop(hands):
    watch = Stopwatch()
    hands.move(7.0, 7.0)
    watch.start()
    hands.move(2.0, 3.0)
    assert watch.stop() == pytest.approx(2.0)
    hands.move(5.0, 5.0)
    assert watch.seconds == pytest.approx(2.0)
    assert watch.cpu_seconds == pytest.approx(3.0)


def test_a_running_watch_can_be_read(hands):
    watch = Stopwatch().start()
    hands.move(1.5)
    assert watch.seconds == pytest.approx(1.5)
    assert watch.running


def test_a_pause_is_left_out(hands):
    watch = Stopwatch().start()
    hands.move(1.0, 1.0)
    with watch.paused():
        assert not watch.running
        hands.move(50.0, 50.0)
    hands.move(2.0, 2.0)
    assert watch.seconds == pytest.approx(3.0)
    assert watch.cpu_seconds == pytest.approx(3.0)


def test_pauses_nest(hands):
    watch = Stopwatch().start()
    with watch.paused():
        with watch.paused():
            hands.move(10.0)
        hands.move(10.0)
        assert not watch.running
    hands.move(1.0)
    assert watch.seconds == pytest.approx(1.0)


def test_a_pause_ends_when_what_it_held_raises(hands):
    watch = Stopwatch().start()
    with pytest.raises(ValueError, match="inside"), watch.paused():
        raise ValueError("inside")
    hands.move(1.0)
    assert watch.seconds == pytest.approx(1.0)


def test_a_pause_does_not_start_a_watch_that_stood(hands):
    watch = Stopwatch()
    with watch.paused():
        hands.move(1.0)
    hands.move(1.0)
    assert not watch.running
    assert watch.seconds == 0.0


def test_starting_twice_changes_nothing(hands):
    watch = Stopwatch().start()
    hands.move(1.0)
    watch.start()
    hands.move(1.0)
    assert watch.seconds == pytest.approx(2.0)


def test_every_reading_waits_for_a_cuda_device(monkeypatch):
    waits = []
    monkeypatch.setattr(torch.cuda, "synchronize", waits.append)
    watch = Stopwatch(torch.device("cuda:1")).start()
    _ = watch.seconds
    with watch.paused():
        pass
    watch.stop()
    assert waits == [torch.device("cuda:1")] * 5


def test_cpu_seconds_are_those_of_work_not_of_waiting():
    watch = Stopwatch().start()
    before = time.process_time()
    while time.process_time() - before < 0.05:
        pass
    watch.stop()
    assert watch.cpu_seconds >= 0.05
    assert watch.seconds >= 0.04

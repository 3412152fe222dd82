"""A closed loop as a generator: order, errors, an early end, context."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from itertools import islice

import pytest

from deqbench_plugins.trainers.closed_loop import stepwise


def test_items_arrive_in_order_and_the_end_is_the_end():
    def solve(hand_over):
        for number in range(5):
            hand_over(number)

    assert list(stepwise(solve)) == [0, 1, 2, 3, 4]


def test_the_loop_waits_at_each_item():
    done = []

    def solve(hand_over):
        for number in range(5):
            done.append(number)
            hand_over(number)

    loop = stepwise(solve)
    next(loop)
    next(loop)
    assert done == [0, 1]
    loop.close()


def test_nothing_runs_before_the_first_item_is_asked_for():
    done = []
    stepwise(lambda _hand_over: done.append(1))
    assert done == []


def test_an_abandoned_loop_is_unwound_and_its_thread_ends():
    unwound = []

    def solve(hand_over):
        try:
            while True:
                try:
                    hand_over(0)
                except Exception:  # noqa: BLE001  # what a careless loop does
                    pytest.fail("the order to stop must pass an except Exception")
        finally:
            unwound.append(threading.current_thread())

    loop = stepwise(solve)
    list(islice(loop, 3))
    loop.close()
    assert [thread.is_alive() for thread in unwound] == [False]


def test_an_error_in_the_loop_is_raised_where_it_is_read():
    def solve(hand_over):
        hand_over(1)
        raise ValueError("from the loop")

    loop = stepwise(solve)
    assert next(loop) == 1
    with pytest.raises(ValueError, match="from the loop"):
        next(loop)


def test_context_variables_of_the_caller_hold_inside():
    variable = ContextVar("variable", default="outside")
    variable.set("inside")
    assert list(stepwise(lambda hand_over: hand_over(variable.get()))) == ["inside"]

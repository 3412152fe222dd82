"""Arithmetic on arrays that warns of nothing, and what it leaves alone."""

import threading
import warnings
from contextvars import ContextVar

import numpy as np
import pytest

from deqbench.equilibria.arrays import quiet

HUGE = np.array([1e308])


@quiet
def square(x):
    return x * x


def test_nothing_is_warned_of_within_and_everything_without():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isinf(square(HUGE)).all()
        assert np.isnan(quiet(np.subtract)(np.inf, np.inf))
        with pytest.raises(RuntimeWarning, match="overflow"):
            HUGE * HUGE


def test_the_callers_own_choice_is_his_again_afterwards():
    with np.errstate(over="raise"):
        square(HUGE)
        with pytest.raises(FloatingPointError):
            HUGE * HUGE


def test_quiet_functions_may_call_each_other_and_raise():
    @quiet
    def failing(x):
        square(x)
        raise ValueError("as it was")

    with pytest.raises(ValueError, match="as it was"):
        failing(HUGE)
    assert np.isinf(quiet(lambda x: square(x) + x * x)(HUGE)).all()


def test_threads_are_quiet_at_the_same_time():
    inside, found = threading.Barrier(2, timeout=30), []

    @quiet
    def meet(x):
        inside.wait()
        return x * x

    def work():
        with warnings.catch_warnings():
            found.append(meet(HUGE))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 2


def test_what_a_context_variable_is_outside_stays():
    depth = ContextVar("depth", default=0)

    @quiet
    def dive():
        depth.set(depth.get() + 1)
        return depth.get()

    depth.set(5)
    assert dive() == 1
    assert depth.get() == 5

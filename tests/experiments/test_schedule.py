"""When a run is observed and when it ends."""

from __future__ import annotations

import pytest

from deqbench.errors import ConfigurationError
from deqbench.experiments.schedule import Budget, Deadline, Schedule


def observed_steps(budget, evaluations, epochs_a_step, steps=1000):
    schedule, seen, step = Schedule(budget, evaluations), [], 0
    while budget.spent(step, step * epochs_a_step) < 1 and step < steps:
        step += 1
        if schedule.due(step, step * epochs_a_step):
            seen.append(step)
    return seen


def test_observations_are_even_in_the_steps_of_a_full_batch_trainer():
    assert observed_steps(Budget(epochs=100), 5, 1.0) == [20, 40, 60, 80, 100]


def test_observations_are_even_in_the_epochs_of_a_minibatch_trainer():
    assert observed_steps(Budget(epochs=10), 10, 0.1) == list(range(10, 101, 10))


def test_a_step_of_many_passes_is_observed_each_time():
    assert observed_steps(Budget(epochs=10), 20, 4.0) == [1, 2, 3]


def test_a_tenth_summed_ten_times_is_one_epoch():
    assert Budget(epochs=1.0).spent(10, sum([0.1] * 10)) == 1.0


def test_the_first_limit_that_is_spent_ends_the_run():
    assert observed_steps(Budget(epochs=100, steps=6), 3, 1.0) == [2, 4, 6]


def test_more_observations_than_steps_observe_every_step():
    assert observed_steps(Budget(steps=3), 50, 1.0) == [1, 2, 3]


def test_no_observations_between_leave_the_last():
    assert observed_steps(Budget(steps=7), 0, 1.0) == [7]


def test_a_budget_without_limits_is_refused():
    with pytest.raises(ConfigurationError, match=r"set budget\.epochs or budget\.steps"):
        Budget.of({"budget": {"epochs": None, "steps": None}})


def test_a_deadline_passes():
    assert Deadline.after(0.0).passed
    assert not Deadline.after(60.0).passed
    assert not Deadline.after(None).passed

"""How what a trial raised becomes its status, and what it observed survives."""

from __future__ import annotations

import json
import math

import pytest
import torch

from deqbench.errors import InapplicableError, NonFiniteError, PluginError
from deqbench.experiments.course import Course, ending_of
from deqbench.records import Status


def raised(error):
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InapplicableError("needs an affine map"), Status.SKIPPED),
        (NonFiniteError("the loss is nan"), Status.DIVERGED),
        (MemoryError(), Status.OUT_OF_MEMORY),
        (torch.OutOfMemoryError("CUDA out of memory."), Status.OUT_OF_MEMORY),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), Status.OUT_OF_MEMORY),
        (RuntimeError("shapes cannot be multiplied"), Status.ERROR),
        (ValueError("not enough memory of the past"), Status.ERROR),
        (PluginError("the plugin is broken"), Status.ERROR),
    ],
)
def test_an_exception_becomes_its_status(error, status):
    assert ending_of(raised(error)).status is status


def test_a_refused_allocation_is_out_of_memory():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert ending_of(caught.value).status is Status.OUT_OF_MEMORY


def test_an_error_keeps_its_name_and_its_last_lines():
    ending = ending_of(raised(ValueError("the answer is 41\nand more")))
    assert ending.reason == "ValueError: the answer is 41"
    assert "test_course.py" in ending.detail
    assert len(ending.detail.splitlines()) <= 20


def test_an_error_without_a_message_has_a_reason():
    assert ending_of(raised(LookupError())).reason == "LookupError"


def test_every_observation_is_emitted_as_json_at_once():
    emitted = []
    course = Course(emitted.append)
    course.observe(3, 1.5, 0.25, {"train_loss": 0.5, "test_accuracy": math.nan})
    assert json.loads(json.dumps(emitted, allow_nan=False)) == [
        [3, 1.5, 0.25, "train_loss", 0.5],
        [3, 1.5, 0.25, "test_accuracy", None],
    ]


def test_metrics_are_the_last_value_of_each_curve():
    course = Course(lambda value: None)
    course.observe(0, 0, 0, {"loss": 2.0, "early": 1.0})
    course.observe(1, 1, 1, {"loss": 1.0})
    assert course.metrics == {"loss": 1.0, "early": 1.0}


def test_costs_that_are_not_finite_are_none():
    course = Course(lambda value: None, costs={"worst": math.inf, "steps": 3, "peak_bytes": None})
    assert course.finite_costs == {"worst": None, "steps": 3, "peak_bytes": None}

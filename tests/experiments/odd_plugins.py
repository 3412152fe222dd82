"""Components that misbehave in one way each, and one data set that draws from the global generators."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from deqbench.plugin import Entry, InapplicableError, Iterate, NonFiniteError, Split, Splits, Task, hookimpl


@dataclass(frozen=True)
class Failing:
    """A trainer that makes two steps, then fails in a chosen way."""

    how: str = "raise"

    def steps(self, objective):
        """Yield two losses, then fail."""
        for _ in range(2):
            yield objective.backward()
        yield from _FAILURES[self.how](objective)


def _raise(objective):
    raise ValueError("the trainer fell over")
    yield


def _nan(objective):
    yield objective.backward() * float("nan")


def _not_finite(objective):
    raise NonFiniteError("the gradient is infinite")
    yield


def _inapplicable(objective):
    raise InapplicableError("needs a convex loss")
    yield


def _memory(objective):
    yield torch.empty(2**60)


def _poison(objective):
    with torch.no_grad():
        for parameter in objective.parameters:
            parameter.fill_(float("inf"))
    yield torch.tensor(1.0)


def _done(objective):
    return
    yield


def _slow(objective):
    while True:
        time.sleep(0.02)
        yield objective.backward()


_FAILURES = {
    "raise": _raise,
    "not-a-number": _nan,
    "not-finite": _not_finite,
    "inapplicable": _inapplicable,
    "memory": _memory,
    "poison": _poison,
    "done": _done,
    "slow": _slow,
}


@dataclass(frozen=True)
class Noisy:
    """A trainer that draws from every global generator."""

    def steps(self, objective):
        """Move parameters at random."""
        while True:
            with torch.no_grad():
                for parameter in objective.parameters:
                    parameter.add_(torch.randn_like(parameter), alpha=0.1 * np.random.rand())  # noqa: NPY002 -- the point
            yield objective.backward()


def _drawn():
    return torch.from_numpy(np.random.randn(8))  # noqa: NPY002 -- the global generator is the point


@dataclass(frozen=True)
class Careless:
    """A data set that draws from the global generators."""

    def load(self, seed):
        """Return Gaussian noise."""
        parts = (Split(torch.randn(8, 2), _drawn()) for _ in range(3))
        return Splits(*parts, Task.REGRESSION, 1)


@dataclass(frozen=True)
class Broken:
    """A data set with one mistake."""

    mistake: str = "nan"

    def load(self, seed):
        """Return splits with the mistake in validation."""
        y = torch.arange(8) % 2
        val = {
            "nan": Split(torch.full((8, 2), float("nan")), y),
            "length": Split(torch.zeros(8, 2), y[:5]),
            "labels": Split(torch.zeros(8, 2), y + 1),
            "empty": Split(torch.zeros(0, 2), y[:0]),
        }[self.mistake]
        good = Split(torch.randn(8, 2), y)
        return Splits(good, val, good, Task.CLASSIFICATION, 2)


@dataclass(frozen=True)
class Meddling:
    """A probe that evaluates the objective, draws numbers and changes the default dtype of nothing."""

    def observe(self, view):
        """Return one number drawn from the probe's stream."""
        view.objective.value()
        view.objective.backward()
        return {"drawn": float(torch.rand(()))}


@dataclass(frozen=True)
class Unmoved:
    """A solver that never comes nearer."""

    def init(self, f, z0):
        """Return the start."""
        return Iterate(z0, f(z0))

    def step(self, f, state):
        """Return the same point again."""
        return Iterate(state.z, f(state.z))


@dataclass(frozen=True)
class NoisyModel:
    """A linear module whose starting point comes from torch's generator."""

    implicit: ClassVar[bool] = False

    def build(self, inputs, outputs):
        """Return a linear module."""
        return torch.nn.Linear(inputs[0], outputs)


@hookimpl
def deqbench_trainers():
    return [Entry("failing", Failing), Entry("noisy", Noisy)]


@hookimpl
def deqbench_datasets():
    return [Entry("careless", Careless), Entry("broken", Broken)]


@hookimpl
def deqbench_probes():
    return [Entry("meddling", Meddling)]


@hookimpl
def deqbench_solvers():
    return [Entry("unmoved", Unmoved)]


@hookimpl
def deqbench_models():
    return [Entry("plain", NoisyModel)]

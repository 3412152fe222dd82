"""Solvers that fail in each way a solver can; a bare plugin for the end-to-end tests."""

from __future__ import annotations

import ctypes
import time

import torch

from deqbench.plugin import Entry, Iterate, hookimpl


class Raises:
    """Raise in the second step of the search."""

    def init(self, f, z0):
        return Iterate(z0, f(z0))

    def step(self, f, state):
        raise RuntimeError("this solver was made to raise")


class TurnsNan(Raises):
    """Return NaN."""

    def step(self, f, state):
        z = state.z * float("nan")
        return Iterate(z, f(z))


class Hangs(Raises):
    """Hold on for longer than anybody waits."""

    def step(self, f, state):
        time.sleep(60)


class Crashes(Raises):
    """Read address zero, in C."""

    def step(self, f, state):
        ctypes.string_at(0)


class EatsMemory(Raises):
    """Take memory until somebody objects."""

    def step(self, f, state):
        eaten = []
        while True:
            eaten.append(torch.ones(2**25))


@hookimpl
def deqbench_solvers():
    """Offer them."""
    return [
        Entry("raises", Raises),
        Entry("turns-nan", TurnsNan),
        Entry("hangs", Hangs),
        Entry("crashes", Crashes),
        Entry("eats-memory", EatsMemory),
    ]

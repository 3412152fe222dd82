"""Solvers that each break one rule, and one of each shape that breaks none."""

import random

import numpy as np
import torch

from deqbench.equilibria.maps import Counter
from deqbench.plugin import Iterate


class Plain:
    """Fixed-point iteration."""

    def init(self, f, z0):
        return Iterate(z0, f(z0))

    def step(self, f, state):
        return Iterate(state.fz, f(state.fz))


class Loop:
    """Fixed-point iteration as a closed loop."""

    def solve(self, f, z0, stop):
        z = z0
        for _ in range(stop.max_calls):
            z = f(z)
        return z


class StaleValue(Plain):
    """Reports the value of the point before."""

    def step(self, f, state):
        f(state.fz)
        return Iterate(state.fz, state.fz)


class ForgedValue(Plain):
    """Moves the point onto its value, behind autograd's version counter."""

    def step(self, f, state):
        following = Iterate(state.fz, f(state.fz))
        following.z.data.copy_(following.fz)
        return following


class ForgedWitness(Plain):
    """Tells the map what it is to have said."""

    def step(self, f, state):
        f(state.fz)
        f.z, f.fz = state.fz, state.fz.clone()
        f.versions = (f.z._version, f.fz._version)
        return Iterate(f.z, f.fz)


class Vouches(Plain):
    """Vouches to the map for what the map never said."""

    def step(self, f, state):
        following = Iterate(f(state.fz), state.fz.clone())
        f.vouch(*following)
        return following


class LateLie(Plain):
    """Is honest until it is near."""

    def step(self, f, state):
        following = Iterate(state.fz, f(state.fz))
        if float((following.fz - following.z).norm()) < 1e-3:
            following.z.data.copy_(following.fz)
        return following


class CountsOnItself(Plain):
    """Damps by how often it has been called."""

    def __init__(self):
        self.steps = 0

    def init(self, f, z0):
        self.steps = 0
        return super().init(f, z0)

    def step(self, f, state):
        self.steps += 1
        z = state.z.lerp(state.fz, 1 - 0.5**self.steps)
        return Iterate(z, f(z))


class WarmStart(Plain):
    """Starts where it ended before."""

    def __init__(self):
        self.last = None

    def init(self, f, z0):
        z0 = z0 if self.last is None or self.last.shape != z0.shape else self.last
        return super().init(f, z0)

    def step(self, f, state):
        self.last = state.fz
        return super().step(f, state)


class WarmLoop(Loop):
    """Starts where it ended before."""

    def __init__(self):
        self.last = None

    def solve(self, f, z0, stop):
        z = z0 if self.last is None or self.last.shape != z0.shape else self.last
        for _ in range(stop.max_calls):
            self.last = z = f(z)
        return z


class DrawsFromTorch(Plain):
    """Jitters by torch's generator."""

    def step(self, f, state):
        z = state.fz + 1e-13 * torch.rand_like(state.fz)
        return Iterate(z, f(z))


class DrawsFromNumpy(Plain):
    """Jitters by numpy's generator."""

    def step(self, f, state):
        z = state.fz + 1e-13 * np.random.rand()  # noqa: NPY002 -- that is its fault
        return Iterate(z, f(z))


class DrawsFromPython(Plain):
    """Jitters by Python's generator."""

    def step(self, f, state):
        z = state.fz + 1e-13 * random.random()
        return Iterate(z, f(z))


class DrawsAndPutsBack(Plain):
    """Jitters by torch's generator, whose state it restores."""

    def step(self, f, state):
        with torch.random.fork_rng(devices=[]):
            z = state.fz + 1e-13 * torch.rand_like(state.fz)
        return Iterate(z, f(z))


class LoopThatDraws(Loop):
    """Jitters by numpy's generator, in a closed loop."""

    def solve(self, f, z0, stop):
        return super().solve(f, z0 + 1e-6 * np.random.rand(), stop)  # noqa: NPY002 -- that is its fault


class BypassesTheCounter(Plain):
    """Looks one step ahead where nobody counts."""

    def step(self, f, state):
        z = f.function(state.fz, *f.inputs)
        return Iterate(z, f(z))


class BypassesInALoop(Loop):
    """The same in a closed loop."""

    def solve(self, f, z0, stop):
        z = z0
        for _ in range(stop.max_calls):
            z = f(f.function(z, *f.inputs))
        return z


class TakesCallsBack(Plain):
    """Uncounts every second call."""

    def step(self, f, state):
        z = f(state.fz)
        f.counter.calls -= 1
        f.counter.sample_calls -= len(z)
        return Iterate(z, f(z))


class InventsCalls(Plain):
    """Counts calls that it did not make."""

    def step(self, f, state):
        f.counter.calls += 1
        return super().step(f, state)


class SwapsTheCounter(Plain):
    """Puts a counter of its own in place."""

    def step(self, f, state):
        f.counter = Counter()
        return super().step(f, state)


class WritesIntoItsStart(Plain):
    """Uses the start as its buffer."""

    def init(self, f, z0):
        z0.mul_(0.5)
        return super().init(f, z0)


class WritesIntoItsState(Plain):
    """Uses the state before as its buffer."""

    def step(self, f, state):
        state.z.copy_(state.fz)
        return Iterate(state.z, f(state.z))


class LoopThatWrites(Loop):
    """Uses the start as its buffer, in a closed loop."""

    def solve(self, f, z0, stop):
        for _ in range(stop.max_calls):
            z0.copy_(f(z0))
        return z0


class MixesSamples(Plain):
    """Adds the mean step of the batch."""

    def step(self, f, state):
        z = state.fz + 0.01 * (state.fz - state.z).mean(0)
        return Iterate(z, f(z))


class LoopThatMixes(Loop):
    """Damps by the batch's greatest step."""

    def solve(self, f, z0, stop):
        z = z0
        for _ in range(stop.max_calls):
            step = f(z) - z
            z = z + step / (1 + step.abs().max())
        return z


class SpoiledByOne(Plain):
    """Decides for all samples by a sum over the batch."""

    def step(self, f, state):
        gap = (state.fz - state.z).square().sum()
        z = torch.where(gap >= 0, state.fz, state.z)
        return Iterate(z, f(z))

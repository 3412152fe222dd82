"""Maps that a search is shown in place of the counted one, so that a judge has its say in every call."""

from __future__ import annotations

from contextlib import suppress

import torch
from torch import Tensor

from deqbench.equilibria.looks import Judge
from deqbench.equilibria.maps import Map, edits
from deqbench.interfaces import ExternalSolver


class HeldMap(Map):
    """The map, but f(z) = z for the samples that are done: their search stands still, in any solver."""

    __slots__ = ("judge",)

    def __init__(self, f: Map, judge: Judge) -> None:
        super().__init__(f.function, f.inputs, f.counter)
        self.judge = judge

    def __call__(self, z: Tensor) -> Tensor:
        """Return f(z), but z in the rows that are done."""
        fz = super().__call__(z)
        active = self.judge.active
        if active is None:
            return fz
        self.fz = torch.where(active.reshape(-1, *[1] * (z.dim() - 1)), fz, z)
        self.versions = (edits(z), edits(self.fz))
        return self.fz


class _Enough(BaseException):
    """Ends an external solver from inside the map; no ``except Exception`` of theirs holds it."""


class _WatchedMap(Map):
    """The map as an external solver sees it: what is due is judged before it is returned."""

    __slots__ = ("before", "judge", "judged")

    def __init__(self, f: Map, judge: Judge) -> None:
        super().__init__(f.function, f.inputs, f.counter)
        self.judge, self.judged = judge, False
        self.before = f.counter.calls

    def __call__(self, z: Tensor) -> Tensor:
        """Return f(z); of ``check_every`` calls one is judged, and the one that spends the limit."""
        fz = super().__call__(z)
        calls, stop = self.spent, self.judge.stop
        every = 1 if stop.check_every == "auto" else stop.check_every
        self.judged = calls >= stop.max_calls or (every is not None and calls % every == 0)
        if self.judged:
            self._judge(z, fz, calls)
        return fz

    @property
    def spent(self) -> int:
        """Calls of this search."""
        return self.counter.calls - self.before

    def conclude(self, z: Tensor) -> None:
        """Judge the solver's answer, (B, *s), if it was not; one that was never evaluated is, and charged."""
        if self.z is None or not torch.equal(z, self.z):
            self(z)
        if not self.judged:
            assert self.z is not None, "it has been called"
            assert self.fz is not None, "likewise"
            self._judge(self.z, self.fz, self.spent)
        self.judge.concede(self.spent)

    def _judge(self, z: Tensor, fz: Tensor, calls: int) -> None:
        if self.judge.observe(z.detach().clone(), fz, calls) == 0:
            raise _Enough
        if calls >= self.judge.stop.max_calls:
            self.judge.give_up(calls)
            raise _Enough


def watch(solver: ExternalSolver, f: Map, z0: Tensor, judge: Judge) -> int:
    """Run somebody else's loop until the judge is satisfied or it ends; return its calls."""
    watched = _WatchedMap(f, judge)
    with suppress(_Enough):
        watched.conclude(solver.solve(watched, z0, judge.stop))
    return watched.spent

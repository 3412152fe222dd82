"""How an equilibrium is looked for: ``drive`` steps a solver, counts, judges and stops, per sample.

A solver is pure (``init``, ``step``), so between two steps the core may read the true residual, freeze
samples that are done, drop them from the batch, and keep each sample's best finite iterate.
"""

from __future__ import annotations

import functools
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor

from deqbench.equilibria.affine import AffineMap
from deqbench.equilibria.batch_judge import BatchJudge
from deqbench.equilibria.host_ends import HostVerdict
from deqbench.equilibria.host_judge import HostJudge
from deqbench.equilibria.judging import SingleVerdict, SolveStatus, Stop, TracePoint, Verdict
from deqbench.equilibria.looks import Judge, looks
from deqbench.equilibria.maps import Counter, Map, flat_rows
from deqbench.equilibria.narrowing import narrowed
from deqbench.equilibria.single_judge import SingleJudge
from deqbench.equilibria.watching import HeldMap, watch
from deqbench.errors import ConfigurationError
from deqbench.interfaces import ExternalSolver, Solver

__all__ = [
    "AffineMap",
    "Counter",
    "Map",
    "Solution",
    "SolveStatus",
    "Stop",
    "TracePoint",
    "drive",
    "flat_rows",
    "rejudged",
]

SMALL = 2**16
"""Entries of a batch that is narrowed a step later than it could be: that costs as much as a call on it."""

HOST_READS = True
"""Whether what lies on the CPU is judged on arrays; else on tensors, as on a device."""


@dataclass(frozen=True)
class Solution:
    """What came of one solve.

    Attributes:
        verdict: What came of each sample.
        steps: Steps of the solver.
        trace: Every check, ragged, where it was asked for; else empty.
        state: The solver's last state on the whole batch, where it was asked for; else None.
    """

    verdict: Verdict | HostVerdict | SingleVerdict
    steps: int
    trace: tuple[TracePoint, ...] = ()
    state: Any = None

    @property
    def z(self) -> Tensor:
        """Best finite iterate of each sample, (B, *s): what ``residual`` was measured at.

        If the solve was to be differentiable it is f there, so that even a start that solves it has a graph.
        """
        return self.verdict.z

    @property
    def status(self) -> Tensor:
        """``SolveStatus`` of each sample, (B,) int8."""
        return self.verdict.status

    @property
    def residual(self) -> Tensor:
        """In the norm of the ``Stop``, (B,); inf where no iterate was finite."""
        return self.verdict.residual

    @property
    def calls(self) -> Tensor:
        """Calls of the map until the sample was done, (B,) int32."""
        return self.verdict.calls

    @property
    def converged(self) -> Tensor:
        """Which samples met the tolerance, (B,) bool."""
        return self.status == SolveStatus.CONVERGED

    def at(self, z: Tensor) -> Solution:
        """Return the same of other iterates, (B, *s): detached ones, say."""
        return replace(self, verdict=self.verdict.at(z))


def drive(  # noqa: PLR0913 -- five of the nine are switches with defaults
    solver: Solver | ExternalSolver,
    f: Map,
    z0: Tensor,
    stop: Stop,
    *,
    differentiable: bool = False,
    trace: bool = False,
    keep_state: bool = False,
    hold: bool = True,
    unit_start: bool = False,
) -> Solution:
    """Look for z = f(z) from z0 and return what was found, sample by sample.

    Residuals are of pairs (z, f(z)) that the counted map itself returned; a state it cannot vouch for
    is evaluated once more, and charged. Samples that are done are frozen; they leave the batch
    when at most half of it is still searching, a small one a step later (only if the map has inputs,
    for a map without any may hide tensors of B rows that cannot be narrowed).

    Args:
        solver: A stepwise or an external solver.
        f: The counted map.
        z0: Start, (B, *s), B >= 0.
        stop: Tolerance, norm, limit of calls.
        differentiable: Keep the graph of the solver's steps (stepwise solvers only).
        trace: Keep the residuals of every check.
        keep_state: Keep the last state of a stepwise solver. No sample then leaves the batch; one that is
            done is held where it is, by telling the solver f(z) = z there.
        hold: With ``keep_state``; False: samples that are done are moved on with the rest.
        unit_start: z0 is f(0) and has unit length in each sample, as an adjoint equation's; to plan looks by.

    Raises:
        ConfigurationError: The solver cannot be differentiated through, or the map changes shapes.
    """
    # This runs cold, between two calls of a map: every switch of a mode and every question to a tensor costs.
    with nullcontext() if differentiable or not torch.is_grad_enabled() else torch.no_grad():
        judge = _judge(z0, stop, image=differentiable, trace=f.counter if trace else None)
        state = None
        if z0.shape[0] == 0:
            steps = 0
        elif _stepwise(type(solver)) or isinstance(solver, Solver):
            switches = {"keep_state": keep_state, "hold": hold, "unit_start": unit_start}
            steps, state = _step(cast("Solver", solver), f, z0, judge, **switches)
        elif differentiable:
            raise ConfigurationError(
                f"{type(solver).__name__} is an external solver; its steps cannot be differentiated. "
                "Use the gradient 'implicit' or 'one-step', or a solver with init and step."
            )
        else:
            steps = watch(solver, f, z0, judge)
        return Solution(judge.verdict(), steps, tuple(judge.trace), state if keep_state else None)


@functools.cache
def _stepwise(kind: type) -> bool:
    """Whether this class is a solver's: asking a protocol costs as much as a small map."""
    return issubclass(kind, Solver)


def _judge(z0: Tensor, stop: Stop, *, image: bool = False, trace: Counter | None = None) -> Judge:
    kind: type[Judge] = BatchJudge
    if HOST_READS and z0.is_cpu and (rows := z0.shape[0]):
        kind = SingleJudge if rows == 1 else HostJudge
    return kind(z0, stop, image=image, trace=trace)


def _step(  # noqa: PLR0913 -- three of the seven are switches
    solver: Solver, f: Map, z0: Tensor, judge: Judge, *, keep_state: bool, hold: bool, unit_start: bool
) -> tuple[int, Any]:
    """Step until every sample is done or the calls are spent; return the steps taken and the last state."""
    counter, steps = f.counter, 0
    before, limit = counter.calls, judge.stop.max_calls
    f = HeldMap(f, judge) if keep_state and hold else f
    # A compiled solver wants one size: it would be compiled anew for every other.
    shrinks = bool(f.inputs) and not keep_state and not getattr(solver, "whole_batch", False)
    several = getattr(solver, "steps", None)  # many steps at once, of one call each
    several = several if callable(several) else None  # a parameter may have the same name
    look = looks(judge, several=several is not None, unit_start=unit_start)
    waited = False
    state = solver.init(f, z0)
    while True:
        calls = counter.calls - before
        # Steps are bounded too: a step that calls nothing would never spend the limit.
        spent = calls >= limit or steps >= limit
        if spent or steps == look.due:
            z, fz = state.z, state.fz
            if not f.witnessed(z, fz):
                fz = f(z)
                calls = counter.calls - before
            left = look.at(z, fz, calls, steps)
            if left == 0:
                return steps, state
            if spent:
                judge.give_up(calls)
                return steps, state
            if shrinks and 2 * left <= judge.width:
                waited = not waited and look.due == steps + 1 and z.numel() <= SMALL
                if not waited:
                    f, state = narrowed(judge, look, f, state)
        if several is None or look.due == steps + 1:
            state = solver.step(f, state)
            steps += 1
        else:
            ahead = min(limit - max(calls, steps), look.due - steps if look.due > steps else limit)
            # Handed over, not shown: memory that nobody holds while the steps are taken serves them.
            held, state, z, fz = [state], None, None, None
            state = several(f, held.pop(), ahead)
            steps += ahead


def rejudged(solution: Solution, z0: Tensor, stop: Stop) -> Solution:
    """Return the solution at its last state instead of its best iterates, wherever that state is finite."""
    last = _judge(z0, stop)
    last.observe(solution.state.z, solution.state.fz, int(solution.calls.max()))
    found = last.verdict()
    finite = torch.isfinite(found.residual)
    missed = torch.where(solution.converged, int(SolveStatus.MAX_CALLS), solution.status)
    status = torch.where(found.status == SolveStatus.CONVERGED, found.status, missed)
    rejudged = Verdict(
        torch.where(finite.reshape(-1, *[1] * (z0.dim() - 1)), solution.state.z, solution.z),
        torch.where(finite, found.residual, solution.residual),
        torch.where(finite, status, solution.status).to(torch.int8),
        solution.calls,
    )
    return replace(solution, verdict=rejudged)

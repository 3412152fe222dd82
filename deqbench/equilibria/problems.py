"""One equilibrium to be found and connected, and its adjoint equation: what a ``Gradient`` works with."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from deqbench.equilibria.adjoints import Pullback, row_lengths
from deqbench.equilibria.ledger import Ledger, Totals
from deqbench.equilibria.maps import Counter, Function, Map
from deqbench.equilibria.monotone import MonotoneMap
from deqbench.equilibria.solving import Solution, Stop, drive, rejudged
from deqbench.equilibria.unconverged import Unconverged, respond
from deqbench.interfaces import ExternalSolver, Solver

AnySolver = Solver | ExternalSolver


@dataclass(frozen=True)
class Problem:
    """One equilibrium to be found and connected: what a ``Gradient`` gets.

    Attributes:
        f: The counted map.
        z0: Start, (B, *s).
        solver: What looks for it.
        stop: When that ends.
        ledger: Where solves, forward and backward, are recorded.
        totals: The half of the ledger this problem's own solves belong to.
        unconverged: Whether a missed tolerance is recorded, warned of or raised.
    """

    f: Map
    z0: Tensor
    solver: AnySolver
    stop: Stop
    ledger: Ledger
    totals: Totals
    unconverged: Unconverged = "record"

    @property
    def is_adjoint(self) -> bool:
        """Whether this is an adjoint equation: its calls are products, its start f(0) has unit length."""
        return self.totals is self.ledger.backward

    def solve(self, *, differentiable: bool = False) -> Tensor:
        """Return z*, (B, *s): detached, or attached through the solver's steps."""
        f = Map(self.f.function, self.f.inputs)
        z0 = self.z0 if differentiable else self.z0.detach()
        try:
            solution = drive(
                self.solver, f, z0, self.stop, differentiable=differentiable, unit_start=self.is_adjoint
            )
        finally:
            self._charge(f.counter)
        self._record(solution)
        return solution.z if differentiable else solution.z.detach()

    def solve_keeping(self, solver: Solver, *, hold: bool = True) -> tuple[Tensor, Any]:
        """Solve by a stepwise solver: z*, (B, *s), detached, and the solver's last state of all samples.

        Args:
            solver: The problem's own, or what a gradient brings with it.
            hold: Whether samples that are done stay where they are; else they move on with the rest, z* is
                the last state's z, and its residual is what is recorded.
        """
        f, z0 = Map(self.f.function, self.f.inputs), self.z0.detach()
        try:
            solution = drive(solver, f, z0, self.stop, keep_state=True, hold=hold)
        finally:
            self._charge(f.counter)
        if not hold and solution.state is not None:
            solution = rejudged(solution, z0, self.stop)
        self._record(solution)
        return solution.z.detach(), solution.state

    def attach(self, z: Tensor, watch: AbstractContextManager[Any] | None = None) -> tuple[Tensor, Tensor]:
        """Return a leaf at z and f there with its graph: one call, charged.

        Args:
            z: Where, (B, *s).
            watch: Entered around the call of f alone.
        """
        leaf, function = z.detach().requires_grad_(), self.f.function

        def watched(point: Tensor, *inputs: Tensor) -> Tensor:
            with watch or nullcontext():
                return function(point, *inputs)

        f = Map(function if watch is None else watched, self.f.inputs)
        try:
            with torch.enable_grad():
                return leaf, f(leaf)
        finally:
            self._charge(f.counter)

    def call(self, z: Tensor) -> Tensor:
        """Return f(z), (B, *s), attached to what f depends on where gradients are on: one call, charged."""
        f = Map(self.f.function, self.f.inputs)
        try:
            return f(z)
        finally:
            self._charge(f.counter)

    def pullback(self, leaf: Tensor, fz: Tensor) -> Function:
        """Return v -> J^T v, (B, *s), from the graph of :meth:`attach`; each is charged as a backward vjp."""
        affine = self.f.affine
        linear = Pullback(leaf, fz, self).linear if affine is None else affine.T.linear

        def product(v: Tensor) -> Tensor:
            self.ledger.backward.vjps += 1
            return linear(v)

        return product

    def narrowed(self, f: Map) -> Problem:
        """Return the problem of some of its rows: the same but for the map."""
        return replace(self, f=Map(f.function, f.inputs))

    def _charge(self, counter: Counter) -> None:
        """Charge what a counter saw; the adjoint map's calls are products."""
        self.totals.add_calls(counter, adjoint=self.is_adjoint)

    def _record(self, solution: Solution) -> None:
        if self.totals is self.ledger.forward:
            self.ledger.record_forward(self.f, self.z0, solution)
        else:
            self.totals.add_outcome(solution)
        respond(self.unconverged, solution, self.stop, adjoint=self.is_adjoint)

    def adjoint(
        self, map_: Function, gradient: Tensor, *inputs: Tensor, solver: AnySolver, stop: Stop
    ) -> Problem:
        """Return the problem u = J^T u + gradient, started at the gradient and recorded as backward.

        Args:
            map_: u, gradient, *inputs -> J^T u + gradient, (B, *s).
            gradient: Of unit length for each sample (see :func:`unit_rows`), or zero.
            inputs: Further batch-first tensors that ``map_`` takes.
            solver: What solves it.
            stop: Tolerance, taken relative to the gradient's unit length, and limit of products.
        """
        return Problem(
            Map(map_, (gradient, *inputs)),
            gradient.detach(),
            solver,
            stop if stop.norm == "absolute" else replace(stop, norm="absolute"),
            self.ledger,
            self.ledger.backward,
            unconverged=self.unconverged,
        )

    def solve_adjoint(
        self, leaf: Tensor, fz: Tensor, gradient: Tensor, *, solver: AnySolver, stop: Stop
    ) -> Tensor:
        """Return u = J^T u + gradient, (B, *s), J taken from the graph that :meth:`attach` made.

        Solved for a gradient of unit length, sample by sample, so the loss's scale changes nothing.
        A gradient that is zero costs nothing. Every product is counted as a backward vjp.
        """
        length, greatest = row_lengths(gradient)
        if greatest == 0:
            return torch.zeros_like(gradient)
        unit = gradient / length
        if isinstance(self.f.function, MonotoneMap):
            dual, slope = self.f.function.adjoint(fz.detach(), *self.f.inputs[1:])
            v = self.adjoint(dual, unit, slope, solver=solver, stop=stop).solve()
            self.ledger.backward.vjps += 1
            return dual.inner(v, unit) * length
        affine = self.f.affine
        map_ = Pullback(leaf, fz, self) if affine is None else affine.T
        return self.adjoint(map_, unit, solver=solver, stop=stop).solve() * length

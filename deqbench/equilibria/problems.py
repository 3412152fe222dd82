"""One equilibrium to be found and connected, and its adjoint equation: what a ``Gradient`` works with."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from deqbench.equilibria.ledger import Ledger, Totals
from deqbench.equilibria.maps import Counter, Function, Map, flat_rows
from deqbench.equilibria.solving import Solution, Stop, drive
from deqbench.interfaces import ExternalSolver, Solver

AnySolver = Solver | ExternalSolver


class EquilibriumWarning(UserWarning):
    """An equilibrium was returned whose residual misses its tolerance."""


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
        quiet: Whether a missed tolerance is only recorded; otherwise it warns too.
    """

    f: Map
    z0: Tensor
    solver: AnySolver
    stop: Stop
    ledger: Ledger
    totals: Totals
    quiet: bool = True

    def solve(self, *, differentiable: bool = False) -> Tensor:
        """Return z*, (B, *s): detached, or attached through the solver's steps."""
        f = Map(self.f.function, self.f.inputs)
        z0 = self.z0 if differentiable else self.z0.detach()
        with _charging(self, f.counter):
            solution = drive(self.solver, f, z0, self.stop, differentiable=differentiable)
        self._record(solution)
        return solution.z if differentiable else solution.z.detach()

    def attach(self, z: Tensor, watch: AbstractContextManager[Any] | None = None) -> tuple[Tensor, Tensor]:
        """Return a leaf at z and f there with its graph: one call, charged.

        Args:
            z: Where, (B, *s).
            watch: Entered around the call of f alone.
        """
        leaf = z.detach().requires_grad_()
        f = Map(self.f.function, self.f.inputs)
        with _charging(self, f.counter), torch.enable_grad(), watch or nullcontext():
            return leaf, f(leaf)

    def _record(self, solution: Solution) -> None:
        if self.totals is self.ledger.forward:
            self.ledger.record_forward(self.f, self.z0, solution)
        else:
            self.totals.add_outcome(solution)
        if not self.quiet and not bool(solution.converged.all()):
            _warn_once(int((~solution.converged).sum()), float(solution.residual.max()), self.stop)

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
            replace(stop, norm="absolute"),
            self.ledger,
            self.ledger.backward,
            quiet=self.quiet,
        )

    def solve_adjoint(
        self, leaf: Tensor, fz: Tensor, gradient: Tensor, *, solver: AnySolver, stop: Stop
    ) -> Tensor:
        """Return u = J^T u + gradient, (B, *s), J taken from the graph that :meth:`attach` made.

        Solved for a gradient of unit length, sample by sample, so the loss's scale changes nothing.
        A gradient that is zero costs nothing. Every product is counted as a backward vjp.
        """
        if not bool(gradient.any()):
            return torch.zeros_like(gradient)
        unit, length = unit_rows(gradient)
        affine = self.f.affine
        map_ = _Pullback(leaf, fz, self) if affine is None else affine.T
        return self.adjoint(map_, unit, solver=solver, stop=stop).solve() * length


def unit_rows(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradient scaled to unit length in each sample, and the lengths, (B, 1, ...).

    The lengths are detached; a zero row stays zero, with length 1.
    """
    length: Tensor = torch.linalg.vector_norm(flat_rows(gradient.detach()), dim=1)
    length = torch.where(length > 0, length, 1.0).to(gradient.dtype)
    length = length.reshape(-1, *[1] * (gradient.dim() - 1))
    return gradient / length, length


class _Pullback:
    """u -> J^T u + g through one recorded graph of f; narrowing to some rows records it anew."""

    def __init__(self, leaf: Tensor, fz: Tensor, problem: Problem) -> None:
        self.leaf, self.fz, self.problem = leaf, fz, problem

    def __call__(self, u: Tensor, gradient: Tensor) -> Tensor:
        return self.linear(u) + gradient

    def linear(self, v: Tensor) -> Tensor:
        """Return J^T v."""
        found = torch.autograd.grad(self.fz, self.leaf, v, retain_graph=True, allow_unused=True)[0]
        return torch.zeros_like(v) if found is None else found

    def rows(self, index: Tensor) -> Function:
        """Return the pull-back of the samples of ``index``: one call on them, far cheaper products."""
        f = Map(self.problem.f.function, self.problem.f.inputs)
        if not f.inputs:
            return _PartialPullback(self, index)
        narrowed = f.rows(index)
        leaf, fz = narrowed.linearise(self.leaf.detach().index_select(0, index))
        self.problem.ledger.backward.add_calls(f.counter)
        part = replace(self.problem, f=Map(narrowed.function, narrowed.inputs))
        return _Pullback(leaf, fz, part)


class _PartialPullback:
    """The pull-back of some rows of a map that cannot be narrowed: the others are fed zeros."""

    def __init__(self, whole: _Pullback, index: Tensor) -> None:
        self.whole, self.index = whole, index

    def __call__(self, u: Tensor, gradient: Tensor) -> Tensor:
        full = torch.zeros_like(self.whole.leaf).index_copy(0, self.index, u)
        return self.whole.linear(full).index_select(0, self.index) + gradient

    def rows(self, index: Tensor) -> Function:
        """Return the pull-back of fewer rows still."""
        return _PartialPullback(self.whole, self.index[index])


@contextmanager
def _charging(problem: Problem, counter: Counter) -> Iterator[None]:
    """Charge what a counter saw in the block, also when the block fails."""
    adjoint = problem.totals is problem.ledger.backward
    try:
        yield
    finally:
        problem.totals.add_calls(counter, adjoint=adjoint)


_warned: set[str] = set()


def _warn_once(count: int, residual: float, stop: Stop) -> None:
    if "unconverged" in _warned:
        return
    _warned.add("unconverged")
    warnings.warn(
        f"{count} sample(s) of an equilibrium missed the tolerance {stop.tolerance:g} ({stop.norm}) "
        f"within {stop.max_calls} calls; the worst residual is {residual:.2g}. Raise max_calls, "
        "change the solver, or pass a Ledger to keep count. This is said once a process.",
        EquilibriumWarning,
        stacklevel=4,
    )

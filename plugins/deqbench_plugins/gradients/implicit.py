"""The exact gradient of an equilibrium, by the implicit function theorem; works twice and more."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from deqbench.interfaces import ExternalSolver, Solver
from deqbench.plugin import Component
from deqbench_plugins.gradients.hidden import Hidden, Replaced, refuse_unknown_leaves

if TYPE_CHECKING:
    from deqbench.equilibria.binding import AnySolver, Problem
    from deqbench.equilibria.solving import Stop


_LEAST_TOLERANCE = {torch.float64: 6e-14, torch.float32: 3e-5, torch.float16: 8e-3, torch.bfloat16: 6e-2}
"""u may be hundreds of times longer than g, and the residual cannot fall below rounding units of u."""


@dataclass(frozen=True)
class Implicit:
    """Implicit differentiation: u = J^T u + g is solved for u, then dL/dtheta = u^T df/dtheta.

    One call of the map attaches z*; each iteration of the adjoint solve is one vector-Jacobian product,
    memory does not grow with the solver's steps. Under ``create_graph`` the adjoint solution is itself
    an equilibrium, attached the same way, so derivatives of any order are right.

    Source: S. Bai, J. Z. Kolter, V. Koltun (2019), "Deep Equilibrium Models", arXiv 1909.01377.
    """

    solver: Annotated[
        Solver | ExternalSolver | None,
        Component("solvers"),
        Field(description="Of the adjoint; None: the same."),
    ] = None
    tolerance: Annotated[
        float | None,
        Field(
            gt=0,
            description="Adjoint residual over the incoming gradient's length, per sample; None: the "
            "forward tolerance, or its default if that is not relative, but no less than the type allows.",
        ),
    ] = None
    max_products: Annotated[
        int | None, Field(ge=1, description="Limit of products; None: the forward limit of calls.")
    ] = None

    def attach(self, problem: Problem) -> Tensor:
        """Solve, then connect; the gradient's own solve happens in backward."""
        z = problem.solve()
        if not torch.is_grad_enabled():
            return z
        hidden = Hidden(problem.f.inputs)
        leaf, fz = problem.attach(z, hidden)
        plan = _Plan(self, problem, leaf, fz)
        attached: Tensor = _Implicit.apply(  # type: ignore[no-untyped-call]  # torch's is untyped
            plan, z, fz, *problem.f.inputs, *hidden.found.values()
        )
        return attached

    def adjoint_stop(self, stop: Stop, dtype: torch.dtype) -> Stop:
        """Return when the adjoint solve of a problem with this stop ends."""
        return _adjoint_stop(self.tolerance, self.max_products, stop, dtype)


@functools.lru_cache(maxsize=64)  # asked at every backward, of the same few
def _adjoint_stop(tolerance: float | None, most: int | None, stop: Stop, dtype: torch.dtype) -> Stop:
    if tolerance is None:
        forward = stop if stop.norm == "relative" else replace(stop, tolerance=None)
        tolerance = max(forward.tolerance_for(dtype), _LEAST_TOLERANCE.get(dtype, 0.0))
    return replace(stop, tolerance=tolerance, max_calls=most or stop.max_calls, norm="absolute")


@dataclass(frozen=True, eq=False)
class _Plan:
    """What backward needs: the problem, and the one recorded call of the map at z*."""

    gradient: Implicit
    problem: Problem
    leaf: Tensor
    fz: Tensor

    def adjoint_settings(self) -> tuple[AnySolver, Stop]:
        """Return solver and stop of the adjoint equation."""
        stop = self.gradient.adjoint_stop(self.problem.stop, self.fz.dtype)
        return self.gradient.solver or self.problem.solver, stop


class _Implicit(torch.autograd.Function):
    """(plan, z*, f(z*), inputs, hidden tensors) -> z*.

    A first derivative goes back through ``fz``, whose graph is recorded already. A second one needs the
    map as a function of all it depends on, so it goes back through these themselves.
    """

    @staticmethod
    def forward(ctx: Any, plan: _Plan, z: Tensor, _fz: Tensor, *tensors: Tensor) -> Tensor:
        ctx.plan = plan  # holds no output: that would be a cycle no collector sees
        attached = z.view_as(z)
        ctx.save_for_backward(attached, *tensors)
        return attached

    @staticmethod
    def backward(ctx: Any, incoming: Tensor) -> tuple[Tensor | None, ...]:
        plan: _Plan = ctx.plan
        if torch.is_grad_enabled():
            z, *tensors = ctx.saved_tensors
            return (None, None, None, *_differentiable_pull(plan, incoming, z, tensors))
        solver, stop = plan.adjoint_settings()
        u = plan.problem.solve_adjoint(plan.leaf, plan.fz, incoming, solver=solver, stop=stop)
        return (None, None, u, *(None,) * (len(ctx.needs_input_grad) - 3))


def _differentiable_pull(
    plan: _Plan, incoming: Tensor, z: Tensor, tensors: list[Tensor]
) -> list[Tensor | None]:
    """Return u^T df/dt for every tensor t, attached to z*, to the tensors and to the gradient."""
    problem, f = plan.problem, plan.problem.f.function
    u = _attached_adjoint(plan, incoming, z, tensors[: len(problem.f.inputs)])
    with torch.enable_grad():
        stand_ins = [tensor.view_as(tensor) for tensor in tensors]
        point = z.view_as(z)
        count = len(problem.f.inputs)
        swapped = {id(t): s for t, s in zip(tensors[count:], stand_ins[count:], strict=True)}
        with Replaced(swapped):
            fz = f(point, *stand_ins[:count])
        refuse_unknown_leaves(fz, [point, *stand_ins])
        wanted = [s for s in stand_ins if s.requires_grad]
        found = iter(
            torch.autograd.grad(fz, wanted, u, create_graph=True, allow_unused=True) if wanted else ()
        )
    return [next(found) if s.requires_grad else None for s in stand_ins]


def _attached_adjoint(plan: _Plan, incoming: Tensor, z: Tensor, inputs: list[Tensor]) -> Tensor:
    """Return u = J^T u + incoming as an equilibrium that can itself be differentiated."""
    from deqbench.equilibria.binding import unit_rows  # noqa: PLC0415 -- listing gradients costs no torch
    from deqbench.equilibria.monotone import MonotoneMap  # noqa: PLC0415 -- likewise

    problem, affine = plan.problem, plan.problem.f.affine
    solver, stop = plan.adjoint_settings()
    unit, length = unit_rows(incoming)
    if isinstance(problem.f.function, MonotoneMap):
        monotone = problem.f.function
        dual, slope = monotone.adjoint(monotone(z, *inputs), *inputs[1:])
        split = problem.adjoint(dual, unit, slope, solver=solver, stop=stop)
        v = Implicit(solver, stop.tolerance, stop.max_calls).attach(split)
        return dual.inner(v, unit) * length
    if affine is not None:
        adjoint = problem.adjoint(affine.T, unit, solver=solver, stop=stop)
    else:
        adjoint = problem.adjoint(_AdjointMap(problem), unit, z, *inputs, solver=solver, stop=stop)
    # The adjoint's own adjoint is solved as it is: same solver, same tolerance.
    return Implicit(solver, stop.tolerance, stop.max_calls).attach(adjoint) * length


class _AdjointMap:
    """u, g, z, *inputs -> J(z, *inputs)^T u + g: the adjoint equation as a map of all it depends on."""

    traceable = False  # it records a graph of its own: a compiled solver takes its steps uncompiled

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    def __call__(self, u: Tensor, gradient: Tensor, z: Tensor, *inputs: Tensor) -> Tensor:
        further = torch.is_grad_enabled()
        f: Callable[..., Tensor] = self.problem.f.function
        totals = self.problem.ledger.backward
        totals.map_calls += 1
        totals.sample_calls += z.shape[0]
        with torch.enable_grad():
            point = z.view_as(z) if further and z.requires_grad else z.detach().requires_grad_()
            fz = f(point, *inputs)
            product = torch.autograd.grad(fz, point, u, create_graph=further, allow_unused=True)[0]
        return gradient.clone() if product is None else product + gradient

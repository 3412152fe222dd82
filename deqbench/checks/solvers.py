"""Checks of solvers, on contractions whose equilibrium is known; what they report is in ``honesty``."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from deqbench.checks.contractions import BATCH, STEPS, Contraction, Tally, served, states, tensors
from deqbench.checks.honesty import HONESTY
from deqbench.equilibria.solving import SolveStatus, Stop, drive
from deqbench.interfaces import Solver


def solves_a_contraction(solver: Any) -> str | None:
    """It finds the equilibrium of a linear contraction."""
    for build in served(solver):
        problem = build()
        solution = drive(solver, problem.f, problem.z0, Stop(tolerance=1e-9, max_calls=500))
        missed = int((solution.status != SolveStatus.CONVERGED).sum())
        if missed:
            return f"{missed} of {BATCH} samples missed 1e-9 within 500 calls of a map of norm 0.5"
        error = float((solution.z - problem.exact).abs().max())
        if error > 1e-6:
            return f"it converged to a point {error:.1e} from the equilibrium"
    return None


def carries_the_batch_first(solver: Any) -> str | None:
    """Every tensor of its state carries the batch first."""
    for state in states(solver, served(solver)[0]()):
        wrong = [name for name, value in tensors(state).items() if value.shape[:1] != (BATCH,)]
        if wrong:
            return f"not so: {', '.join(wrong)}"
    return None


def reports_the_map(solver: Any) -> str | None:
    """The fz of its state is the map's value at z."""
    for build in served(solver):
        problem = build()
        for state in states(solver, problem, steps=12):
            error = float((problem.value(state.z) - state.fz).abs().max())
            if error > 1e-12:
                return f"fz is {error:.1e} away from f(z)"
    return None


def changes_nothing_in_place(solver: Any) -> str | None:
    """A step changes neither the start nor the state before it."""
    problem = served(solver)[0]()
    start, given = problem.z0.clone(), problem.inputs[0].clone()
    if isinstance(solver, Solver):
        f = problem.f
        state = solver.init(f, problem.z0)
        for _ in range(STEPS):
            before = {name: value.clone() for name, value in tensors(state).items()}
            following = solver.step(f, state)
            changed = [name for name, value in tensors(state).items() if not torch.equal(value, before[name])]
            if changed:
                return f"changed in place: {', '.join(changed)}"
            state = following
    else:
        drive(solver, problem.f, problem.z0, Stop(tolerance=1e-6, max_calls=50))
    if not torch.equal(given, problem.inputs[0]):
        return "changed in place: an input of the map"
    return None if torch.equal(start, problem.z0) else "changed in place: z0"


def keeps_its_state_in_its_state(solver: Any) -> str | None:
    """A step taken again from an earlier state, between the steps of another search, gives the same state."""
    if not isinstance(solver, Solver):
        return None
    build = served(solver)[0]
    problem, other = build(), build()
    f, g = problem.f, other.f
    path = [solver.init(f, problem.z0)]
    for _ in range(STEPS):
        path.append(solver.step(f, path[-1]))
    elsewhere = solver.init(g, 1 - other.z0)
    for state, following in pairwise(path):
        elsewhere = solver.step(g, elsewhere)
        again = tensors(solver.step(f, state))
        if any(not torch.equal(again[name], value) for name, value in tensors(following).items()):
            return "the step's result differs: something is kept outside the state"
    return None


def keeps_samples_apart(solver: Any) -> str | None:
    """A sample's iterates do not depend on the other samples of its batch."""
    for build in served(solver):
        together, alone = build(), build(slice(0, 1))
        pairs = zip(_iterates(solver, together), _iterates(solver, alone), strict=False)
        error = max(float((whole - single).abs().max()) for whole, single in pairs)
        if error > 1e-9:
            return f"alone, the first sample's iterate differs by {error:.1e}"
    return None


def _iterates(solver: Any, problem: Contraction) -> list[Tensor]:
    """Return the first sample's first iterates: of its states, or where the map was first evaluated."""
    if isinstance(solver, Solver):
        return [part[:1] for state in states(solver, problem) for part in (state.z, state.fz)]
    with Tally(problem.matrix) as tally:
        drive(solver, problem.f, problem.z0, Stop(tolerance=1e-9, max_calls=200))
    points = [point[:1] for point in tally.points]
    # A loop over samples, or over trial points, leaves a sample where it is for a while.
    moved = [b for a, b in pairwise(points) if not torch.equal(a, b)]
    return [points[0], *moved][: STEPS + 1]


def survives_a_failed_sample(solver: Any) -> str | None:
    """A sample that turns NaN changes no other sample's iterates."""
    build = served(solver)[0]
    others = [row for row in range(BATCH) if row != 1]
    for clean, failed in zip(states(solver, build()), states(solver, build(spoilt=1)), strict=True):
        error = float((clean.z[others] - failed.z[others]).abs().nan_to_num(torch.inf).max())
        if error > 1e-9:
            return f"beside a NaN, another sample's iterate differs by {error:.1e}"
    return None


CHECKS = (
    solves_a_contraction,
    carries_the_batch_first,
    reports_the_map,
    changes_nothing_in_place,
    keeps_its_state_in_its_state,
    keeps_samples_apart,
    survives_a_failed_sample,
    *HONESTY,
)

"""Checks of solvers, on linear contractions whose equilibrium is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor

from deqbench.equilibria.maps import AffineMap, Map
from deqbench.equilibria.solving import SolveStatus, Stop, drive
from deqbench.interfaces import Solver

BATCH, SIZE, STEPS = 5, 4, 3


def _matrix() -> Tensor:
    """A contraction of norm 0.5 that is not normal, (SIZE, SIZE)."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(SIZE, SIZE, generator=generator, dtype=torch.float64)
    norm: Tensor = torch.linalg.matrix_norm(matrix, ord=2)
    return matrix * (0.5 / norm)


def _problem(rows: slice = slice(None)) -> tuple[Map, Tensor, Tensor]:
    """Return the map z -> M z + b, a start, and the exact equilibrium, each of the chosen rows."""
    generator = torch.Generator().manual_seed(1)
    offset, z0 = torch.randn(2, BATCH, SIZE, generator=generator, dtype=torch.float64)
    matrix = _matrix()
    exact = torch.linalg.solve(torch.eye(SIZE, dtype=torch.float64) - matrix, offset.mT).mT
    return Map(AffineMap(matrix), (offset[rows],)), z0[rows], exact[rows]


def _states(solver: Any, rows: slice = slice(None)) -> Iterator[tuple[Map, Any]]:
    """Yield the first states, each with the map that it was computed by; none for an external solver."""
    if not isinstance(solver, Solver):
        return
    f, z0, _ = _problem(rows)
    state = solver.init(f, z0)
    yield f, state
    for _ in range(STEPS):
        state = solver.step(f, state)
        yield f, state


def _tensors(state: Any) -> dict[str, Tensor]:
    names = [field.name for field in fields(state)] if is_dataclass(state) else state._fields
    return {name: getattr(state, name) for name in names if isinstance(getattr(state, name), Tensor)}


def solves_a_contraction(solver: Any) -> str | None:
    """It finds the equilibrium of a linear contraction."""
    f, z0, exact = _problem()
    solution = drive(solver, f, z0, Stop(tolerance=1e-9, max_calls=500))
    missed = int((solution.status != SolveStatus.CONVERGED).sum())
    if missed:
        return f"{missed} of {BATCH} samples did not converge to 1e-9 within 500 calls of a map of norm 0.5"
    error = float((solution.z - exact).abs().max())
    return None if error < 1e-6 else f"it converged to a point {error:.1e} from the equilibrium"


def carries_the_batch_first(solver: Any) -> str | None:
    """Every tensor of its state carries the batch first."""
    for _, state in _states(solver):
        wrong = [name for name, value in _tensors(state).items() if value.shape[:1] != (BATCH,)]
        if wrong:
            return f"not so: {', '.join(wrong)}"
    return None


def reports_the_map(solver: Any) -> str | None:
    """The fz of its state is the map's value at z."""
    for f, state in _states(solver):
        error = float((f(state.z) - state.fz).abs().max())
        if error > 1e-12:
            return f"fz is {error:.1e} away from f(z)"
    return None


def changes_nothing_in_place(solver: Any) -> str | None:
    """A step changes neither the start nor the state before it."""
    if not isinstance(solver, Solver):
        return None
    f, z0, _ = _problem()
    start = z0.clone()
    state = solver.init(f, z0)
    for _ in range(STEPS):
        before = {name: value.clone() for name, value in _tensors(state).items()}
        following = solver.step(f, state)
        changed = [name for name, value in _tensors(state).items() if not torch.equal(value, before[name])]
        if changed:
            return f"changed in place: {', '.join(changed)}"
        state = following
    return None if torch.equal(start, z0) else "changed in place: z0"


def repeats_itself(solver: Any) -> str | None:
    """The same input gives the same states, bit by bit, without the global random generator."""
    generator = torch.get_rng_state()
    once = [_tensors(state) for _, state in _states(solver)]
    if not torch.equal(generator, torch.get_rng_state()):
        return "it draws from torch's global generator"
    for before, (_, state) in zip(once, _states(solver), strict=True):
        if any(not torch.equal(before[name], value) for name, value in _tensors(state).items()):
            return "a second run differs: something is kept outside the state"
    return None


def keeps_samples_apart(solver: Any) -> str | None:
    """A sample's iterates do not depend on the other samples of its batch."""
    for (_, whole), (_, alone) in zip(_states(solver), _states(solver, slice(0, 1)), strict=True):
        error = float((whole.z[:1] - alone.z).abs().max())
        if error > 1e-9:
            return f"alone, the first sample's iterate differs by {error:.1e}"
    return None


CHECKS = (
    solves_a_contraction,
    carries_the_batch_first,
    reports_the_map,
    changes_nothing_in_place,
    repeats_itself,
    keeps_samples_apart,
)

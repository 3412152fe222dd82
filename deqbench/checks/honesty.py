"""Checks that a solver is what its records say: residuals true, calls counted, paths repeatable."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from deqbench.checks.contractions import Contraction, Tally, served, states, tensors
from deqbench.equilibria.solving import Stop, drive

SEEDS = (3, 5)
"""Seeds of the global generators under which a solver runs; its results must not differ."""


def tells_the_true_residual(solver: Any) -> str | None:
    """The residual on record is that of the point it returns."""
    for build in served(solver):
        for tolerance in (1e-2, 1e-5, 1e-9):
            problem = build()
            solution = drive(solver, problem.f, problem.z0, Stop(tolerance=tolerance, max_calls=500))
            value = problem.value(solution.z)
            true = (value - solution.z).norm(dim=1) / value.norm(dim=1)
            wrong = (true - solution.residual).abs() > 0.1 * true + 1e-14
            if wrong.any():
                row = int(wrong.nonzero()[0])
                return f"{float(solution.residual[row]):.1e} is on record, {float(true[row]):.1e} is true"
    return None


def counts_what_it_asks(solver: Any) -> str | None:
    """Every evaluation of the map is counted, and none that was not made."""
    for build in served(solver):
        problem = build()
        f = problem.f
        counter = f.counter
        with Tally(problem.matrix) as tally:
            drive(solver, f, problem.z0, Stop(tolerance=1e-9, max_calls=500))
        charged = counter.calls + counter.vjps + counter.jvps
        if charged != tally.products:
            return f"{charged} calls and products are on record, {tally.products} were made"
        samples = counter.sample_calls + counter.sample_products
        if samples < tally.samples or (samples > tally.samples and not counter.resolvents):
            return f"{samples} on samples are on record, {tally.samples} were made"
    return None


def repeats_itself(solver: Any) -> str | None:
    """The same input gives the same states, bit by bit, without the global random generator."""
    with seeded(SEEDS[0]):
        build = served(solver)[0]
    for run in (_steps, _answer):
        trails = []
        for seed in SEEDS:
            with seeded(seed):
                before = generators()
                trails.append(run(solver, build()))
                touched = [name for name, state in generators().items() if state != before[name]]
            if touched:
                return f"it draws from {touched[0]}"
        if not _equal(*trails):
            return "a second run differs: something is kept outside the state, or drawn at random"
    return None


Trail = list[dict[str, torch.Tensor]]


def _steps(solver: Any, problem: Contraction) -> Trail:
    """Return the first states of a stepwise solver."""
    return [tensors(state) for state in states(solver, problem)]


def _answer(solver: Any, problem: Contraction) -> Trail:
    """Return what a whole search found, and at which calls."""
    solution = drive(solver, problem.f, problem.z0, Stop(tolerance=1e-9, max_calls=500))
    return [{"z": solution.z, "calls": solution.calls}]


def _equal(once: Trail, again: Trail) -> bool:
    return len(once) == len(again) and all(
        a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
        for a, b in zip(once, again, strict=True)
    )


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed every global generator for the block, and put all of them back after it."""
    python, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002 -- the legacy one is guarded
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 -- likewise
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numbers)  # noqa: NPY002 -- likewise


def generators() -> dict[str, Any]:
    """Return the state of every global random generator by its name."""
    legacy: Any = np.random.get_state()  # noqa: NPY002 -- likewise
    return {
        "torch's global generator": torch.get_rng_state().tolist(),
        "numpy's global generator": (legacy[1].tolist(), *legacy[2:]),
        "random's global generator": random.getstate(),
    }


HONESTY = (tells_the_true_residual, counts_what_it_asks, repeats_itself)
"""What every solver, stepwise or external, must be honest about."""

"""Gradient descent of one model at its own best step, and how well conditioned it is in the DELM's metric.

Steps are powers of two, and the grid is widened until its best lies inside it: no step is shared between
models, for one step at which all are stable compares their stability and nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from deqbench.claims import Assumption
from deqbench_plugins.claims.cases import draw, normal
from deqbench_plugins.theory.delm import Delm
from deqbench_plugins.theory.metric import Metric, condition, largest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deqbench_plugins.claims.explicit import Problem

SHARES = (0.1, 0.01, 0.001)
"""Shares of the first gap that are waited for; the second one decides which step is best."""

_WIDEST = 40
"""Powers of two tried at most; a grid is 3 to 8 wide in practice."""

_LOST = 1e3
"""A gap so many times the first is not waited for any longer."""


@dataclass(frozen=True)
class Run:
    """Gradient descent at one step.

    Attributes:
        step: The step, a power of two.
        counts: Iterations to each of :data:`SHARES`; None where it was not reached.
        gap: Last gap over the first.
        state: The last state.
    """

    step: float
    counts: tuple[int | None, ...]
    gap: float
    state: Delm

    @property
    def rank(self) -> tuple[float, float]:
        """What makes a step better: fewer iterations to 1%, then the smaller last gap."""
        gap = self.gap if math.isfinite(self.gap) else math.inf
        return (math.inf if self.counts[1] is None else self.counts[1], gap)

    def count(self, most: int) -> int:
        """Return the iterations to 1%, or ``most`` where so many were not enough."""
        return most if self.counts[1] is None else self.counts[1]


def at_best_step(problem: Problem, gamma: float, seed: int, most: int) -> Run:
    """Return the best run from A ~ N(0, 1), B = 0; gamma = 0 is the explicit model.

    Args:
        problem: What is minimised.
        gamma: Of the DELM, in [0, 1).
        seed: A is drawn from it, the same for every gamma.
        most: Iterations at most.
    """
    a = normal(draw(seed), problem.size, problem.size)
    start = Delm(a, torch.zeros(problem.outputs, problem.size, dtype=torch.float64), 1.0 - gamma)
    centre = math.floor(math.log2(Metric(start).reach(problem.function.hessian(start.W), tolerance=1e-3)))
    runs: dict[int, Run] = {}
    limit = most
    for power in (centre + 1, centre, centre + 2):
        runs[power] = _run(problem, start, 2.0**power, limit)
        limit = min(limit, *(one.counts[1] or limit for one in runs.values()))
    while len(runs) < _WIDEST:
        best = min(runs, key=lambda power: runs[power].rank)
        beside = best - 1 if best == min(runs) else best + 1
        if beside in runs:
            break
        runs[beside] = _run(problem, start, 2.0**beside, limit)
        limit = min(limit, runs[beside].counts[1] or limit)
    return _run(problem, start, runs[best].step, most, last=SHARES[-1])


def _run(problem: Problem, state: Delm, step: float, most: int, last: float = SHARES[1]) -> Run:
    first = gap = problem.function.value(state.W) - problem.least
    reached: dict[float, int] = {}
    for count in range(1, most + 1):
        state = state.moved(state.gradient(problem.function.gradient(state.W)), -step)
        gap = problem.function.value(state.W) - problem.least
        if not gap <= _LOST * first:  # a nan is lost too
            break
        for share in SHARES:
            if gap <= share * first:
                reached.setdefault(share, count)
        if last in reached:
            break
    return Run(step, tuple(reached.get(share) for share in SHARES), gap / first, state)


def told(run: Run, problem: Problem, model: str) -> Iterator[Assumption]:
    """Yield a run's columns as facts: counts, best step, conditions of H and D^1/2 H D^1/2, eigenvalues of D.

    H and D are those of the run's last state; D = I for the explicit model.

    Args:
        run: At its best step, well behaved to its end.
        problem: What was minimised.
        model: What its facts are called by: lower case, words joined by underscores.
    """
    metric, hessian = Metric(run.state), problem.function.hessian(run.state.W)
    name = model.replace("_", " ")
    values: dict[str, tuple[float | None, str]] = {
        "to_10_percent": (run.counts[0], "iterations to 10% of the first gap"),
        "to_1_percent": (run.counts[1], "iterations to 1%"),
        "to_0_1_percent": (run.counts[2], "iterations to 0.1%; no number where it was not reached"),
        "best_step": (run.step, "its best step of a grid of powers of two"),
        "condition": (condition(hessian, metric.shape), "condition of H where it ends"),
        "condition_in_metric": (metric.condition(hessian), "condition of D^1/2 H D^1/2 there"),
        "log10_least_eigenvalue": (math.log10(metric.least(tolerance=1e-3)), "log10 lambda_min(D) there"),
        "log10_largest_eigenvalue": (
            math.log10(largest(metric.apply, metric.shape, tolerance=1e-3)),
            "log10 lambda_max(D) there",
        ),
    }
    for column, (value, sentence) in values.items():
        yield Assumption(f"{model}_{column}", value, holds=True, sentence=f"{name}: {sentence}")

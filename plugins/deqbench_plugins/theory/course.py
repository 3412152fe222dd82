"""What a theory probe remembers of one training run: L*, the first gap, the hull, the infimum so far.

Probes are pure values and see one moment at a time, but theorem 1 is about a whole trajectory. The memory
hangs on the run's objective and dies with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from deqbench_plugins.theory.delm import Delm, column_sums, state_of
from deqbench_plugins.theory.losses import ConvexLoss, Hull
from deqbench_plugins.theory.optimum import Optimum, optimum
from deqbench_plugins.trainers.trust_region.metrics import LinearInFeatures

if TYPE_CHECKING:
    from deqbench.interfaces import Observation
    from deqbench.learning.objective import Objective


class Problem(NamedTuple):
    """A run's training loss as a function of W, and its optimum."""

    loss: ConvexLoss
    best: Optimum


@dataclass
class Course:
    """One training run as theorem 1 sees it.

    Attributes:
        loss: L0, the mean over the training split, as a function of W.
        best: Its optimum.
        first_gap: L - L* at the first observation.
        hull: A convex set that holds W* and every W seen.
        least: Infimum of lambda_min(D) over what was seen.
    """

    loss: ConvexLoss
    best: Optimum
    first_gap: float
    hull: Hull = field(repr=False)
    least: float = float("inf")

    def gap(self, weights: Tensor) -> float:
        """Return L(W) - L*."""
        return self.loss.value(weights) - self.best.value


_COURSES: WeakKeyDictionary[Objective, Course] = WeakKeyDictionary()
_SUMS: WeakKeyDictionary[Objective, Tensor] = WeakKeyDictionary()
_PROBLEMS: WeakKeyDictionary[Objective, Problem] = WeakKeyDictionary()


_DIVERGED = 1e100
"""Entries of W above which a run is beyond mathematics: squares overflow."""


def delm_of(view: Observation) -> Delm | None:
    """Return the state of a DELM; None for any other model, and for one that has diverged."""
    state = state_of(view.module)
    return state if state is not None and _sound(state) else None


def state_or_linear(view: Observation) -> Delm | None:
    """Return a DELM's state, or the linear model as a DELM without equilibrium term (D = I); else None."""
    parameters = view.objective.parameters
    if not isinstance(view.module, LinearInFeatures) or len(parameters) != 1 or parameters[0].dim() != 2:
        return delm_of(view)
    weights = parameters[0].detach().to("cpu", torch.float64).clone()
    state = Delm(weights.new_zeros(weights.shape[1], weights.shape[1]), weights, 1.0)
    return state if _sound(state) else None


def _sound(state: Delm) -> bool:
    finite = bool(torch.isfinite(state.A).all() and torch.isfinite(state.B).all())
    return finite and float(state.W.abs().max()) < _DIVERGED  # a nan is not below either


def features_of(view: Observation) -> Tensor:
    """Return phi = (x, 1) of the training split, (n, m), float64 on the CPU: that of every linear model."""
    rows = view.objective.x.flatten(1).to("cpu", torch.float64)
    return torch.cat([rows, rows.new_ones(len(rows), 1)], dim=1)


def problem_of(view: Observation) -> Problem:
    """Return the training loss, without weight decay, as a function of W on phi = (x, 1), and its optimum.

    Solved once a run.
    """
    known = _PROBLEMS.get(view.objective)
    if known is None:
        y = view.objective.y.to("cpu")
        y = y.to(torch.float64) if y.is_floating_point() else y
        outputs = view.predictions["train"].shape[1]
        loss = ConvexLoss.mean(view.objective.loss.name, features_of(view), y, outputs)
        known = _PROBLEMS[view.objective] = Problem(loss, optimum(loss))
    return known


def course_of(view: Observation, state: Delm) -> Course:
    """Return the run's course, which begins anew at step 0, given the state of the model now."""
    known = _COURSES.get(view.objective)
    if known is None or view.step == 0:
        loss, best = problem_of(view)
        first = loss.value(state.W) - best.value
        known = _COURSES[view.objective] = Course(loss, best, first, Hull(loss).widened(best.weights))
    return known


def first_column_sums(view: Observation, state: Delm) -> Tensor:
    """Return the column sums of A, (m,), at the run's first observation."""
    if view.objective not in _SUMS or view.step == 0:
        _SUMS[view.objective] = column_sums(state)
    return _SUMS[view.objective]

"""Theorem 1 along a training run: kappa, lambda_T, the gap, and the bound where flow time is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from deqbench_plugins.theory.course import course_of, problem_of, state_or_linear
from deqbench_plugins.theory.metric import Metric, floor, paper_floor

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.interfaces import Observation


@dataclass(frozen=True)
class TheoryRate:
    """What theorem 1 says of a run, and the gap it has; for ``deq-linear`` and ``linear`` without l2.

    ``gap`` = L - L*, with L the mean training loss; ``optimal_loss`` = L*; ``optimum_attained`` is 0 where
    the data are separable, so that no optimum exists and the theorem says nothing. ``kappa``, ``tau``,
    ``sigma_min`` (the smallest non-zero singular value of the features) and ``sigma_tolerance`` are those of
    the mean loss on the hull of all that was seen; ``lambda_T`` is the infimum of lambda_min(D) so far,
    ``lambda_floor`` and ``lambda_paper`` its bounds before any run. From step 1 of gradient descent and
    of gradient flow, ``flow_time`` t and ``rate_bound`` = gap(0) exp(-kappa lambda_T t): about the flow.
    ``weight_distance`` = ||W - W*|| / ||W*||, where the features have full rank, so that W* is unique;
    under cross-entropy up to a row that all classes share, which changes no prediction.

    Source: K. Kawaguchi (2021), arXiv 2102.07346, theorem 1; see :mod:`deqbench_plugins.theory.losses`.
    """

    def observe(self, view: Observation) -> dict[str, float]:
        """Return what applies."""
        state = state_or_linear(view)
        if state is None or view.objective.loss.l2:
            return {}
        course = course_of(view, state)
        course.hull = course.hull.widened(state.W)
        course.least = min(course.least, Metric(state).sandwich.high)
        singular, kappa, gap = course.loss.singular, course.hull.kappa, course.gap(state.W)
        found = {
            "gap": gap,
            "optimal_loss": course.best.value,
            "optimum_attained": float(course.best.attained),
            "kappa": kappa,
            "tau": course.hull.tau,
            "sigma_min": singular.smallest,
            "sigma_tolerance": singular.tolerance,
            "lambda_T": course.least,
            "lambda_floor": floor(state.A.shape[0], state.gamma),
            "lambda_paper": paper_floor(state.A.shape[0], state.gamma),
        }
        if course.first_gap > 0:
            found["gap_ratio"] = gap / course.first_gap
        best = _told_apart(course.best.weights, course.loss.name)
        if singular.rank == best.shape[1] and course.best.attained:
            away = _told_apart(state.W, course.loss.name) - best
            found["weight_distance"] = float(away.norm() / best.norm())
        time = view.objective.flow_time
        if time > 0:
            bound = course.first_gap * math.exp(-kappa * course.least * time)
            found |= {"flow_time": time, "rate_bound": bound}
        return found


def _told_apart(weights: Tensor, loss: str) -> Tensor:
    """Return W (m_y, m) without what the loss cannot see."""
    return weights - weights.mean(0) if loss == "cross-entropy" else weights


@dataclass(frozen=True)
class LinearGap:
    """Mean training loss of any model, less that of the best linear function of (x, 1).

    Negative where a model fits better than any linear one can; above zero it says how far a narrow network
    is from what theorem 1 promises a DELM of any width. Weight decay is left out.
    """

    def observe(self, view: Observation) -> dict[str, float]:
        """Return ``linear_optimum`` and ``linear_gap``."""
        loss, best = problem_of(view)
        here = float(view.objective.loss(view.predictions["train"].to("cpu", torch.float64), loss.y))
        return {"linear_optimum": best.value, "linear_gap": here - best.value}

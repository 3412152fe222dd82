"""The metric D of a DELM along a training run: its bounds, its condition, theorem 2, what it conserves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from deqbench_plugins.theory.course import (
    delm_of,
    features_of,
    first_column_sums,
    problem_of,
    state_or_linear,
)
from deqbench_plugins.theory.delm import column_sums, perron_error
from deqbench_plugins.theory.equivalence import Equivalence
from deqbench_plugins.theory.metric import Metric, condition, largest, paper_floor

if TYPE_CHECKING:
    from deqbench.interfaces import Observation

_ROUGH = 1e-6
"""Relative accuracy of largest eigenvalues that are only shown."""


@dataclass(frozen=True)
class TheoryMetric:
    """Bounds of lambda_min(D) without forming D, and how far D is from the identity; for ``deq-linear``.

    ``lambda_low`` = 1 / ||U||^2 <= lambda_min(D) <= ``lambda_high``; ``lambda_min`` itself by Lanczos on
    request, or where the two differ by more than 5 per cent; ``lambda_over_paper`` = ``lambda_low`` m
    (1 + gamma)^2, at least 1; ``lambda_max``, at least 1 / (1 - gamma)^2: the stiffness of the flow.
    """

    lanczos: Annotated[
        Literal["never", "wide", "always"], Field(description="When lambda_min itself is computed.")
    ] = "wide"

    def observe(self, view: Observation) -> dict[str, float]:
        """Return what applies."""
        state = delm_of(view)
        if state is None:
            return {}
        metric = Metric(state)
        low, high = metric.sandwich.low, metric.sandwich.high
        found = {
            "lambda_low": low,
            "lambda_high": high,
            "lambda_over_paper": low / paper_floor(state.A.shape[0], state.gamma),
            "lambda_max": largest(metric.apply, metric.shape, view.seed % 2**32, _ROUGH),
        }
        if self.lanczos == "always" or (self.lanczos == "wide" and metric.sandwich.width > 0.05):
            found["lambda_min"] = metric.least(view.seed % 2**32, _ROUGH)
        return found


@dataclass(frozen=True)
class TheoryTrustRegion:
    """Theorem 2 at the run's states, for ``deq-linear`` and ``linear``; l2 is left out.

    ``delta_bar`` = 1 / lambda_max(D H): up to it D^-1 - delta H is a metric. ``kkt_residual``: how far the
    flow's step -delta D g, delta = share * delta_bar, is from the subproblem's conditions of optimality,
    relative to g. ``hessian_condition`` and ``preconditioned_condition``, of H and of D^1/2 H D^1/2 on their
    range, where m_y m <= dense.
    """

    share: Annotated[float, Field(gt=0, lt=1, description="Delta over delta bar.")] = 0.5
    dense: Annotated[
        int, Field(ge=0, description="Condition numbers are computed up to this many entries of W.")
    ] = 256

    def observe(self, view: Observation) -> dict[str, float]:
        """Return what applies."""
        state = state_or_linear(view)
        if state is None:
            return {}
        loss, metric = problem_of(view).loss, Metric(state)
        hessian, gradient = loss.hessian(state.W), loss.gradient(state.W)
        reach = metric.reach(hessian, view.seed % 2**32, _ROUGH)
        if not math.isfinite(reach) or not bool(gradient.any()):
            return {}
        case = Equivalence(metric, hessian, gradient, self.share * reach)
        found = {"delta_bar": reach, "kkt_residual": case.kkt_residual}
        if state.B.numel() <= self.dense:
            found["hessian_condition"] = condition(hessian, state.B.shape)
            found["preconditioned_condition"] = metric.condition(hessian)
        return found


@dataclass(frozen=True)
class TheoryInvariants:
    """What a DELM conserves, whatever its loss; for ``deq-linear``.

    ``column_sum_drift``: largest change of a column sum of A since step 0, zero to rounding under gradient
    flow, gradient descent, SGD and momentum, but not under Adam or weight decay. ``perron_error``: relative
    error of 1'z* = 1'phi / (1 - gamma) on the training split, for z* of the closed form.
    """

    def observe(self, view: Observation) -> dict[str, float]:
        """Return what applies."""
        state = delm_of(view)
        if state is None:
            return {}
        drift = column_sums(state) - first_column_sums(view, state)
        return {
            "column_sum_drift": float(drift.abs().max()),
            "perron_error": perron_error(state, features_of(view)),
        }

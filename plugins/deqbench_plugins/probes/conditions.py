"""How well conditioned a descent is, in the Euclidean metric and in the DELM's: what predicts its speed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from deqbench_plugins.theory.course import problem_of, state_or_linear
from deqbench_plugins.theory.metric import Metric, condition, largest

if TYPE_CHECKING:
    from deqbench.interfaces import Observation

_ROUGH = 1e-3
"""Relative accuracy of eigenvalues whose logarithm is shown."""


@dataclass(frozen=True)
class TheoryConditions:
    """Conditions of H and of D^1/2 H D^1/2, and D's extreme eigenvalues; for ``deq-linear`` and ``linear``.

    ``hessian_condition`` and ``preconditioned_condition``, on their range, where m_y m <= dense;
    ``log10_lambda_min`` and ``log10_lambda_max`` of D, zero for ``linear``, whose D is I. Dense algebra costs
    more than a step of descent, so only every so many steps are looked at.
    """

    every: Annotated[
        int, Field(ge=1, description="Steps from one look to the next; step 0 is the first.")
    ] = 10
    dense: Annotated[
        int, Field(ge=0, description="Conditions are computed up to this many entries of W.")
    ] = 256

    def observe(self, view: Observation) -> dict[str, float]:
        """Return what applies."""
        state = state_or_linear(view) if view.step % self.every == 0 else None
        if state is None:
            return {}
        metric, hessian = Metric(state), problem_of(view).loss.hessian(state.W)
        seed = view.seed % 2**32
        found = {
            "log10_lambda_min": math.log10(metric.least(seed, _ROUGH)),
            "log10_lambda_max": math.log10(largest(metric.apply, metric.shape, seed, _ROUGH)),
        }
        if state.B.numel() <= self.dense:
            found["hessian_condition"] = condition(hessian, metric.shape)
            found["preconditioned_condition"] = metric.condition(hessian)
        return found

"""How well, and at what cost, equilibria are found; nothing for explicit models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deqbench.equilibria.ledger import Totals
    from deqbench.interfaces import Observation


@dataclass(frozen=True)
class Residual:
    """Residual of the equilibria behind the predictions, as the core measured it, in the trial's norm.

    ``residual_worst`` and ``unconverged_share`` are over all splits, ``residual_median`` over the test split.
    """

    def observe(self, view: Observation) -> dict[str, float]:
        """Return the worst and the median residual, and the share of samples that missed the tolerance."""
        solved, last = view.ledger.forward, view.ledger.solution
        if not solved.samples or last is None:
            return {}
        return {
            "residual_worst": solved.worst_residual,
            "residual_median": float(last.residual.double().median()),
            "unconverged_share": solved.unconverged_samples / solved.samples,
        }


@dataclass(frozen=True)
class SolverCalls:
    """Calls of the map until a sample is solved, mean over samples.

    ``solver_calls``: behind the predictions. ``training_calls``: forward solves of training since the
    observation before. ``training_adjoint_products``: vector-Jacobian products of its adjoint equations.
    """

    def observe(self, view: Observation) -> dict[str, float]:
        """Return what applies: nothing was trained before the first observation."""
        found = {
            "solver_calls": view.ledger.forward,
            "training_calls": view.training_ledger.forward,
            "training_adjoint_products": view.training_ledger.backward,
        }
        return {name: _per_sample(totals) for name, totals in found.items() if totals.samples}


def _per_sample(totals: Totals) -> float:
    return totals.sample_steps / totals.samples

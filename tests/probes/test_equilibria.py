"""What the equilibrium probes read off the core's ledgers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from deqbench.equilibria.binding import Ledger, Totals
from deqbench.equilibria.judging import Verdict
from deqbench.equilibria.solving import Solution
from deqbench_plugins.probes.equilibria import Residual, SolverCalls

SOLUTION = Solution(
    Verdict(
        z=torch.zeros(3, 1),
        status=torch.zeros(3, dtype=torch.int8),
        residual=torch.tensor([1e-6, 3e-5, 1e-3]),
        calls=torch.tensor([4, 5, 9], dtype=torch.int32),
    ),
    steps=9,
)


def view(forward, training=None, solution=None):
    ledger = Ledger(forward, keep_last=True, solution=solution)
    return SimpleNamespace(ledger=ledger, training_ledger=training or Ledger())


def test_the_residual_is_the_one_the_core_measured():
    seen = view(Totals(samples=8, unconverged_samples=2, worst_residual=0.02), solution=SOLUTION)
    assert Residual().observe(seen) == pytest.approx(
        {"residual_worst": 0.02, "residual_median": 3e-5, "unconverged_share": 0.25}
    )


def test_calls_are_means_over_samples_in_training_and_in_evaluation():
    training = Ledger(Totals(samples=10, sample_steps=70), Totals(samples=10, sample_steps=55))
    assert SolverCalls().observe(view(Totals(samples=4, sample_steps=18), training)) == {
        "solver_calls": 4.5,
        "training_calls": 7.0,
        "training_adjoint_products": 5.5,
    }


def test_before_training_there_are_no_calls_of_training():
    assert SolverCalls().observe(view(Totals(samples=4, sample_steps=18))) == {"solver_calls": 4.5}

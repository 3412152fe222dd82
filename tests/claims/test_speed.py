"""Claims on speed: each model's own best step, counts in closed form, and tails of Newton's method."""

from __future__ import annotations

import pytest
import torch

from deqbench.claims import Outcome
from deqbench.experiments.claim import examined
from deqbench.interfaces import Split
from deqbench_plugins.claims.cases import draw, normal
from deqbench_plugins.claims.explicit import digits, gaussian, objective_of, problem_of
from deqbench_plugins.claims.newton_tail import GAMMAS, NewtonTail
from deqbench_plugins.claims.races import at_best_step, told
from deqbench_plugins.claims.speed import SlowerOnDigits, WeakSumSpeed
from deqbench_plugins.theory.delm import Delm
from deqbench_plugins.theory.metric import Metric


@pytest.fixture(scope="module")
def quadratic():
    """Orthogonal features, so that the square loss is diagonal in W; W* is orthogonal to ones."""
    left = torch.linalg.qr(torch.cat([torch.ones(40, 1).double(), normal(draw(0), 40, 3)], 1))[0]
    x = left[:, 1:] * torch.tensor([3.0, 2.0, 1.0], dtype=torch.float64) * 40**0.5
    w = torch.tensor([[1.0, -1.0, 1.0, -1.0]], dtype=torch.float64)
    return problem_of(Split(x, torch.cat([x, torch.ones(40, 1).double()], 1) @ w.T), 1, "square")


def gaps(step, most):
    """The gap over the first of that quadratic: H = 2 diag(9, 4, 1, 1), |W*| = 1, from W = 0."""
    curved = [9.0, 4.0, 1.0, 1.0]
    return [sum(c * (1 - 2 * step * c) ** (2 * k) for c in curved) / sum(curved) for k in range(most)]


def test_the_explicit_models_counts_are_those_of_the_closed_form(quadratic):
    run = at_best_step(quadratic, 0.0, seed=0, most=200)
    course = gaps(run.step, 200)
    for share, count in zip((0.1, 0.01, 0.001), run.counts, strict=True):
        assert count == next(k for k, gap in enumerate(course) if gap <= share)


def test_no_other_power_of_two_is_better(quadratic):
    run = at_best_step(quadratic, 0.0, seed=0, most=200)
    for power in range(-12, -1):
        reached = [k for k, gap in enumerate(gaps(2.0**power, 200)) if gap <= 0.01]
        assert not reached or reached[0] >= run.counts[1]


def test_a_target_that_is_out_of_reach_counts_as_the_most(quadratic):
    run = at_best_step(quadratic, 0.999, seed=0, most=5)
    assert run.counts[1] is None
    assert run.count(5) == 5


def test_the_facts_of_the_explicit_model_are_those_of_the_identity(quadratic):
    facts = {one.name: one.value for one in told(at_best_step(quadratic, 0.0, 0, 200), quadratic, "it")}
    assert facts["it_condition"] == pytest.approx(9.0)
    assert facts["it_condition_in_metric"] == pytest.approx(9.0)
    assert facts["it_log10_largest_eigenvalue"] == pytest.approx(0.0, abs=1e-12)


def test_the_metrics_largest_eigenvalue_is_near_its_lower_bound(quadratic):
    facts = {one.name: one.value for one in told(at_best_step(quadratic, 0.9, 0, 50), quadratic, "it")}
    assert facts["it_log10_largest_eigenvalue"] >= 2.0 - 1e-3


def test_a_ridge_is_part_of_the_function():
    split = gaussian(0, "cross-entropy")
    problem = problem_of(split, 3, "cross-entropy", 0.1)
    objective = objective_of(split, 3, "cross-entropy", 0.1)
    w = normal(draw(1), 3, 21)
    objective.set_vector(w.reshape(-1))
    loss, gradient = objective.value_and_gradient()
    assert problem.function.value(w) == pytest.approx(float(loss))
    assert torch.allclose(problem.function.gradient(w).reshape(-1), gradient)
    product = objective.hessian_product()(w.reshape(-1))
    assert torch.allclose(problem.function.hessian(w)(w).reshape(-1), product)
    start = problem.function.value(torch.zeros(3, 21, dtype=torch.float64))
    assert problem.least < min(problem.function.value(w), start)


@pytest.mark.parametrize(("loss", "seed"), [("square", 1), ("square", 2), ("cross-entropy", 1)])
def test_where_the_sum_is_weak_an_eighth_of_the_iterations_is_enough_on_other_draws(loss, seed):
    _, verdict, _ = examined(WeakSumSpeed(loss), seed)
    assert verdict.verdict is Outcome.HOLDS
    assert verdict.control_fired


def test_the_table_of_gammas_stands_beside_the_counts():
    evidence = WeakSumSpeed().examine(0, 0)
    facts = {one.name: one.value for one in evidence.assumptions}
    for gamma in ("0_01", "0_5", "0_97", "0_99"):
        assert facts[f"gamma_{gamma}_to_1_percent"] > facts["implicit_to_1_percent"]
    assert facts["implicit_condition_in_metric"] < facts["explicit_condition"] / 8
    assert facts["implicit_log10_largest_eigenvalue"] == pytest.approx(2.0, abs=0.1)
    assert facts["null_iterations"] == facts["null_explicit"]


def test_on_digits_the_delm_is_slower_and_the_statement_says_so():
    evidence, verdict, _ = examined(SlowerOnDigits("square"), 1)
    assert "slower" in SlowerOnDigits.statement
    assert verdict.verdict is Outcome.HOLDS
    assert verdict.control_fired
    facts = {one.name: one.value for one in evidence.assumptions}
    assert facts["implicit_to_1_percent"] > 10 * facts["explicit_to_1_percent"]


def test_a_larger_metric_eigenvalue_shortens_the_longest_step():
    problem = problem_of(digits(0), 10, "square")
    zero = torch.zeros(10, 65, dtype=torch.float64)
    starts = [Delm(normal(draw(0), 65, 65), zero, 1.0 - gamma) for gamma in (0.0, 0.9)]
    explicit, implicit = (Metric(start).reach(problem.function.hessian(start.W)) for start in starts)
    assert implicit < explicit / 10


@pytest.mark.parametrize("data", ["digits", "gaussian"])
def test_newtons_tail_is_superlinear_at_every_gamma_and_its_control_is_not(data):
    evidence, verdict, _ = examined(NewtonTail(data), 1)
    assert verdict.verdict is Outcome.HOLDS
    assert verdict.control_fired
    assert [point.t for point in evidence.points] == list(GAMMAS)

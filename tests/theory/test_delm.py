"""The DELM's closed formulas, against autograd through a dense solve and against the engine."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from deqbench.equilibria.binding import Stop, bound
from deqbench.interfaces import Split
from deqbench.learning.losses import Loss, signs
from deqbench.learning.objective import Objective
from deqbench_plugins.claims.cases import draw as seeded
from deqbench_plugins.claims.cases import normal, random_case, random_loss, random_state, relative
from deqbench_plugins.gradients.implicit import Implicit
from deqbench_plugins.models.deq_linear import DeqLinear
from deqbench_plugins.solvers.direct import Direct
from deqbench_plugins.theory.delm import Delm, Weights, column_sums, perron_error, state_of
from deqbench_plugins.theory.losses import ConvexLoss

LOSSES = ["square", "logistic", "cross-entropy"]


def autograd_gradient(state, loss):
    """The gradient of the loss through softmax and a dense solve, with nothing of ours."""
    a, b = state.A.clone().requires_grad_(), state.B.clone().requires_grad_()
    u = torch.eye(len(a), dtype=torch.float64) - state.gamma * torch.softmax(a, 0)
    q = torch.linalg.solve(u, loss.features.T).T @ b.T
    if loss.name == "logistic":  # softplus as torch has it is right to 1e-9 only
        mean = -torch.nn.functional.logsigmoid(signs(loss.y, q) * q).sum(1).mean()
    else:
        mean = Loss(loss.name)(q, loss.y)
    (mean * len(loss.features) * loss.scale).backward()
    return Weights(a.grad, b.grad)


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_is_autograds_through_a_dense_solve(name):
    worst = 0.0
    for seed in range(60):
        state, loss = random_case(seed, name)
        found, truth = state.gradient(loss.gradient(state.W)), autograd_gradient(state, loss)
        worst = max(
            worst, relative(found.B, truth.B), float((found.A - truth.A).abs().max() / truth.B.norm())
        )
    assert worst <= 1e-12


@pytest.mark.parametrize("name", ["square", "cross-entropy"])
def test_the_gradient_is_the_engines_to_rounding(name):
    torch.manual_seed(0)
    module = DeqLinear(gamma=0.9).build((6,), 3).double()
    x, y = normal(seeded(1), 40, 6), torch.arange(40) % 3
    objective = Objective(module, Loss(name), Split(x, y))
    with bound(solver=Direct(), gradient=Implicit(), stop=Stop(1e-14)):
        value, flat = objective.value_and_gradient()
    state, loss = state_of(module), ConvexLoss.mean(name, module.features(x), y, 3)
    found = state.gradient(loss.gradient(state.W))
    truth = state.at(flat)
    assert loss.value(state.W) == pytest.approx(value.item(), rel=1e-13)
    assert relative(found.A, truth.A) <= 1e-12
    assert relative(found.B, truth.B) <= 1e-12


def test_a_model_that_is_no_delm_has_no_state():
    assert state_of(torch.nn.Linear(2, 2)) is None


@pytest.mark.parametrize("seed", range(5))
def test_a_push_is_the_derivative_of_the_function(seed):
    state, _ = random_case(seed)
    generator = seeded(seed)
    direction = Weights(normal(generator, *state.A.shape), normal(generator, *state.B.shape))
    h = 1e-6
    difference = (state.moved(direction, h).W - state.moved(direction, -h).W) / (2 * h)
    assert relative(state.pushed(direction), difference) <= 1e-7


def test_reading_out_another_function_keeps_the_metric_and_is_exact():
    state = random_state(0, 6, 3, 0.9)
    weights = normal(seeded(1), 3, 6)
    read = state.read_as(weights)
    assert relative(read.W, weights) <= 1e-13
    assert torch.equal(read.A, state.A)


def test_parameters_as_a_vector_come_back():
    state = random_state(0, 4, 2, 0.5)
    assert torch.equal(state.at(state.vector).A, state.A)
    assert torch.equal(state.at(state.vector).B, state.B)


@pytest.mark.parametrize("gamma", [0.5, 0.9, 0.99])
def test_the_sum_of_an_equilibrium_is_known_for_every_weight(gamma):
    state = random_state(3, 20, 2, gamma, scale=2.0)
    assert perron_error(state, normal(seeded(0), 30, 20)) <= 1e-14


def test_a_row_softmax_breaks_the_sum():
    state = random_state(3, 20, 2, 0.9)
    wrong = torch.linalg.inv(torch.eye(20, dtype=torch.float64) - 0.9 * torch.softmax(state.A, 1))
    features = normal(seeded(0), 30, 20)
    sums = (features @ wrong.T).sum(1)
    assert float((sums - features.sum(1) / state.complement).abs().max()) > 1.0


def test_every_gradient_leaves_the_column_sums_of_a_alone():
    for seed in range(20):
        state, loss = random_case(seed)
        gradient = state.gradient(loss.gradient(state.W))
        assert float(gradient.A.sum(0).abs().max()) <= 1e-13 * float(gradient.A.abs().sum() + 1e-300)
        assert torch.equal(column_sums(state), state.A.sum(0))


def exact_equilibrium(state, features):
    """Gauss-Jordan in rational numbers on the float64 softmax, its columns completed to sum to exactly 1."""
    m, complement = len(state.A), Fraction(state.complement)
    s = [[Fraction(float(v)) for v in row] for row in state.S]
    for j in range(m):
        s[j][j] = 1 - sum(s[i][j] for i in range(m) if i != j)
    u = [[(i == j) - (1 - complement) * s[i][j] for j in range(m)] for i in range(m)]
    rows = [u[i] + [Fraction(float(features[i]))] for i in range(m)]
    for k in range(m):
        rows[k] = [v / rows[k][k] for v in rows[k]]
        for i in range(m):
            if i != k:
                rows[i] = [a - rows[i][k] * b for a, b in zip(rows[i], rows[k], strict=True)]
    return torch.tensor([float(row[-1]) for row in rows], dtype=torch.float64)


@pytest.mark.parametrize("digits", [1, 4, 8, 12, 14])
def test_the_equilibrium_keeps_thirteen_digits_however_near_one_gamma_is(digits):
    a, b = random_state(digits, 5, 1, 0.5).vector.split([25, 5])
    state = Delm(a.view(5, 5), b.view(1, 5), 10.0**-digits)
    features = normal(seeded(digits), 5).abs()
    truth = exact_equilibrium(state, features)
    assert relative(state.equilibrium(features[None])[0], truth) <= 1e-13


def test_plain_elimination_does_not_keep_them():
    state = Delm(random_state(14, 5, 1, 0.5).A, torch.zeros(1, 5, dtype=torch.float64), 1e-14)
    features = normal(seeded(14), 5).abs()
    plain = torch.linalg.solve(torch.eye(5, dtype=torch.float64) - state.gamma * state.S, features)
    assert relative(plain, exact_equilibrium(state, features)) > 1e-6


def test_without_an_equilibrium_term_it_is_the_linear_model():
    state = Delm(normal(seeded(0), 4, 4), normal(seeded(1), 2, 4), 1.0)
    assert torch.equal(state.W, state.B)
    loss = random_loss(0, "square", (9, 4, 2))
    assert float(state.gradient(loss.gradient(state.W)).A.abs().max()) == 0.0

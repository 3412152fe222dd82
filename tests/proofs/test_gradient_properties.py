"""What gradients keep on every random contraction: the exact ones are exact, and none mixes samples."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_problems import FAMILIES, Problem

from deqbench.discovery.registry import Registry
from deqbench.equilibria.binding import Ledger, equilibrium
from deqbench.equilibria.maps import flat_rows
from deqbench.equilibria.solving import Stop
from deqbench.trials import Ref

EXAMPLES = settings(
    derandomize=True,
    deadline=None,
    max_examples=8,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
REGISTRY = Registry.load()
OFFERED = {
    offer.entry.name: REGISTRY.build("gradients", Ref.parse(offer.entry.name))
    for offer in REGISTRY.offers("gradients")
    if offer.origin.distribution == "deqbench" and not offer.missing
}
EXACT = [name for name in ("implicit", "unrolled", "reversible") if name in OFFERED]
SOLVERS = {"shine": "broyden"}
"""What serves a gradient that needs a certain solver; the others take the default."""


@st.composite
def problems(draw, *, batches=(0, 1, 2, 5), norms=(0.0, 0.8)):
    """A problem whose matrix and input want a gradient."""
    family = draw(st.sampled_from(FAMILIES))
    shape = draw(st.sampled_from([(1,), (4,)] if family in ("affine", "relu") else [(), (1,), (4,), (2, 2)]))
    batch = draw(st.sampled_from(batches))
    return Problem(family, (batch, *shape), draw(st.floats(*norms)), draw(st.integers(0, 2**16)))


def weights_of(problem):
    """Coefficients of a linear loss, so that dL/dz* is anything."""
    g = torch.Generator().manual_seed(problem.seed + 1)
    return torch.randn(problem.shape, generator=g, dtype=torch.float64)


def by_engine(problem, name, rows=slice(None), *, solver=None, dtype=torch.float64, stop=None):  # noqa: PLR0913
    """dL/dM and dL/dx of L = <weights, z*>, by the gradient of that name."""
    matrix, x, z0 = (part.to(dtype) for part in problem.parts())
    matrix, x = matrix.requires_grad_(), x[rows].requires_grad_()
    z = equilibrium(
        problem.function(matrix),
        z0[rows],
        x,
        solver=solver or SOLVERS.get(name),
        gradient=OFFERED[name],
        stop=stop,
        ledger=Ledger(),
    )
    return torch.autograd.grad((weights_of(problem)[rows].to(dtype) * z).sum(), (matrix, x))


def by_dense_solve(problem):
    """The same by (I - J^T) u = g, with J at a point found by 1000 plain iterations, in float64."""
    matrix, x, z = problem.parts()
    f = problem.function(matrix)
    for _ in range(1000):
        z = f(z, x)
    leaf, matrix, x = z.clone().requires_grad_(), matrix.requires_grad_(), x.requires_grad_()
    fz = problem.function(matrix)(leaf, x)
    rows = [torch.autograd.grad(part.sum(), leaf, retain_graph=True)[0] for part in flat_rows(fz).unbind(1)]
    jacobian = torch.stack([flat_rows(row) for row in rows], 1)  # (B, d, d)
    system = torch.eye(jacobian.shape[1], dtype=torch.float64) - jacobian.mT
    u = torch.linalg.solve(system, flat_rows(weights_of(problem)).unsqueeze(2)).reshape(z.shape)
    return torch.autograd.grad(fz, (matrix, x), u)


def close(found, exact, limit):
    return all(
        float((a - b).norm()) <= limit * float(b.norm()) + 1e-12 for a, b in zip(found, exact, strict=True)
    )


@pytest.mark.parametrize("name", EXACT)
@EXAMPLES
@given(problem=problems())
def test_an_exact_gradient_equals_the_dense_adjoint_solve(name, problem):
    found = by_engine(problem, name, stop=Stop(1e-12, 300))
    assert close(found, by_dense_solve(problem), 1e-6 if name != "implicit" else 1e-9)


@pytest.mark.parametrize("solver", ["picard", "anderson", "broyden"])
@EXAMPLES
@given(problem=problems())
def test_unrolling_any_solver_gives_the_exact_gradient_and_never_nan(solver, problem):
    found = by_engine(problem, "unrolled", solver=solver, stop=Stop(1e-12, 300))
    assert close(found, by_dense_solve(problem), 1e-5)


@EXAMPLES
@given(problem=problems(batches=(1, 5), norms=(0.0, 0.95)))
def test_the_default_call_in_float32_is_right_to_three_digits(problem):
    found = by_engine(problem, "implicit", dtype=torch.float32)
    exact = by_dense_solve(problem)
    assert all(
        float((a - b).norm()) <= 1e-3 * float(b.norm()) + 1e-6 for a, b in zip(found, exact, strict=True)
    )


@EXAMPLES
@given(problem=problems(batches=(1, 5), norms=(0.0, 0.95)))
def test_the_default_call_in_float64_is_right_to_eight_digits(problem):
    assert close(by_engine(problem, "implicit"), by_dense_solve(problem), 1e-8)


@pytest.mark.parametrize("name", sorted(OFFERED))
@EXAMPLES
@given(problem=problems(batches=(2, 5)), data=st.data())
def test_a_samples_gradient_does_not_feel_its_batch_mates(name, problem, data):
    row = data.draw(st.integers(0, problem.shape[0] - 1))
    own = slice(row, row + 1)
    stop = Stop(1e-10, 300)
    together, alone = by_engine(problem, name, stop=stop)[1], by_engine(problem, name, own, stop=stop)[1]
    torch.testing.assert_close(together[own], alone, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", sorted(OFFERED))
def test_an_empty_batch_has_a_gradient_of_zero(name):
    found = by_engine(Problem("tanh", (0, 4), 0.5, 0), name)
    assert found[0].shape == (4, 4)
    assert not found[0].any()


@pytest.mark.parametrize("solver", ["picard", "anderson", "broyden", "anderson-1", "newton-krylov"])
def test_unrolling_past_the_end_of_a_sample_leaves_its_gradient_finite(solver):
    # The first sample is done at once; its changes are zero while the others go on.
    rate = torch.tensor([[0.0], [0.9], [-0.9], [0.8]], dtype=torch.float64)
    x = torch.ones(4, 2, dtype=torch.float64, requires_grad=True)
    z = equilibrium(
        lambda z, x, rate: rate * torch.sin(z) + x,
        x.detach().clone(),
        x,
        rate,
        solver=solver,
        gradient="unrolled",
        stop=Stop(1e-12, 400),
        ledger=Ledger(),
    )
    (found,) = torch.autograd.grad(z.sum(), x)
    torch.testing.assert_close(found, 1 / (1 - rate * torch.cos(z.detach())), rtol=1e-5, atol=0)

"""Each family is what it says: structure, difficulty, and the same problem from the same seed."""

import pytest
import torch

from deqbench.equilibria.binding import Ledger, Stop, bound
from deqbench.errors import InapplicableError
from deqbench.experiments.ground import captured
from deqbench_plugins.gradients.implicit import Implicit
from deqbench_plugins.maps.affine import Affine
from deqbench_plugins.maps.monotone import Monotone
from deqbench_plugins.maps.tanh import Tanh, TanhSymmetric
from deqbench_plugins.maps.trained import Trained
from deqbench_plugins.models.deq_mlp import DeqMlp
from deqbench_plugins.models.mlp import Mlp
from deqbench_plugins.solvers.anderson import Anderson
from deqbench_plugins.solvers.direct import Direct
from deqbench_plugins.solvers.picard import Picard

EASY = [
    Affine(batch=3, dimension=6),
    Tanh(batch=3, dimension=6),
    TanhSymmetric(batch=3, dimension=6),
    Monotone(batch=3, dimension=6, m=1.0),
]


def solved(drawn, solver, **stop):
    """Return the output and the ledger of one module call."""
    with torch.no_grad(), bound(solver=solver, gradient=Implicit(), stop=Stop(**stop)) as ledger:
        return drawn.module(drawn.x), ledger


def jacobian_at(drawn, solver):
    """Return df/dz of the first sample at its equilibrium."""
    f, _ = captured(drawn.module, drawn.x)
    z, _ = solved(drawn, solver, tolerance=1e-12, max_calls=5000)
    drive = [part[:1] for part in f.inputs]
    return torch.autograd.functional.jacobian(lambda point: f.function(point[None], *drive)[0], z[0])


@pytest.mark.parametrize("family", EASY, ids=lambda family: type(family).__name__)
def test_the_output_is_an_equilibrium_of_the_captured_map(family):
    drawn = family.draw(3)
    solver = Anderson() if not isinstance(family, Monotone) else Picard(damping=0.1)
    z, ledger = solved(drawn, solver, tolerance=1e-11, max_calls=3000)
    f, z0 = captured(drawn.module, drawn.x)
    assert ledger.forward.unconverged_samples == 0
    assert z0.shape == z.shape == (3, 6)
    assert torch.allclose(f(z), z, atol=1e-9)


@pytest.mark.parametrize("family", EASY, ids=lambda family: type(family).__name__)
def test_a_draw_does_not_depend_on_the_default_dtype(family):
    torch.set_default_dtype(torch.float64)
    try:
        once = family.draw(0)
    finally:
        torch.set_default_dtype(torch.float32)
    again = family.draw(0)
    assert torch.equal(once.x, again.x)
    assert all(map(torch.equal, once.module.state_dict().values(), again.module.state_dict().values()))


def test_affine_reaches_the_direct_solver_with_its_column_sum():
    drawn = Affine(gamma=0.999, batch=4, dimension=9).draw(0)
    f, _ = captured(drawn.module, drawn.x)
    matrix = f.affine.matrix
    assert torch.allclose(matrix.sum(0), torch.full((9,), 0.999, dtype=torch.float64))
    assert f.affine.column_sum == pytest.approx(0.001)
    z, _ = solved(drawn, Direct(), tolerance=1e-12)
    identity = torch.eye(9, dtype=torch.float64)
    assert torch.allclose(z.mT, torch.linalg.solve(identity - matrix, f.inputs[0].mT))


@pytest.mark.parametrize("family", [Tanh, TanhSymmetric])
def test_the_weight_has_the_norm_that_was_asked_for(family):
    weight = family(norm=0.97, batch=2, dimension=20).draw(1).module.W.detach()
    assert float(torch.linalg.matrix_norm(weight, 2)) == pytest.approx(0.97)
    assert bool((weight == weight.mT).all()) == (family is TanhSymmetric)


def test_the_symmetric_family_contracts_at_its_norm_and_the_gaussian_one_much_faster():
    symmetric = jacobian_at(TanhSymmetric(norm=0.95, batch=2, dimension=40).draw(0), Anderson())
    gaussian = jacobian_at(Tanh(norm=0.95, batch=2, dimension=40).draw(0), Anderson())
    radius = [float(torch.linalg.eigvals(one).abs().max()) for one in (symmetric, gaussian)]
    assert 0.9 < radius[0] < 0.95
    assert radius[1] < 0.6


@pytest.mark.parametrize("m", [0.1, 1.0])
def test_the_monotone_family_is_as_monotone_as_it_says_and_fixed_point_iteration_fails_there(m):
    drawn = Monotone(m=m, batch=2, dimension=32).draw(0)
    f, _ = captured(drawn.module, drawn.x)
    gap = torch.eye(32, dtype=torch.float64) - f.monotone.operator.blocks
    assert float(torch.linalg.eigvalsh((gap + gap.mT) / 2).min()) >= m - 1e-12
    _, ledger = solved(drawn, Picard(), tolerance=1e-6, max_calls=100)
    assert ledger.forward.unconverged_samples == 2


def test_the_loss_is_half_the_mean_squared_distance_to_a_target():
    drawn = Tanh(batch=2, dimension=3).draw(0)
    output = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(drawn.loss(output), output)
    target = -2 * slope
    assert float(drawn.loss(output).detach()) == pytest.approx(float((target**2).sum()) / 4)


@pytest.mark.parametrize("model", [None, DeqMlp(width=16)])
def test_a_trained_map_is_trained_and_stands_on_test_samples(model):
    trained, untrained = (Trained(model=model, epochs=epochs, batch=200).draw(0) for epochs in (1, 0))
    assert torch.equal(trained.x, untrained.x)
    losses = []
    for drawn in (trained, untrained):
        output, ledger = solved(drawn, Anderson(), tolerance=1e-10)
        assert ledger.forward.samples == 200
        losses.append(float(drawn.loss(output)))
    assert losses[0] < 0.6 * losses[1]


def test_an_explicit_model_has_no_map_to_train():
    with pytest.raises(InapplicableError, match="needs an implicit model, and Mlp is explicit"):
        Trained(model=Mlp()).draw(0)


def test_training_is_recorded_in_no_ledger_but_its_own():
    ledger = Ledger()
    with bound(solver=Picard(), gradient=Implicit(), stop=Stop(max_calls=1), ledger=ledger):
        Trained(epochs=1).draw(0)
    assert ledger.forward.solves == 0

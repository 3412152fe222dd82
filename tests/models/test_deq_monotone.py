"""The monotone operator equilibrium networks, dense and convolutional."""

import pytest
import torch
from torch.autograd import gradcheck

from deqbench.equilibria.binding import bound
from deqbench.equilibria.ledger import Ledger
from deqbench.equilibria.solving import Stop
from deqbench.errors import ConfigurationError
from deqbench_plugins.gradients.implicit import Implicit
from deqbench_plugins.models.deq_monotone import DeqMonotone, DeqMonotoneConv
from deqbench_plugins.solvers.anderson import Anderson
from deqbench_plugins.solvers.forward_backward import ForwardBackward
from deqbench_plugins.solvers.peaceman_rachford import PeacemanRachford

EXACT = Stop(1e-13, 3000)
MODELS = [
    DeqMonotone(width=5, m=0.5, activation="tanh"),
    DeqMonotoneConv(channels=2, m=0.5, activation="tanh"),
]


def built(model, inputs):
    torch.manual_seed(0)
    return model.build(inputs, 3).double()


@pytest.mark.parametrize("model", MODELS)
def test_the_margin_holds_for_any_weights(model):
    module = built(model, (9,))
    for size in (0.0, 1.0, 100.0):
        for weights in (module.weight.factor, module.weight.skew):
            weights.data += size * torch.randn(weights.shape, dtype=torch.float64)
        part = module.weight()
        assert part.monotonicity >= 0.5 - 1e-11 * (1 + part.lipschitz)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("solver", [PeacemanRachford(), Anderson()])
def test_gradients_pass_gradcheck(model, solver):
    module = built(model, (9,))
    x = torch.randn(2, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    names, weights = zip(*module.named_parameters(), strict=True)

    def predict(*values):
        return torch.func.functional_call(module, dict(zip(names, values, strict=True)), (x,))

    with bound(solver=solver, gradient=Implicit(), stop=EXACT):
        assert gradcheck(predict, weights, fast_mode=True)


@pytest.mark.parametrize("inputs", [(16,), (7,), (4, 5), (3, 4, 5)])
def test_the_convolutional_model_takes_rows_and_images(inputs):
    module = built(DeqMonotoneConv(channels=2), inputs)
    x = torch.randn(6, *inputs, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ledger = Ledger()
    with bound(solver=PeacemanRachford(), gradient=Implicit(), stop=EXACT, ledger=ledger), torch.no_grad():
        assert module(x).shape == (6, 3)
    assert ledger.forward.unconverged_samples == 0
    assert ledger.forward.resolvents > 0


def test_other_shapes_are_refused():
    with pytest.raises(ConfigurationError, match="deq-monotone'"):
        DeqMonotoneConv().build((2, 3, 4, 5), 2)


@pytest.mark.parametrize("model", MODELS)
def test_every_solver_gives_the_same_predictions(model):
    module = built(model, (9,))
    x = torch.randn(4, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = []
    for solver in (PeacemanRachford(), PeacemanRachford(0.3), ForwardBackward(), Anderson()):
        with bound(solver=solver, gradient=Implicit(), stop=EXACT) as ledger, torch.no_grad():
            found.append(module(x))
        assert ledger.forward.unconverged_samples == 0
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("gradient", ["one-step", "unrolled"])
def test_splitting_serves_the_other_gradients_too(gradient):
    from deqbench import equilibrium

    module = built(MODELS[0], (9,))
    x = torch.randn(4, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    offset = module.inject(x)
    z = equilibrium(
        module.map(),
        0 * offset,
        offset,
        solver=PeacemanRachford(),
        gradient=gradient,
        stop=EXACT,
        ledger=Ledger(),
    )
    z.square().sum().backward()
    assert all(torch.isfinite(module.weight.get_parameter(name).grad).all() for name in ("factor", "skew"))

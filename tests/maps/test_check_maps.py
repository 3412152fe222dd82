"""The checks of map families catch what they are for."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from deqbench import equilibrium
from deqbench.checks import maps
from deqbench.plugin import Drawn
from deqbench_plugins.maps.tanh import Tanh


class Module(nn.Module):
    """z = w z / 2 + x, solved some number of times."""

    def __init__(self, solves=1, dtype=torch.float64):
        super().__init__()
        self.w = nn.Parameter(torch.full((2,), 0.5, dtype=dtype))
        self.solves = solves

    def forward(self, x):
        for _ in range(self.solves):
            z = equilibrium(lambda z, x: self.w * z / 2 + x, torch.zeros_like(x), x)
        return z if self.solves else self.w * x


def draws(seed, size=(3, 2), dtype=torch.float64):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@dataclass(frozen=True)
class Family:
    """What it draws is made by a function of the seed."""

    make: object

    def draw(self, seed):
        """Make it."""
        return self.make(seed)


def total(output):
    return output.sum()


BAD = {
    "gives_the_same_for_a_seed": lambda seed: Drawn(Module(), torch.randn(3, 2).double(), total),
    "draws_from_the_seed": lambda seed: Drawn(Module(), draws(0), total),
    "is_float64_on_the_cpu": lambda seed: Drawn(Module(dtype=torch.float32), draws(seed), total),
    "solves_once": lambda seed: Drawn(Module(solves=2), draws(seed), total),
    "can_be_differentiated": lambda seed: Drawn(Module(), draws(seed), lambda output: output.detach().sum()),
    "calls_barely_what_it_solves": lambda seed: Drawn(Module(), draws(seed), total, lambda z, x: z / 2 + x),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_family_is_caught(name):
    check = getattr(maps, name)
    try:
        fault = check(Family(BAD[name]))
    except RuntimeError as error:  # autograd's own word on a loss without a graph
        fault = str(error)
    assert fault
    assert check(Tanh(batch=2, dimension=3)) is None


def test_a_bare_call_of_the_same_values_passes():
    family = Family(lambda seed: Drawn(Module(), draws(seed), total, lambda z, x: z / 4 + x))
    assert maps.calls_barely_what_it_solves(family) is None


def test_a_module_that_solves_nothing_is_caught():
    fault = maps.solves_once(Family(lambda seed: Drawn(Module(solves=0), draws(seed), total)))
    assert fault == "it solved 0 equilibria"


def test_a_loss_that_is_no_scalar_is_caught():
    fault = maps.can_be_differentiated(Family(lambda seed: Drawn(Module(), draws(seed), lambda out: out)))
    assert fault.startswith("the loss is (3, 2)")

"""Effective depth: products with parameters in sequence, counted on models whose depth is known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from deqbench.discovery.registry import Registry
from deqbench.experiments.depth import effective_depth
from deqbench.trials import Ref

X = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def build():
    registry = Registry.load()
    return lambda text: registry.build("models", Ref.parse(text)).build((8,), 4)


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("linear", 1),
        ("mlp[width=16]", 2),
        ("unrolled[width=16,steps=1]", 2),
        ("unrolled[width=16,steps=10]", 11),
    ],
)
def test_an_explicit_model_is_as_deep_as_its_layers(build, text, depth):
    assert effective_depth(build(text), X) == depth


@pytest.mark.parametrize("calls", [1, 2, 7.5])
def test_an_implicit_model_grows_by_a_layer_a_call(build, calls):
    assert effective_depth(build("deq-linear"), X, calls) == calls  # phi is no product; the read-out is one
    assert effective_depth(build("deq-mlp[width=16]"), X, calls) == calls + 1


def test_k_calls_of_an_equilibrium_are_as_deep_as_k_unrolled_steps(build):
    unrolled = effective_depth(build("unrolled[width=16,steps=12]"), X)
    assert effective_depth(build("deq-mlp[width=16]"), X, 12) == unrolled


def test_branches_count_by_the_longer_one():
    class Branched(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.skip = nn.Linear(8, 8), nn.Linear(8, 4), nn.Linear(8, 4)

        def forward(self, x):
            return self.second(self.first(x).relu()) + self.skip(x)

    assert effective_depth(Branched(), X) == 2


def test_biases_scales_and_products_of_activations_are_no_layers():
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.norm = nn.Linear(8, 8), nn.LayerNorm(8)

        def forward(self, x):
            y = self.norm(self.layer(x))
            return y @ y.mT

    assert effective_depth(Gated(), X) == 1


def test_a_weight_that_is_computed_from_parameters_is_a_weight():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.free = nn.Parameter(torch.eye(8))

        def forward(self, x):
            return x @ (self.free @ self.free).softmax(0)

    assert effective_depth(Scaled(), X) == 1


def test_convolutions_count():
    model = nn.Sequential(nn.Conv1d(1, 2, 3), nn.ReLU(), nn.Conv1d(2, 2, 3), nn.Flatten(), nn.Linear(8, 4))
    assert effective_depth(model, X[:, None, :]) == 3


def test_a_very_deep_model_is_no_deep_recursion():
    assert effective_depth(nn.Sequential(*[nn.Linear(8, 8) for _ in range(3000)]), X) == 3000


def test_whole_numbers_have_no_path_to_follow():
    assert effective_depth(nn.Embedding(5, 3), torch.arange(4)) is None


def test_a_model_that_ignores_its_input_has_no_depth():
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.value = nn.Parameter(torch.ones(4))

        def forward(self, x):
            return self.value.expand(len(x), 4) * 1

    assert effective_depth(Constant(), X) is None


def test_the_model_is_left_as_it_was(build):
    model = build("mlp[width=16]").train()
    effective_depth(model, X)
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())

"""The explicit models: linear and mlp."""

from __future__ import annotations

import pytest
import torch

from deqbench_plugins.models.linear import Linear
from deqbench_plugins.models.mlp import Mlp


@pytest.mark.parametrize("model", [Linear(), Mlp(), Mlp(depth=3, width=7, activation="tanh")])
def test_images_are_flattened_and_every_output_has_a_column(model):
    assert model.build((4, 5), 3)(torch.randn(6, 4, 5)).shape == (6, 3)


def test_linear_is_its_weight_times_the_features():
    module = Linear().build((4,), 3).double()
    torch.nn.init.normal_(module.weight, generator=torch.Generator().manual_seed(0))
    x = torch.randn(6, 4, dtype=torch.float64)
    torch.testing.assert_close(module(x), module.features(x) @ module.weight.T, rtol=1e-13, atol=1e-14)


def test_linear_starts_with_the_same_prediction_for_every_class():
    assert torch.equal(Linear().build((4,), 3)(torch.randn(6, 4)), torch.zeros(6, 3))


def test_linear_features_end_in_a_column_of_ones():
    assert Linear().build((2, 2), 3).features(torch.zeros(5, 2, 2))[:, -1].tolist() == [1.0] * 5


def test_mlp_has_as_many_parameters_as_its_shape_says():
    count = sum(p.numel() for p in Mlp(width=7, depth=2).build((4,), 3).parameters())
    assert count == (4 + 1) * 7 + (7 + 1) * 7 + (7 + 1) * 3


def test_mlp_is_drawn_from_the_global_generator():
    torch.manual_seed(4)
    first = Mlp().build((4,), 3)(torch.ones(1, 4))
    torch.manual_seed(4)
    assert torch.equal(Mlp().build((4,), 3)(torch.ones(1, 4)), first)


def test_neither_sees_a_solver():
    assert not Linear.implicit
    assert not Mlp.implicit

"""Which interpolating solution the flow ends at: that of minimum norm only without an implicit layer."""

from __future__ import annotations

import torch

from deqbench_plugins.claims.cases import random_loss, random_state, relative
from deqbench_plugins.theory.flow import Accuracy, delm_flow
from deqbench_plugins.theory.optimum import optimum


def limit(seed, gamma):
    """The flow's limit from W = 0 with fewer samples than features, and the minimum-norm solution."""
    loss = random_loss(seed, "square", (4, 7, 2))
    zero = torch.zeros(2, 7, dtype=torch.float64)
    horizon = 60.0 / loss.kappa()
    start = random_state(seed, 7, 2, gamma).read_as(zero)
    found = delm_flow(start, loss, horizon, Accuracy(rtol=1e-9, atol=1e-12)).at(horizon).W
    assert loss.value(found) <= 1e-14 * loss.value(zero)
    return found, optimum(loss).weights


def test_without_an_implicit_layer_the_limit_has_minimum_norm():
    for seed in range(3):
        assert relative(*limit(seed, 0.0)) <= 1e-6


def test_the_limits_distance_from_it_grows_with_gamma():
    means = [sum(relative(*limit(seed, gamma)) for seed in range(4)) / 4 for gamma in (0.1, 0.5, 0.9)]
    assert 0.005 < means[0] < means[1] < means[2]

"""Random DELMs and data of every shape regime, drawn from a seed, and how far apart two tensors are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from deqbench_plugins.theory.delm import Delm
from deqbench_plugins.theory.losses import ConvexLoss

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.learning.losses import LossName


def draw(seed: int) -> torch.Generator:
    """Return a generator of this seed."""
    return torch.Generator().manual_seed(seed)


def normal(generator: torch.Generator, *shape: int) -> Tensor:
    """Return standard normal numbers, float64."""
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def random_state(seed: int, m: int, outputs: int, gamma: float, scale: float = 1.0) -> Delm:
    """Return a DELM whose weights are normal, of a standard deviation."""
    generator = draw(seed)
    return Delm(scale * normal(generator, m, m), scale * normal(generator, outputs, m), 1.0 - gamma)


def random_loss(
    seed: int, name: LossName, shape: tuple[int, int, int], rank: int | None = None, scale: float = 1.0
) -> ConvexLoss:
    """Return a loss of normal features; labels are noise, so classes are separable only where n <= m or so.

    Args:
        seed: It is drawn from it.
        name: The loss.
        shape: (n, m, outputs).
        rank: Of the features; None for full rank.
        scale: 1 for the sum over samples.
    """
    n, m, outputs = shape
    generator = draw(1000 + seed)
    features = normal(generator, n, m)
    if rank is not None:
        features = features[:, :rank] @ normal(generator, rank, m) / rank**0.5
    if name == "square":
        return ConvexLoss(name, features, normal(generator, n, outputs), outputs, scale)
    classes = max(outputs, 2)
    return ConvexLoss(name, features, torch.randint(0, classes, (n,), generator=generator), outputs, scale)


def random_case(seed: int, name: LossName = "square", largest: float = 3.3) -> tuple[Delm, ConvexLoss]:
    """Return a state and a loss of random shape, scale in [.3, largest] and gamma in [.05, .98]."""
    generator = draw(5000 + seed)
    m, outputs, n = (
        int(torch.randint(low, high, (), generator=generator)) for low, high in ((2, 9), (1, 6), (2, 20))
    )
    outputs = max(outputs, 2) if name == "cross-entropy" else outputs
    gamma = 0.05 + 0.93 * float(torch.rand((), generator=generator))
    size = 0.3 + (largest - 0.3) * float(torch.rand((), generator=generator))
    return random_state(seed, m, outputs, gamma, size), random_loss(seed, name, (n, m, outputs))


def relative(found: Tensor, truth: Tensor) -> float:
    """Return ||found - truth|| / ||truth||."""
    return float(torch.linalg.vector_norm(found - truth) / torch.linalg.vector_norm(truth))

"""What the synthetic families share: a generator of their own, Gaussian tensors, a loss towards targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
from pydantic import Field

from deqbench.measuring.seeding import stream_seed

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

Batch = Annotated[int, Field(ge=1, description="Samples, each a problem of its own.")]
Dimension = Annotated[int, Field(ge=2, description="Size of one state.")]


class Gaussians:
    """Draws N(0, 1) in float64 from the stream ``map`` of a seed, without the global generator.

    Args:
        seed: The trial's seed.
        family: Tells the streams of two families apart.
    """

    def __init__(self, seed: int, family: str) -> None:
        self._generator = torch.Generator().manual_seed(stream_seed(seed, "map", family))

    def __call__(self, *shape: int) -> Tensor:
        """Return the next draws, of this shape."""
        return torch.randn(*shape, generator=self._generator, dtype=torch.float64)


def towards(target: Tensor) -> Callable[[Tensor], Tensor]:
    """Return output -> half the mean squared distance of its rows to those of the target, (B, ...)."""

    def loss(output: Tensor) -> Tensor:
        return (output - target).square().sum() / (2 * target.shape[0])

    return loss

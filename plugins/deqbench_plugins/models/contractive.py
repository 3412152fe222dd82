"""The cell z -> act(W z + U x + b) with ||W||_2 bounded exactly: one map, implicit or unrolled."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

Activation = Literal["tanh", "relu"]
"""Both are 1-Lipschitz, so the cell contracts in the 2-norm by the bound on ||W||_2."""


class ContractiveCell(nn.Module):
    """The weights of the map z -> act(W z + U x + b), and the linear read-out of its state.

    W = V min(1, bound / ||V||_2) with V free: inside the ball W is V, outside it V is scaled back to the
    sphere. The norm is the greatest singular value, computed in full, so the bound holds after every
    update, not after enough power iterations. V starts as a Gaussian of norm near the bound.

    Args:
        inputs: Shape of one input; it is flattened.
        outputs: Size of one prediction.
        width: Size of the state.
        activation: ``tanh`` or ``relu``.
        bound: Greatest ||W||_2, in (0, 1).

    Source: normalisation by the spectral norm is T. Miyato et al. (2018), "Spectral Normalization for
    Generative Adversarial Networks", arXiv 1802.05957, who estimate it by power iteration.
    """

    def __init__(
        self,
        inputs: tuple[int, ...],
        outputs: int,
        *,
        width: int,
        activation: Activation,
        bound: float,
    ) -> None:
        super().__init__()
        self.bound = bound
        # A Gaussian matrix of entries N(0, s^2) has norm near 2 s sqrt(width).
        self.free = nn.Parameter(torch.randn(width, width) * (bound / (2 * math.sqrt(width))))
        self.inject = nn.Linear(math.prod(inputs), width)
        self.readout = nn.Linear(width, outputs)
        self.activation: Callable[[Tensor], Tensor] = torch.tanh if activation == "tanh" else torch.relu

    def weight(self) -> Tensor:
        """Return W, (width, width), with ||W||_2 <= bound; one singular value decomposition."""
        norm: Tensor = torch.linalg.matrix_norm(self.free, 2)
        return self.free * (self.bound / norm).clamp_max(1)

    def injected(self, x: Tensor) -> Tensor:
        """Return U x + b, (B, width), for inputs (B, *inputs)."""
        injected: Tensor = self.inject(x.flatten(1))
        return injected

    def map(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Return f(z, U x + b) with the weights as they stand."""
        weight = self.weight()
        return lambda z, injected: self.activation(torch.addmm(injected, z, weight.mT))

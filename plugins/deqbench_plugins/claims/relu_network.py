"""The control of C3: a ReLU network of one narrow hidden layer, by descent, and the best loss known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from scipy.optimize import minimize

from deqbench_plugins.claims.cases import draw, normal

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench_plugins.theory.losses import ConvexLoss

RATES = (0.03, 0.1)
"""Steps of gradient descent; the better one counts."""
RESTARTS = 8
"""Starts of which the best known loss is the best."""
ITERATIONS = 1500
"""Of L-BFGS, from one start."""


class Network(NamedTuple):
    """What became of a network q = V relu(W phi).

    Attributes:
        first: Its loss at the start.
        descended: After gradient descent at the better of the rates.
        at_rest: After L-BFGS from there: what it would ever have reached on its way down.
        best_known: The least loss of all, that of L-BFGS from other starts included.
    """

    first: float
    descended: float
    at_rest: float
    best_known: float

    @property
    def own_gap(self) -> float:
        """How far above its best known loss it comes to rest, over how far above it started."""
        return (self.at_rest - self.best_known) / (self.first - self.best_known)


def network(loss: ConvexLoss, width: int, steps: int, seed: int) -> Network:
    """Return what a network of a hidden width reaches, for the mean square loss.

    Args:
        loss: Of the predictions; its features are the network's inputs.
        width: Hidden units.
        steps: Of gradient descent.
        seed: The start is drawn from it, and so are the other ones.
    """
    start = _start(loss, width, seed)
    ends = [_descended(loss, width, start, rate, steps) for rate in RATES]
    descended, end = min(ends, key=lambda one: one[0])
    at_rest = _rested(loss, width, end)
    others = [_rested(loss, width, _start(loss, width, 1000 * (seed + 1) + k)) for k in range(RESTARTS)]
    first = _value_and_gradient(loss, width, start)[0]
    return Network(first, descended, at_rest, min(at_rest, *others))


def _start(loss: ConvexLoss, width: int, seed: int) -> Tensor:
    generator, inputs = draw(seed), loss.features.shape[1]
    inner, outer = normal(generator, width, inputs), normal(generator, loss.outputs, width)
    return torch.cat([(inner / inputs**0.5).reshape(-1), (outer / width**0.5).reshape(-1)])


def _value_and_gradient(loss: ConvexLoss, width: int, flat: Tensor) -> tuple[float, Tensor]:
    x = loss.features
    inner, outer = flat[: width * x.shape[1]].view(width, -1), flat[width * x.shape[1] :].view(-1, width)
    drive = x @ inner.T
    hidden = drive.relu()
    error = hidden @ outer.T - loss.y
    pull = 2 * loss.scale * error
    back = (pull @ outer) * (drive > 0)
    gradient = torch.cat([(back.T @ x).reshape(-1), (pull.T @ hidden).reshape(-1)])
    return loss.scale * float(error.square().sum()), gradient


def _descended(loss: ConvexLoss, width: int, start: Tensor, rate: float, steps: int) -> tuple[float, Tensor]:
    flat = start
    for _ in range(steps):
        flat = flat - rate * _value_and_gradient(loss, width, flat)[1]
    return _value_and_gradient(loss, width, flat)[0], flat


def _rested(loss: ConvexLoss, width: int, start: Tensor) -> float:
    def both(x: Any) -> tuple[float, Any]:
        value, gradient = _value_and_gradient(loss, width, torch.from_numpy(x))
        return value, gradient.numpy()

    options = {"maxiter": ITERATIONS, "maxfun": 2 * ITERATIONS, "ftol": 1e-15, "gtol": 1e-9}
    solve: Any = minimize  # its stubs know no dictionary of options
    found = solve(both, start.numpy(), jac=True, method="L-BFGS-B", options=options)
    return float(found.fun)

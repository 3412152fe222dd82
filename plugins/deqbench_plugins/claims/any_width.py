"""C3: no width assumption: a DELM narrower than its outputs reaches the best linear function."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
import torch
from pydantic import Field
from sklearn.datasets import load_digits

from deqbench.claims import Assumption, Evidence, Point
from deqbench_plugins.claims.cases import random_state
from deqbench_plugins.claims.relu_network import network
from deqbench_plugins.theory.delm import Weights
from deqbench_plugins.theory.losses import ConvexLoss
from deqbench_plugins.theory.metric import Metric
from deqbench_plugins.theory.optimum import optimum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deqbench_plugins.claims.relu_network import Network
    from deqbench_plugins.theory.delm import Delm

REACHED = 1e-8
"""Share of the first gap that counts as the optimum."""
LOOK_EVERY = 20
"""Steps between two looks at the gap and its bound."""


@dataclass(frozen=True)
class AnyWidth:
    """C3: gradient descent on digits, one-hot, from m components and a constant.

    One control freezes B. The other is a ReLU network of the same width, where it comes to rest above the
    best loss known of its kind: that of L-BFGS from eight other starts. It may well be below the best linear
    function all the same, for it is another class of functions.
    """

    code: ClassVar[str] = "C3"
    statement: ClassVar[str] = (
        "No width is needed: digits one-hot, m < m_y = 10 and m < n: gradient descent ends at gap / gap(0) "
        "<= 1e-8, and on the way gap(k) <= gap(0) (1 - eta kappa lambda / 2)^k."
    )
    source: ClassVar[str] = "Kawaguchi 2021 [RECALL]; gradient descent in place of the flow: own."
    tolerance: ClassVar[float] = 1e-6

    m: Annotated[int, Field(ge=2, le=60, description="Features: principal components, and a constant.")] = 3
    steps: Annotated[int, Field(ge=100, description="At most so many steps.")] = 8000

    def examine(self, seed: int, precision: int) -> Evidence:
        """Descend at half of 1 / lambda_max(D H) at the start; more steps at higher precision."""
        loss = _digits(self.m)
        best, state = optimum(loss), random_state(seed, self.m, 10, 0.8, 0.1)
        rate = 0.5 * Metric(state).reach(loss.hessian(state.W))
        first = loss.value(state.W) - best.value
        path = tuple(_descent(loss, state, rate, best.value, self.steps * 10**precision))
        count, gap = int(path[-1].t), path[-1].quantity * first
        frozen = _only_a(loss, random_state(seed, self.m, 10, 0.8, 0.1), rate, count)
        control = [Point(count, (frozen - best.value) / first, REACHED)]
        rival = network(loss, self.m, count, seed)
        stalls = rival.own_gap > REACHED
        if stalls:
            control.append(Point(count, rival.own_gap, REACHED))
        facts = (
            Assumption("m", self.m, self.m <= len(loss.features), "n is at least m"),
            Assumption("steps", count, holds=True, sentence="steps of gradient descent"),
            *_told(rival, self.m, best.value, first, stalls=stalls),
        )
        names = "B frozen; a ReLU network of the same width" if stalls else "B frozen"
        return Evidence(facts, (*path, Point(count, gap / first, REACHED)), tuple(control), names)


def _descent(loss: ConvexLoss, state: Delm, rate: float, best: float, most: int) -> Iterator[Point]:
    """Yield gap / gap(0) against (1 - eta kappa lambda / 2)^k every few steps, until the optimum is reached.

    lambda is the least 1 / ||U||^2 so far, the lower end of the certificate of lambda_min(D).
    """
    first, least, count, gap = loss.value(state.W) - best, Metric(state).sandwich.low, 0, math.inf
    while gap > 0.5 * REACHED * first and count < most:
        for _ in range(LOOK_EVERY):
            state = state.moved(state.gradient(loss.gradient(state.W)), -rate)
        count += LOOK_EVERY
        gap, least = loss.value(state.W) - best, min(least, Metric(state).sandwich.low)
        yield Point(count, gap / first, (1 - rate * loss.kappa() * least / 2) ** count)


def _told(rival: Network, m: int, best: float, first: float, *, stalls: bool) -> tuple[Assumption, ...]:
    """Return what became of the ReLU network, in words."""
    side = "above" if rival.descended > best else "below"
    said = "it stalls" if stalls else "it does not stall"
    own = f"gap of a ReLU network of width {m}, at rest, to the best known of its kind: {said}"
    linear = f"gap of the same network to the best linear function: it ends {side} it"
    return (
        Assumption("relu_own_gap", rival.own_gap, holds=True, sentence=own),
        Assumption("relu_gap", (rival.descended - best) / first, holds=True, sentence=linear),
    )


def _only_a(loss: ConvexLoss, state: Delm, rate: float, steps: int) -> float:
    """Return the loss that the implicit layer alone reaches, B frozen."""
    for _ in range(steps):
        gradient = state.gradient(loss.gradient(state.W))
        state = state.moved(Weights(gradient.A, torch.zeros_like(gradient.B)), -rate)
    return loss.value(state.W)


def _digits(m: int) -> ConvexLoss:
    """Return the mean square loss of one-hot digits on m - 1 whitened principal components and a constant."""
    x, labels = load_digits(return_X_y=True)
    left = np.linalg.svd(x - x.mean(0), full_matrices=False)[0][:, : m - 1] * len(x) ** 0.5
    left = np.column_stack([left, np.ones(len(x))])
    return ConvexLoss.mean(
        "square", torch.from_numpy(left.copy()), torch.eye(10, dtype=torch.float64)[labels], 10
    )

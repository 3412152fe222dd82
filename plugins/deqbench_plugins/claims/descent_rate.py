"""C7: gradient descent with a step below 1 / beta keeps theorem 1's rate, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from pydantic import Field

from deqbench.claims import Assumption, Evidence, Point
from deqbench_plugins.claims.cases import random_loss, random_state
from deqbench_plugins.claims.linear_rate import REGIMES, Gamma, Regime
from deqbench_plugins.theory.metric import Metric
from deqbench_plugins.theory.optimum import optimum
from deqbench_plugins.theory.rate import FLOOR

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench_plugins.theory.delm import Delm
    from deqbench_plugins.theory.losses import ConvexLoss

CONTROL_SHARE = 2.2
"""The control's step, in units of 1 / lambda_max(D H) at the start: beyond 2 / beta near the optimum."""
SCALE = 0.3
"""Standard deviation of the first weights. Larger ones may shrink D on the way, and with it the control."""
_LOOKED_AT = (0, 1, 2, 5, 10, 20, 50, 100, 200, 400)
"""Steps whose segment is searched for the greatest curvature."""
_BROKEN = 1e3
"""A gap above this many first ones has diverged."""


@dataclass(frozen=True)
class DescentRate:
    """C7: each step of gradient descent shrinks the gap by 1 - eta kappa lambda_min(D) / 2 at least."""

    code: ClassVar[str] = "C7"
    statement: ClassVar[str] = (
        "Gradient descent, square loss, eta <= 1 / lambda_max(D H) at the start, eta beta <= 1 on the way: "
        "each step shrinks the gap by 1 - eta kappa lambda_min(D) / 2 at least."
    )
    source: ClassVar[str] = (
        "own, by the descent lemma; 1 / lambda_max(D H) is a heuristic for 1 / beta, so beta is measured."
    )
    tolerance: ClassVar[float] = 1e-6

    regime: Annotated[Regime, Field(description="Which of m, m_y and n are the smaller ones.")] = "narrow"
    gamma: Gamma = 0.8
    share: Annotated[
        float, Field(gt=0, le=1, description="Step, in units of 1 / lambda_max(D H) at the start.")
    ] = 0.85
    steps: Annotated[int, Field(ge=20, description="At most so many steps.")] = 600

    def examine(self, seed: int, precision: int) -> Evidence:
        """Descend from small weights; the control takes 2.2 times the heuristic's step."""
        del precision
        m, outputs, n, rank = REGIMES[self.regime]
        loss = random_loss(7 + seed, "square", (n, m, outputs), rank=rank, scale=1 / n)
        start = random_state(7 + seed, m, outputs, self.gamma, SCALE)
        unit = Metric(start).reach(loss.hessian(start.W))
        beta = _greatest_curvature(start, loss, self.share * unit, self.steps)
        steady = Assumption(
            "eta_beta",
            self.share * unit * beta,
            self.share * unit * beta <= 1,
            "eta is at most 1 / beta, beta the greatest curvature of L(A, B) met on the way",
        )
        facts = (
            steady,
            Assumption("kappa", loss.kappa(), loss.kappa() > 0, "kappa is positive"),
            Assumption("eta", self.share * unit, holds=True, sentence="the step"),
        )
        points = contraction(start, loss, self.share * unit, self.steps)
        control = contraction(start, loss, CONTROL_SHARE * unit, self.steps)
        return Evidence(facts, points, control, "eta = 2.2 / lambda_max(D H) at the start")


def contraction(start: Delm, loss: ConvexLoss, eta: float, steps: int) -> tuple[Point, ...]:
    """Return gap(k + 1) / gap(k) of each step against 1 - eta kappa lambda_min(D_k) / 2.

    Steps from gaps below 1e-8 of the first say nothing, and are left out. Where the promised factor is not
    positive the step is far too long; the bound is then the smallest number there is.
    """
    best, kappa, state, found = optimum(loss), loss.kappa(), start, []
    first = gap = loss.value(start.W) - best.value
    floor = max(FLOOR * first, 1e-12 * abs(best.value))  # 1e4 roundings: the ratio's tolerance is 1e-6
    for count in range(1, steps + 1):
        least = Metric(state).least()
        state = state.moved(state.gradient(loss.gradient(state.W)), -eta)
        before, gap = gap, max(loss.value(state.W) - best.value, 0.0)
        found.append(Point(count, gap / before, max(1 - eta * kappa * least / 2, torch.finfo().tiny)))
        if not floor < gap < _BROKEN * first:
            break
    return tuple(found)


def _greatest_curvature(start: Delm, loss: ConvexLoss, eta: float, steps: int) -> float:
    """Return the largest eigenvalue of the Hessian of L(A, B) at both ends and the middle of some steps."""
    state, worst = start, 0.0
    for count in range(min(steps, _LOOKED_AT[-1]) + 1):
        pull = state.gradient(loss.gradient(state.W))
        if count in _LOOKED_AT:
            worst = max(worst, *(_curvature(state.moved(pull, -share * eta), loss) for share in (0, 0.5, 1)))
        state = state.moved(pull, -eta)
    return worst


def _curvature(state: Delm, loss: ConvexLoss) -> float:
    """Return lambda_max of the Hessian of the square loss in (A, B), dense, by automatic differentiation."""
    eye = torch.eye(len(state.A), dtype=torch.float64)

    def value(flat: Tensor) -> Tensor:
        moved = state.at(flat)
        system = eye - state.gamma * torch.softmax(moved.A, dim=0)
        out: Tensor = loss.features @ torch.linalg.solve(system.T, moved.B.T) - loss.y
        return loss.scale * out.square().sum()

    whole: Tensor = torch.func.hessian(value)(state.vector)
    return float(torch.linalg.eigvalsh(whole)[-1])

"""C23: when the one-step (Jacobian-free) gradient is a descent direction, sharply."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from pydantic import Field

from deqbench.claims import Assumption, Evidence, Point
from deqbench.equilibria.binding import Ledger, equilibrium
from deqbench.equilibria.solving import Stop
from deqbench_plugins.gradients.implicit import Implicit
from deqbench_plugins.gradients.one_step import OneStep
from deqbench_plugins.solvers.picard import Picard

if TYPE_CHECKING:
    from torch import Tensor

SHARES = (0.5, 0.9, 0.98)
"""Conditions of M M', in units of the sharp threshold."""


@dataclass(frozen=True)
class OneStepDescent:
    """C23: at the worst case of a norm and a condition, the two gradients' cosine is positive."""

    code: ClassVar[str] = "C23"
    statement: ClassVar[str] = (
        "||dF/dz|| <= gamma and cond(M M') < (1 + r) / (1 - r), r = sqrt(1 - gamma^2): the one-step gradient "
        "descends."
    )
    source: ClassVar[str] = "Wu Fung et al. 2022, for cond <= 1 / gamma [RECALL]; the sharp threshold: own."
    tolerance: ClassVar[float] = 1e-9

    gamma: Annotated[float, Field(gt=0, lt=1, description="Norm of the Jacobian.")] = 0.6

    def examine(self, seed: int, precision: int) -> Evidence:
        """Compare angles with a right angle below the threshold; the control is 2 per cent beyond it."""
        del seed, precision
        root = math.sqrt(1 - self.gamma**2)
        limit = (1 + root) / (1 - root)
        conditions = (0.99 / self.gamma, *(share * limit for share in SHARES))
        points = tuple(Point(condition, self._angle(condition), math.pi / 2) for condition in conditions)
        control = (Point(1.02 * limit, self._angle(1.02 * limit), math.pi / 2),)
        weaker = Assumption(
            "threshold", limit, 1 / self.gamma < limit, "it lies above the published 1 / gamma"
        )
        return Evidence((weaker,), points, control, "condition 1.02 x the threshold")

    def _angle(self, condition: float) -> float:
        """Return the angle between the engine's one-step and implicit gradients at the worst case."""
        jacobian, inward, g = worst_case(self.gamma, condition)
        found = []
        for gradient in (OneStep(), Implicit()):
            theta = torch.ones(1, 2, dtype=torch.float64, requires_grad=True)
            z = equilibrium(
                lambda z, t: z @ jacobian.mT + t @ inward.mT,
                torch.zeros(1, 2, dtype=torch.float64),
                theta,
                solver=Picard(),
                gradient=gradient,
                stop=Stop(1e-14, 2000),
                ledger=Ledger(),
            )
            found.append(torch.autograd.grad((z @ g).sum(), theta)[0][0])
        return math.acos(float(torch.nn.functional.cosine_similarity(found[0], found[1], dim=0)))


def worst_case(gamma: float, condition: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return J of norm gamma, M with cond(M M') as given, and dL/dz that turn the gradients farthest apart.

    With A = M M' and w = (I - J')^-1 g, <one-step, exact> = <A g, w>. A turns g by at most
    arccos(2 sqrt(c) / (c + 1)) (Kantorovich), J turns g from w by at most arcsin(gamma); here both do, in
    opposite directions.
    """
    spread = torch.diag(torch.tensor([condition, 1.0], dtype=torch.float64))
    g = torch.tensor([1.0, math.sqrt(condition)], dtype=torch.float64)
    turned = spread @ g
    side = 1.0 if float(g[0] * turned[1] - g[1] * turned[0]) < 0 else -1.0
    w = _rotation(side * math.asin(gamma)) @ g / math.sqrt(1 - gamma**2)
    step = w - g  # J'w, of length gamma ||w||
    angle = math.atan2(float(w[0] * step[1] - w[1] * step[0]), float(w @ step))
    return gamma * _rotation(angle).mT, spread.sqrt(), g


def _rotation(angle: float) -> Tensor:
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s], [s, c]], dtype=torch.float64)

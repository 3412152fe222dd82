"""C17: how fast a monotone equilibrium can change with its input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, ClassVar

import torch

from deqbench.claims import Assumption, Evidence, Point
from deqbench.equilibria.monotone import LinearPart, MonotoneMap, Relu, monotone_blocks
from deqbench_plugins.claims.cases import draw, normal
from deqbench_plugins.claims.monotone import Margin, assumed, solved

if TYPE_CHECKING:
    from torch import Tensor

SIZE, INPUTS, PAIRS = 9, 5, 60
FALSE_MARGIN = 1.02
"""The control's factor, where the bound is attained."""


@dataclass(frozen=True)
class MonotoneLipschitz:
    """C17: x -> z*(x) of z = relu(W z + U x + b), I - W >= m, has Lipschitz constant ||U||_2 / m at most.

    Between its kinks z* is linear with derivative (I - D W)^-1 D U, D the mask of the active units. All 512
    masks are taken, those that no input reaches included, and pairs of inputs besides.
    """

    code: ClassVar[str] = "C17"
    statement: ClassVar[str] = (
        "I - W >= m I, m > 0: x -> z*(x) of z = relu(W z + U x + b) has Lipschitz constant <= ||U||_2 / m, "
        "over every mask of active units and between far inputs."
    )
    source: ClassVar[str] = "Pabbaraju et al. 2021, abstract [INFERRED]"
    tolerance: ClassVar[float] = 1e-9

    margin: Margin = 0.3

    def examine(self, seed: int, precision: int) -> Evidence:
        """Take every mask and some pairs; the control claims a margin 2 per cent larger: W = (1 - m) I."""
        del precision
        generator = draw(17 + seed)
        factor, skew = normal(generator, 2, SIZE, SIZE) / math.sqrt(SIZE)
        part, inward = LinearPart(monotone_blocks(factor, skew, self.margin)), normal(generator, SIZE, INPUTS)
        bound = float(torch.linalg.matrix_norm(inward, 2)) / self.margin
        by_mask = slopes(part.blocks, inward)
        # One checkpoint a number of active units: the worst mask of so many.
        points = [
            Point(active, max(norm for mask, norm in by_mask if sum(mask) == active), bound)
            for active in range(1, SIZE + 1)
        ]
        points += [Point(SIZE + 1, one, bound) for one in self._pairs(part, inward, generator)]
        even = (1 - self.margin) * torch.eye(SIZE, dtype=torch.float64)
        attained = max(norm for _, norm in slopes(even, inward))
        control = (Point(SIZE, attained, bound / FALSE_MARGIN),)
        norm = float(torch.linalg.matrix_norm(part.blocks, 2))
        facts = (
            assumed(part),
            Assumption("margin", self.margin, part.monotonicity >= self.margin * (1 - 1e-9), "m is a margin"),
            Assumption("norm", norm, holds=True, sentence="||W||_2: no contraction explains it above 1"),
        )
        return Evidence(facts, tuple(points), control, "m x 1.02 where the bound is attained, W = (1 - m) I")

    def _pairs(self, part: LinearPart, inward: Tensor, generator: torch.Generator) -> list[float]:
        """Return ||z*(x) - z*(x')|| / ||x - x'|| of random pairs, the equilibria found by splitting."""
        map_, bias = MonotoneMap(part, Relu()), normal(generator, SIZE)
        x = 3 * normal(generator, PAIRS, INPUTS)
        other = x + torch.logspace(-3, 1, PAIRS, dtype=torch.float64)[:, None] * normal(
            generator, PAIRS, INPUTS
        )
        ends = [solved(map_, one @ inward.mT + bias, torch.zeros(PAIRS, SIZE).double()) for one in (x, other)]
        ratios: list[float] = ((ends[1] - ends[0]).norm(dim=1) / (other - x).norm(dim=1)).tolist()
        return ratios


def slopes(w: Tensor, inward: Tensor) -> list[tuple[tuple[int, ...], float]]:
    """Return every mask of active units but the empty one, and ||(I - D W)^-1 D U||_2 there."""
    masks = list(product((0, 1), repeat=len(w)))[1:]
    active = torch.tensor(masks, dtype=w.dtype).unsqueeze(2)  # (2^d - 1, d, 1): D from the left
    jacobians = torch.linalg.solve(torch.eye(len(w), dtype=w.dtype) - active * w, active * inward)
    return list(zip(masks, torch.linalg.matrix_norm(jacobians, 2).tolist(), strict=True))

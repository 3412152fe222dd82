"""C14, C15 and C16: monotone equilibria are unique, and splitting finds them at a known rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import torch
from pydantic import Field

from deqbench.claims import Assumption, Evidence, Point
from deqbench.equilibria.maps import Map
from deqbench.equilibria.monotone import Identity, LinearPart, MonotoneMap, Relu, Tanh, monotone_blocks
from deqbench.equilibria.solving import Stop, drive
from deqbench_plugins.claims.cases import draw, normal
from deqbench_plugins.solvers.forward_backward import ForwardBackward
from deqbench_plugins.solvers.peaceman_rachford import PeacemanRachford
from deqbench_plugins.solvers.picard import Picard

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

SIZE, BATCH, STEPS = 24, 8, 60
FLOOR = 1e-8
"""Distances to z* below which rounding enters their ratios."""

_WINSTON = "Winston and Kolter 2020 [RECALL]"
Margin = Annotated[float, Field(gt=0, description="Strong monotonicity m of I - W.")]


def drawn(margin: float, seed: int) -> tuple[LinearPart, Tensor]:
    """Return a monotone linear part and the offsets (B, d) of a batch."""
    generator = draw(seed)
    factor, skew = normal(generator, 2, SIZE, SIZE) / math.sqrt(SIZE)
    return LinearPart(monotone_blocks(factor, skew, margin)), 3 * normal(generator, BATCH, SIZE)


def solved(map_: MonotoneMap, offset: Tensor, start: Tensor) -> Tensor:
    """Return the equilibria (B, d), found by splitting from a start."""
    return drive(PeacemanRachford(), Map(map_, (offset,)), start, Stop(1e-13, 2000)).z


def ratios(
    solver: Any,
    map_: MonotoneMap,
    offset: Tensor,
    point_of: Callable[[Any], Tensor],
    target: Tensor,
) -> list[float]:
    """Return the batch's greatest ratio of successive distances to the target, step by step."""
    f = Map(map_, (offset,))
    state = solver.init(f, 5 * torch.ones_like(offset))
    before = torch.linalg.vector_norm(point_of(state) - target, dim=1)
    found = []
    for _ in range(STEPS):
        state = solver.step(f, state)
        distance = torch.linalg.vector_norm(point_of(state) - target, dim=1)
        clear = before > FLOOR
        if bool(clear.any()):
            found.append(float((distance / before)[clear].max()))
        before = distance
    return found


def factors(found: list[float], bound: float) -> tuple[Point, ...]:
    """Return the ratio of each step against its bound."""
    return tuple(Point(float(step), ratio, bound) for step, ratio in enumerate(found, 1))


def assumed(part: LinearPart) -> Assumption:
    """Return that I - W is strongly monotone."""
    return Assumption("monotonicity", part.monotonicity, part.monotonicity > 0, "I - W is strongly monotone")


@dataclass(frozen=True)
class MonotoneUnique:
    """C14: a monotone equilibrium is unique: starts from 0 to 1e6 away reach the same point."""

    code: ClassVar[str] = "C14"
    statement: ClassVar[str] = (
        "I - W strongly monotone: starts as far as 1e6 away reach one equilibrium, to 1e-11."
    )
    source: ClassVar[str] = _WINSTON
    tolerance: ClassVar[float] = 1e-9

    margin: Margin = 0.2

    def examine(self, seed: int, precision: int) -> Evidence:
        """Solve from five starts; the control is not monotone and has two equilibria."""
        del precision
        part, offset = drawn(self.margin, seed)
        map_, generator = MonotoneMap(part, Relu()), draw(seed)
        first = solved(map_, offset, torch.zeros_like(offset))
        points = []
        for size in (1.0, 1e2, 1e4, 1e6):
            z = solved(map_, offset, size * normal(generator, BATCH, SIZE))
            points.append(Point(size, float((z - first).abs().max() / first.abs().max()), 1e-11))
        two = MonotoneMap(LinearPart(2 * torch.eye(1, dtype=torch.float64)), Tanh())
        zero = torch.zeros(1, 1, dtype=torch.float64)
        ends = [drive(Picard(), Map(two, (zero,)), zero + side, Stop(1e-12, 500)).z for side in (-1, 1)]
        control = (Point(1.0, float((ends[1] - ends[0]).abs().max()), 1e-11),)
        return Evidence((assumed(part),), tuple(points), control, "I - W = -1, not monotone")


@dataclass(frozen=True)
class ForwardBackwardRate:
    """C15: forward-backward splitting contracts by its factor at every step."""

    code: ClassVar[str] = "C15"
    statement: ClassVar[str] = (
        "Forward-backward, alpha < 2 m / L^2: each step shrinks ||z - z*|| by sqrt(1 - 2 alpha m + "
        "alpha^2 L^2) at least."
    )
    source: ClassVar[str] = _WINSTON
    tolerance: ClassVar[float] = 1e-9

    margin: Margin = 0.2
    share: Annotated[float, Field(gt=0, lt=2, description="Step, in units of m / L^2.")] = 1.0

    def examine(self, seed: int, precision: int) -> Evidence:
        """Watch 60 steps; the control claims a margin 2 per cent larger where the bound is attained."""
        del precision
        part, offset = drawn(self.margin, seed)
        step = self.share * part.monotonicity / part.lipschitz**2
        map_ = MonotoneMap(part, Relu())
        target = solved(map_, offset, torch.zeros_like(offset))
        found = ratios(ForwardBackward(step), map_, offset, lambda state: state.z, target)
        control = self._control()
        return Evidence(
            (assumed(part),), factors(found, _forward(part, step, 1.0)), control, "m x 1.02, bound attained"
        )

    def _control(self) -> tuple[Point, ...]:
        gap = torch.tensor([[0.3, -2.0], [2.0, 0.3]], dtype=torch.float64)
        part = LinearPart(torch.eye(2, dtype=torch.float64) - gap)
        step, zero = 0.5 * part.monotonicity / part.lipschitz**2, torch.zeros(1, 2, dtype=torch.float64)
        map_ = MonotoneMap(part, Identity())
        found = ratios(ForwardBackward(step), map_, zero, lambda state: state.z, zero)
        return factors(found, _forward(part, step, 1.02))


def _forward(part: LinearPart, step: float, factor: float) -> float:
    return math.sqrt(1 - 2 * step * factor * part.monotonicity + step**2 * part.lipschitz**2)


@dataclass(frozen=True)
class PeacemanRachfordRate:
    """C16: Peaceman-Rachford splitting contracts at every step size."""

    code: ClassVar[str] = "C16"
    statement: ClassVar[str] = (
        "Peaceman-Rachford, any alpha > 0: each step shrinks ||u - u*|| by sqrt(1 - 4 alpha m / "
        "(1 + alpha L)^2) at least."
    )
    source: ClassVar[str] = f"{_WINSTON}; the factor, of the Cayley operator: own."
    tolerance: ClassVar[float] = 1e-9

    margin: Margin = 0.2
    step: Annotated[float, Field(gt=0, description="alpha.")] = 1.0

    def examine(self, seed: int, precision: int) -> Evidence:
        """Watch 60 steps; the control claims a margin 2 per cent larger where the bound is attained."""
        del precision
        part, offset = drawn(self.margin, seed)
        map_ = MonotoneMap(part, Relu())
        target = solved(map_, offset, torch.zeros_like(offset))
        fixed = target + self.step * (map_.inner(target, offset) - target)
        found = ratios(
            PeacemanRachford(self.step),
            map_,
            offset,
            lambda state: state.reflected,
            fixed,
        )
        bound = math.sqrt(1 - 4 * self.step * part.monotonicity / (1 + self.step * part.lipschitz) ** 2)
        return Evidence((assumed(part),), factors(found, bound), self._control(), "m x 1.02, bound attained")

    def _control(self) -> tuple[Point, ...]:
        part = LinearPart(torch.zeros(3, 3, dtype=torch.float64))
        map_, offset = MonotoneMap(part, Relu()), torch.full((1, 3), 50.0, dtype=torch.float64)
        solver = PeacemanRachford(3.0)
        found = ratios(solver, map_, offset, lambda state: state.reflected, offset)
        return factors(found, math.sqrt(1 - 12 * 1.02 / 16))

"""C11: the flow of a linear equilibrium model converges linearly and stays well conditioned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple

import torch
from pydantic import Field

from deqbench.claims import Assumption, Evidence, Point
from deqbench_plugins.claims.cases import draw, normal
from deqbench_plugins.claims.linear_rate import accuracy
from deqbench_plugins.theory.flow import integrate

if TYPE_CHECKING:
    from torch import Tensor

SIZE, INPUTS, OUTPUTS, SAMPLES = 6, 4, 2, 12
CHECKPOINTS = 40
FLOOR = 1e-8
"""Gaps below this share of the first are left out."""
FAR = 30.0
"""The control's target: of one unit that starts at w = u = 0, and so moves on the circle of radius 1."""


class Case(NamedTuple):
    """z = W z + U x, f = C z, loss |f - y|^2 / (2 n), C frozen.

    W is (d, d), U (d, d_x), C (d_y, d), x (d_x, n) and y (d_y, n).
    """

    W: Tensor
    U: Tensor
    C: Tensor
    x: Tensor
    y: Tensor

    def gap(self, w: Tensor, u: Tensor) -> float:
        """Return L - L*: every linear map is reached, so that L* is that of least squares."""
        product = self.C @ torch.linalg.solve(_eye(w) - w, u)
        best = self.y @ torch.linalg.pinv(self.x)
        return float(((product - best) @ self.x).square().sum()) / (2 * self.x.shape[1])

    def gradient(self, w: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """Return dL/dW and dL/dU."""
        inverse = torch.linalg.inv(_eye(w) - w)
        z = inverse @ u @ self.x
        pulled = inverse.mT @ self.C.mT @ (self.C @ z - self.y) / self.x.shape[1]
        return pulled @ z.mT, pulled @ self.x.mT

    @property
    def rate(self) -> float:
        """2 sigma(x)^2 sigma(C)^2 / (n R^2), R^2 = ||(I - W)(I - W)' + U U'||, which does not move.

        ||dL/dU||^2 = ||(I - W)^-T C' E x'||^2 / n^2 and ||I - W|| <= R.
        """
        gap = _eye(self.W) - self.W
        radius = float(torch.linalg.matrix_norm(gap @ gap.mT + self.U @ self.U.mT, 2))
        least = [float(torch.linalg.svdvals(one)[-1]) for one in (self.x, self.C)]
        return 2 * (least[0] * least[1]) ** 2 / (self.x.shape[1] * radius)


class Sight(NamedTuple):
    """One moment: gap / first gap, exp(-rate t), and sigma_min(I - W) over its start."""

    time: float
    gap: float
    bound: float
    least: float


@dataclass(frozen=True)
class LinearDeqRate:
    """C11: along the flow of z = W z + U x, f = C z, the gap falls linearly and I - W stays regular."""

    code: ClassVar[str] = "C11"
    statement: ClassVar[str] = (
        "Linear DEQ, C frozen and of full rank: gap(t) <= gap(0) exp(-2 sigma(x)^2 sigma(C)^2 t / (n R^2)), "
        "R^2 = ||(I - W_0)(I - W_0)' + U_0 U_0'||; sigma_min(I - W_t) stays above a share of its start "
        "(descriptive: no constant is known)."
    )
    source: ClassVar[str] = (
        "Dandapanthula and Ramdas 2025, abstract [INFERRED]; the rate's constant: own; the share: chosen."
    )
    tolerance: ClassVar[float] = 1e-6

    share: Annotated[
        float, Field(gt=0, lt=1, description="Of the start's sigma_min(I - W) that must remain.")
    ] = 0.1

    def examine(self, seed: int, precision: int) -> Evidence:
        """Follow W and U; the controls: one unit with a far target, and W trained alone."""
        case = drawn(seed)
        seen = followed(case, precision)
        clear = [one for one in seen if one.gap > FLOOR]
        points = [Point(one.time, one.gap, one.bound) for one in clear]
        least, slope = min(one.least for one in seen), _least_slope(clear)
        points.append(Point(seen[-1].time, self.share, least))  # the whole flow's, told at its end
        facts = (
            Assumption("rate", case.rate, case.rate > 0, "x and C have full rank"),
            Assumption("least_share", least, least > 0, "least sigma_min(I - W_t) over its start"),
            Assumption("least_slope", slope, slope > 0, "the gap's logarithm falls at every checkpoint"),
        )
        decay = -math.expm1(-case.rate * seen[-1].time)
        vacuous = None if decay >= 0.01 else f"it predicts a decay of {decay:.2g} over the whole horizon"
        name = "one unit, target 30 (for sigma_min), and W alone trained (for the rate): the lesser ratio"
        return Evidence(facts, tuple(points), self._control(case, precision), name, vacuous)

    def _control(self, case: Case, precision: int) -> tuple[Point, ...]:
        """Return one checkpoint: both halves of the claim must be found out."""
        one = torch.ones(1, 1, dtype=torch.float64)
        far = followed(Case(0 * one, 0 * one, one, one, FAR * one), precision)
        worst = max(self.share / sight.least for sight in far)
        alone = followed(case._replace(U=1e-3 * case.U), precision, only_w=True)
        slow = max(sight.gap / sight.bound for sight in alone)  # its gap hardly moves
        return (Point(far[-1].time, min(worst, slow), 1.0),)


def drawn(seed: int) -> Case:
    """Return a random start, readout and data."""
    generator = draw(seed)
    w, u = 0.2 * normal(generator, SIZE, SIZE), normal(generator, SIZE, INPUTS)
    c, x = normal(generator, OUTPUTS, SIZE), normal(generator, INPUTS, SAMPLES)
    return Case(w, u, c, x, normal(generator, OUTPUTS, SAMPLES))


def followed(case: Case, precision: int, *, only_w: bool = False) -> list[Sight]:
    """Return what is seen along the flow over three times 1 / rate."""
    horizon, rows = 3.0 / case.rate, case.W.numel()

    def parted(flat: Tensor) -> tuple[Tensor, Tensor]:
        return flat[:rows].view_as(case.W), flat[rows:].view_as(case.U)

    def slope(flat: Tensor) -> Tensor:
        by_w, by_u = case.gradient(*parted(flat))
        return -_joined(by_w, torch.zeros_like(by_u) if only_w else by_u)

    flow, seen = integrate(slope, _joined(case.W, case.U), horizon, accuracy(precision)), []
    first, start = case.gap(case.W, case.U), _least_singular(case.W)
    even = torch.linspace(0, horizon, CHECKPOINTS + 1)[1:].tolist()
    for time in sorted({*even, *(horizon * 10.0 ** (-k / 8) for k in range(1, 25))}):
        w, u = parted(flow.at(time))
        gap = case.gap(w, u) / first
        seen.append(Sight(time, gap, math.exp(-case.rate * time), _least_singular(w) / start))
    return seen


def _eye(w: Tensor) -> Tensor:
    return torch.eye(len(w), dtype=torch.float64)


def _least_singular(w: Tensor) -> float:
    return float(torch.linalg.svdvals(_eye(w) - w)[-1])


def _joined(w: Tensor, u: Tensor) -> Tensor:
    return torch.cat([w.reshape(-1), u.reshape(-1)])


def _least_slope(seen: list[Sight]) -> float:
    """Return the least -d log gap / dt between successive checkpoints, the start included."""
    pairs = zip([(0.0, 1.0), *((one.time, one.gap) for one in seen)], seen, strict=False)
    return min((math.log(gap / one.gap) / (one.time - time) for (time, gap), one in pairs), default=math.nan)

"""C10, C18 and C19: a linear equilibrium model's conserved matrix, and two conditions of well-posedness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from pydantic import Field

from deqbench.claims import Assumption, Evidence, Point
from deqbench_plugins.claims.cases import draw, normal
from deqbench_plugins.claims.linear_rate import accuracy
from deqbench_plugins.theory.flow import integrate

if TYPE_CHECKING:
    from torch import Tensor

SIZE = 6


@dataclass(frozen=True)
class LinearDeqConservation:
    """C10: along the flow of z = W z + U x, f = C z, (I - W)(I - W)' + U U' does not move."""

    code: ClassVar[str] = "C10"
    statement: ClassVar[str] = (
        "Linear DEQ z = W z + U x, f = C z: (I - W)(I - W)' + U U' is conserved by the flow, drift <= 1e-9."
    )
    source: ClassVar[str] = "Dandapanthula and Ramdas 2025, abstract [INFERRED]; the matrix form: own."
    tolerance: ClassVar[float] = 1e-6

    def examine(self, seed: int, precision: int) -> Evidence:
        """Follow W and U with C frozen; the control forgets the part of U."""
        generator = draw(seed)
        eye = torch.eye(SIZE, dtype=torch.float64)
        w, u = 0.2 * normal(generator, SIZE, SIZE), normal(generator, SIZE, 4)
        c, x, y = normal(generator, 2, SIZE), normal(generator, 4, 12), normal(generator, 2, 12)

        def slope(flat: Tensor) -> Tensor:
            w, u = _parted(flat)
            inverse = torch.linalg.inv(eye - w)
            z = inverse @ u @ x
            pulled = inverse.mT @ c.mT @ (c @ z - y) / x.shape[1]
            return -torch.cat([(pulled @ z.mT).reshape(-1), (pulled @ x.mT).reshape(-1)])

        flow = integrate(slope, torch.cat([w.reshape(-1), u.reshape(-1)]), 5.0, accuracy(precision))
        first, points, control = _conserved(w, u), [], []
        for time in torch.linspace(0.5, 5, 10).tolist():
            w_t, u_t = _parted(flow.at(time))
            scale = float(first.norm())
            points.append(Point(time, float((_conserved(w_t, u_t) - first).norm()) / scale, 1e-9))
            half = (eye - w_t) @ (eye - w_t).mT - (eye - w) @ (eye - w).mT
            control.append(Point(time, float(half.norm()) / scale, 1e-9))
        moved = float((flow.at(5.0) - flow.at(0.0)).norm())
        told = Assumption("distance_moved", moved, moved > 1e-2, "the parameters have moved")
        return Evidence((told,), tuple(points), tuple(control), "(I - W)(I - W)' alone")


def _parted(flat: Tensor) -> tuple[Tensor, Tensor]:
    return flat[: SIZE * SIZE].view(SIZE, SIZE), flat[SIZE * SIZE :].view(SIZE, -1)


def _conserved(w: Tensor, u: Tensor) -> Tensor:
    gap = torch.eye(SIZE, dtype=torch.float64) - w
    return gap @ gap.mT + u @ u.mT


@dataclass(frozen=True)
class PerronFrobenius:
    """C18: lambda_pf(|A|) < 1 makes z = relu(A z + b) well-posed, however large ||A||_2 is."""

    code: ClassVar[str] = "C18"
    statement: ClassVar[str] = (
        "lambda_pf(|A|) < 1: z = relu(A z + b) has one equilibrium, though ||A||_2 is far above 1."
    )
    source: ClassVar[str] = "El Ghaoui et al. [RECALL]"
    tolerance: ClassVar[float] = 1e-9

    radius: Annotated[float, Field(gt=0, lt=1, description="Perron-Frobenius eigenvalue of |A|.")] = 0.8

    def examine(self, seed: int, precision: int) -> Evidence:
        """Iterate from far starts; the control has an eigenvalue above 1."""
        del precision
        generator = draw(seed)
        a, b = normal(generator, SIZE, SIZE), normal(generator, SIZE)
        a *= self.radius / float(torch.linalg.eigvals(a.abs()).abs().max())
        scales = torch.logspace(-2, 2, SIZE, dtype=torch.float64)
        a = scales[:, None] * a / scales
        radius = float(torch.linalg.eigvals(a.abs()).abs().max())
        starts = [size * normal(generator, SIZE) for size in (0.0, 1.0, 1e3)]
        ends = [_iterated(a, b, start) for start in starts]
        points = [Point(k, _spread(end, ends[0]), 1e-10) for k, end in enumerate(ends[1:], 1)]
        growing = a.abs() * (1.05 / radius)
        wild = [_iterated(growing, b.abs(), start.abs(), 200) for start in starts]
        control = [Point(k, _spread(end, wild[0]), 1e-10) for k, end in enumerate(wild[1:], 1)]
        norm = float(torch.linalg.matrix_norm(a, 2))
        facts = (
            Assumption("perron_eigenvalue", radius, radius < 1, "lambda_pf(|A|) is below 1"),
            Assumption("norm", norm, norm > 1, "||A||_2 is above 1, so that no contraction explains it"),
        )
        return Evidence(facts, tuple(points), tuple(control), "lambda_pf(|A|) = 1.05")


def _iterated(a: Tensor, b: Tensor, z: Tensor, steps: int = 1000) -> Tensor:
    for _ in range(steps):
        z = (a @ z + b).relu()
    return z


def _spread(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm() / other.norm())


@dataclass(frozen=True)
class Subhomogeneous:
    """C19: z = sqrt(W z + b), W >= 0 of any size, contracts by 1/2 in Thompson's metric."""

    code: ClassVar[str] = "C19"
    statement: ClassVar[str] = (
        "z = sqrt(W z + b), any W >= 0, b > 0: each step shrinks Thompson's distance to z* by 1/2 at least."
    )
    source: ClassVar[str] = "Gabor et al. 2024; Sittoni and Tudisco 2024 [RECALL]"
    tolerance: ClassVar[float] = 1e-6

    scale: Annotated[float, Field(gt=0, description="Size of W.")] = 1000.0

    def examine(self, seed: int, precision: int) -> Evidence:
        """Watch each step's factor; the control has no square root."""
        del precision
        generator = draw(seed)
        w, b = self.scale * normal(generator, SIZE, SIZE).abs(), normal(generator, SIZE).abs() + 0.1
        start = torch.exp(5 * normal(generator, SIZE))
        end = start
        for _ in range(200):
            end = (w @ end + b).sqrt()
        points, z, control = [], start, []
        other = 2 * start
        for step in range(1, 15):
            before, z = _thompson(z, end), (w @ z + b).sqrt()
            if before > 1e-6:
                points.append(Point(step, _thompson(z, end) / before, 0.5))
            control.append(Point(step, _thompson(w @ start, w @ other) / _thompson(start, other), 0.5))
        positive = Assumption("least_entry", float(w.min()), bool((w >= 0).all()), "W has no negative entry")
        return Evidence((positive,), tuple(points), tuple(control), "z = W z, not subhomogeneous")


def _thompson(one: Tensor, other: Tensor) -> float:
    return float((one.log() - other.log()).abs().max())

"""C20, C21 and C22: how wrong truncated gradients are, and no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from pydantic import Field

from deqbench.claims import Assumption, Evidence, Point
from deqbench.equilibria.binding import AffineMap, Ledger, equilibrium
from deqbench.equilibria.solving import Stop
from deqbench_plugins.claims.cases import draw, normal
from deqbench_plugins.gradients.one_step import OneStep
from deqbench_plugins.gradients.phantom import Phantom
from deqbench_plugins.gradients.unrolled import UnrolledGradient
from deqbench_plugins.solvers.direct import Direct
from deqbench_plugins.solvers.picard import Picard

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.problems import AnySolver
    from deqbench.interfaces import Gradient

SIZE = 8
DEPTHS = (20, 40, 80, 120)
Rho = Annotated[float, Field(gt=0, lt=1, description="Norm of the Jacobian.")]


@dataclass(frozen=True)
class _Way:
    """How a gradient is computed: by what, after which solve."""

    gradient: Gradient
    solver: AnySolver
    stop: Stop

    def of(self, matrix: Tensor, offset: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return dL/dM and dL/d offset of L = weights . z*, as the engine gives them."""
        matrix, offset = matrix.clone().requires_grad_(), offset.clone().requires_grad_()
        z = equilibrium(
            AffineMap(matrix),
            torch.zeros_like(offset),
            offset,
            solver=self.solver,
            gradient=self.gradient,
            stop=self.stop,
            ledger=Ledger(),
        )
        by_matrix, by_offset = torch.autograd.grad((weights * z).sum(), (matrix, offset))
        return by_matrix, by_offset


def exact(matrix: Tensor, offset: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the same by autograd through a dense solve."""
    matrix, offset = matrix.clone().requires_grad_(), offset.clone().requires_grad_()
    z = torch.linalg.solve(torch.eye(len(matrix), dtype=torch.float64) - matrix, offset.mT).mT
    by_matrix, by_offset = torch.autograd.grad((weights * z).sum(), (matrix, offset))
    return by_matrix, by_offset


@dataclass(frozen=True)
class UnrolledError:
    """C20: the error of unrolling is O(K rho^K), and the factor K is real."""

    code: ClassVar[str] = "C20"
    statement: ClassVar[str] = "Unrolling K layers errs by at most 1.2 c K rho^K, c from K = 20, to K = 120."
    source: ClassVar[str] = "folklore; the test of the constant: own."
    tolerance: ClassVar[float] = 1e-6

    rho: Rho = 0.8

    def examine(self, seed: int, precision: int) -> Evidence:
        """Compare depths; the control leaves the factor K out."""
        del precision
        generator = draw(seed)
        basis, _ = torch.linalg.qr(normal(generator, SIZE, SIZE))
        values = self.rho * torch.linspace(-0.6, 1.0, SIZE, dtype=torch.float64)
        matrix = basis @ torch.diag(values) @ basis.mT
        offset, weights = normal(generator, 1, SIZE), normal(generator, 1, SIZE)
        truth = exact(matrix, offset, weights)[0]
        errors = []
        for depth in DEPTHS:
            way = _Way(UnrolledGradient(), Picard(), Stop(1e-300, depth, "absolute"))
            errors.append(float((way.of(matrix, offset, weights)[0] - truth).norm() / truth.norm()))
        first = errors[0] / self.rho ** DEPTHS[0]
        cases = tuple(zip(DEPTHS, errors, strict=True))
        points = tuple(Point(k, error, 1.2 * first * k / DEPTHS[0] * self.rho**k) for k, error in cases)
        control = tuple(Point(k, error, 1.2 * first * self.rho**k) for k, error in cases)
        contracts = Assumption("rho", self.rho, self.rho < 1, "the Jacobian's norm is rho < 1")
        return Evidence((contracts,), points, control, "without the factor K")


@dataclass(frozen=True)
class PhantomError:
    """C21: phantom and Neumann gradients err by at most (1 - lambda (1 - ||J||))^k, relatively."""

    code: ClassVar[str] = "C21"
    statement: ClassVar[str] = (
        "Phantom gradient, k steps, damping l: relative error <= (1 - l (1 - ||J||))^k; l = 1 is Neumann's."
    )
    source: ClassVar[str] = "Geng et al. 2021, method [RECALL]; the identity behind the bound: own."
    tolerance: ClassVar[float] = 1e-9

    rho: Rho = 0.9

    def examine(self, seed: int, precision: int) -> Evidence:
        """Compare numbers of steps and dampings; the control is 1 per cent less where it is attained."""
        del precision
        jacobian = normal(draw(seed), SIZE, SIZE)
        jacobian *= self.rho / torch.linalg.matrix_norm(jacobian, 2)
        attained = self.rho * torch.eye(SIZE, dtype=torch.float64)
        points = self._points(jacobian, seed, 1.0)
        norm = float(torch.linalg.matrix_norm(jacobian, 2))
        contracts = Assumption("jacobian_norm", norm, norm < 1, "the Jacobian's norm is below 1")
        return Evidence((contracts,), points, self._points(attained, seed, 0.99), "0.99 x bound, J = rho I")

    def _points(self, jacobian: Tensor, seed: int, factor: float) -> tuple[Point, ...]:
        generator = draw(10 + seed)
        offset, weights = normal(generator, 3, SIZE), normal(generator, 3, SIZE)
        truth = exact(jacobian, offset, weights)[1]
        found = []
        for steps in (1, 3, 10):
            for damping in (0.3, 0.7, 1.0):
                way = _Way(Phantom(steps, damping, "neumann"), Direct(), Stop(1e-13))
                lost = (truth - way.of(jacobian, offset, weights)[1]).norm(dim=1) / truth.norm(dim=1)
                bound = factor * (1 - damping * (1 - self.rho)) ** steps
                found.append(Point(steps + damping / 2, float(lost.max()), bound))
        return tuple(found)


@dataclass(frozen=True)
class OneStepError:
    """C22: the one-step gradient errs by at most rho ||d_theta F|| / (1 - rho)."""

    code: ClassVar[str] = "C22"
    statement: ClassVar[str] = (
        "One-step gradient: error <= rho / (1 - rho) ||dF/dtheta||, attained at J = rho I."
    )
    source: ClassVar[str] = "Bolte et al. 2023 [RECALL]"
    tolerance: ClassVar[float] = 1e-9

    def examine(self, seed: int, precision: int) -> Evidence:
        """Compare norms from .1 to .95; the control puts the spectral radius in place of the norm."""
        del precision
        identity = torch.eye(SIZE, dtype=torch.float64)
        points = []
        for rho in (0.1, 0.3, 0.5, 0.7, 0.9, 0.95):
            random = normal(draw(seed), SIZE, SIZE)
            scaled = rho * random / torch.linalg.matrix_norm(random, 2)
            points += [Point(rho, _one_step_error(one), rho / (1 - rho)) for one in (scaled, rho * identity)]
        skewed = 0.1 * identity
        skewed[0, 1] = 2.0  # radius 0.1, norm above 2
        control = (Point(0.1, _one_step_error(skewed), 0.1 / 0.9),)
        return Evidence((), tuple(points), control, "spectral radius in place of the norm")


def _one_step_error(jacobian: Tensor) -> float:
    """Return ||dz*/dtheta - its one-step estimate||_2, of z = J z + theta, row by row by the engine."""
    theta = torch.ones(1, SIZE, dtype=torch.float64, requires_grad=True)
    z = equilibrium(
        lambda z, t: z @ jacobian.mT + t,
        torch.zeros(1, SIZE, dtype=torch.float64),
        theta,
        solver=Picard(),
        gradient=OneStep(),
        stop=Stop(1e-14, 2000),
        ledger=Ledger(),
    )
    rows = [torch.autograd.grad(z[0, i], theta, retain_graph=True)[0][0] for i in range(SIZE)]
    truth = torch.linalg.inv(torch.eye(SIZE, dtype=torch.float64) - jacobian)
    return float(torch.linalg.matrix_norm(truth - torch.stack(rows), 2))

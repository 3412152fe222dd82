"""C8 and C9: what a DELM keeps to rounding, its depth law and the column sums of A."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import torch
from pydantic import Field

from deqbench.claims import Assumption, Evidence, Point
from deqbench.equilibria.affine import AffineMap
from deqbench.equilibria.maps import Map
from deqbench_plugins.claims.cases import draw, normal, random_loss, random_state
from deqbench_plugins.claims.linear_rate import Gamma, accuracy
from deqbench_plugins.claims.more_digits import depth_points
from deqbench_plugins.solvers.picard import Picard
from deqbench_plugins.theory.delm import Delm, column_sums
from deqbench_plugins.theory.flow import delm_flow

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from deqbench_plugins.theory.losses import ConvexLoss

SIZE, BATCH = 20, 6
DEPTHS = (1, 2, 5, 10, 20, 40, 60)


@dataclass(frozen=True)
class DepthLaw:
    """C8: a DELM of depth H is gamma^H away from its equilibrium, its signed sum exactly so."""

    code: ClassVar[str] = "C8"
    statement: ClassVar[str] = (
        "Depth H: ||z_H - z*||_1 <= gamma^H ||z_0 - z*||_1, and 1'(z_H - z*) = gamma^H 1'(z_0 - z*) exactly."
    )
    source: ClassVar[str] = "Kawaguchi 2021, reading by infinite depth [RECALL]; the exact form: own."
    tolerance: ClassVar[float] = 1e-9
    finest: ClassVar[int] = 2

    gamma: Gamma = 0.9

    def examine(self, seed: int, precision: int) -> Evidence:
        """Compare both laws at several depths; the control is a softmax along the other axis.

        At precision 2 the law itself is computed in 50 digits, without the engine.
        """
        points: list[Point] = []
        control: list[Point] = []
        for axis, kept in ((0, points), (1, control)):
            generator = draw(8 + seed)
            free = 2 * normal(generator, SIZE, SIZE)
            matrix = self.gamma * torch.softmax(free, axis)
            offset, start = normal(generator, 2, BATCH, SIZE)
            if precision == 2 and axis == 0:
                points.extend(depth_points(free, self.gamma, offset, start, DEPTHS))
                continue
            limit = torch.linalg.solve(torch.eye(SIZE, dtype=torch.float64) - matrix, offset.mT).mT
            scale = limit.abs().sum(1)
            for depth, z in _iterates(matrix, offset, start):
                left, right = (limit - z), (limit - start)
                rounding = 1e-13 * scale
                signed = (left.sum(1) - self.gamma**depth * right.sum(1)).abs() / rounding
                allowed = self.gamma**depth * right.abs().sum(1) + rounding
                share = left.abs().sum(1) / allowed
                kept.append(Point(depth, float(torch.maximum(signed, share).max()), 1.0))
        known = Assumption("gamma", self.gamma, self.gamma < 1, "gamma is below 1")
        return Evidence((known,), tuple(points), tuple(control), "row softmax in place of column softmax")


def _iterates(matrix: Tensor, offset: Tensor, start: Tensor) -> list[tuple[int, Tensor]]:
    """Return (H, z_H) for the depths, as the engine computes them."""
    f, solver, found = Map(AffineMap(matrix), (offset,)), Picard(), []
    state = solver.init(f, start)
    for depth in range(1, DEPTHS[-1] + 1):
        if depth in DEPTHS:
            found.append((depth, state.fz))
        state = solver.step(f, state)
    return found


@dataclass(frozen=True)
class ColumnSums:
    """C9: column sums of A stay as they were under updates that are linear in gradients."""

    code: ClassVar[str] = "C9"
    statement: ClassVar[str] = (
        "Column sums of A are conserved by flow, gradient descent and momentum: drift <= 1e-10; not by Adam."
    )
    source: ClassVar[str] = "own"
    tolerance: ClassVar[float] = 1e-9

    dynamics: Annotated[
        Literal["flow", "gradient-descent", "momentum"], Field(description="How the parameters move.")
    ] = "momentum"
    steps: Annotated[int, Field(ge=20, description="Updates.")] = 500

    def examine(self, seed: int, precision: int) -> Evidence:
        """Follow the drift; the control is Adam on the same loss."""
        loss, start = random_loss(seed, "square", (20, 6, 3), scale=1 / 20), random_state(seed, 6, 3, 0.8)
        if self.dynamics == "flow":
            flow = delm_flow(start, loss, 20.0, accuracy(precision))
            states = [(time, flow.at(time)) for time in torch.linspace(1, 20, 20).tolist()]
        else:
            states = self._descended(start, loss, 0.9 if self.dynamics == "momentum" else 0.0)
        points = tuple(Point(t, _drift(start, state), 1e-10) for t, state in states)
        adam = self._by_torch(start, loss, lambda x: torch.optim.Adam([x], lr=0.05))
        control = tuple(Point(t, _drift(start, state), 1e-10) for t, state in adam)
        moved = float((states[-1][1].A - start.A).norm())
        assumed = Assumption("distance_moved", moved, moved > 1e-3, "A has moved")
        return Evidence((assumed,), points, control, "Adam in place of updates linear in gradients")

    def _descended(self, start: Delm, loss: ConvexLoss, momentum: float) -> list[tuple[float, Delm]]:
        return self._by_torch(start, loss, lambda x: torch.optim.SGD([x], lr=0.002, momentum=momentum))

    def _by_torch(
        self, start: Delm, loss: ConvexLoss, optimizer: Callable[[Tensor], torch.optim.Optimizer]
    ) -> list[tuple[float, Delm]]:
        x = torch.nn.Parameter(start.vector.clone())
        moves, found = optimizer(x), []
        for step in range(1, self.steps + 1):
            state = start.at(x.detach())
            a, b = state.gradient(loss.gradient(state.W))
            x.grad = torch.cat([a.reshape(-1), b.reshape(-1)])
            moves.step()
            if step % (self.steps // 20) == 0:
                found.append((float(step), start.at(x.detach().clone())))
        return found


def _drift(start: Delm, state: Delm) -> float:
    return float((column_sums(state) - column_sums(start)).abs().max())

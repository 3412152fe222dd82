"""Precision 2: checkpoints that float64 says are violated, computed again in 50 digits.

The weights at a checkpoint are taken as float64 gave them; what is computed from them is exact for all that
matters here. A checkpoint within its bound in float64 is left as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from deqbench.claims import Point
from deqbench_plugins.theory.exact_digits import (
    ExactDelm,
    ExactSquare,
    column_softmax,
    context,
    squares,
    to_digits,
)
from deqbench_plugins.theory.metric import dense

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from deqbench_plugins.theory.delm import Delm
    from deqbench_plugins.theory.equivalence import Equivalence
    from deqbench_plugins.theory.flow import DelmFlow
    from deqbench_plugins.theory.losses import ConvexLoss
    from deqbench_plugins.theory.rate import Rate


def again(points: Sequence[Point], compute: Callable[[int], Point], tolerance: float) -> tuple[Point, ...]:
    """Return the checkpoints, those beyond their bound replaced by what ``compute`` gives for their place."""
    return tuple(
        point if point.ratio <= 1 + tolerance else compute(place) for place, point in enumerate(points)
    )


@dataclass(frozen=True)
class ExactFlow:
    """Theorem 1 in 50 digits at the states of a flow of the square loss.

    Attributes:
        flow: It was followed in float64.
        loss: A square loss.
        rate: What float64 found along it.
        kappa_factor: 1; more for a negative control.
    """

    flow: DelmFlow
    loss: ConvexLoss
    rate: Rate
    kappa_factor: float = 1.0
    own: Any = field(default_factory=context, repr=False)

    @cached_property
    def square(self) -> ExactSquare:
        """The loss."""
        return ExactSquare.of(self.loss, self.own)

    def state(self, time: float) -> ExactDelm:
        """Return the state at a time."""
        return ExactDelm.of(self.flow.at(time), self.own)

    @cached_property
    def start(self) -> ExactDelm:
        """The state at time 0."""
        return self.state(0.0)

    def gap_point(self, place: int) -> Point:
        """Return gap / gap(0) and exp(-kappa lambda_T t) of a checkpoint.

        lambda_T is the least of those at time 0, here, and where float64 found the least before.
        """
        seen = self.rate.checkpoints[: place + 1]
        here, lowest = self.state(seen[-1].time), min(seen, key=lambda one: one.least)
        least = min(self.start.least, here.least, self.state(lowest.time).least)
        share = self.square.gap(here.W) / self.square.gap(self.start.W)
        exponent = self.kappa_factor * self.square.kappa * least * seen[-1].time
        return Point(seen[-1].time, float(share), float(self.own.exp(-exponent)))

    def floor_point(self, place: int) -> Point:
        """Return the paper's floor and lambda_min(D) of a checkpoint."""
        state = self.state(self.rate.checkpoints[place].time)
        return Point(self.rate.checkpoints[place].time, float(state.paper_floor), float(state.least))


def gradient_point(t: float, state: Delm, loss: ConvexLoss) -> Point:
    """Return lambda kappa gap and ||grad L(A, B)||^2 of a square loss; lambda = 1 / ||U||^2."""
    own = context()
    exact, square = ExactDelm.of(state, own), ExactSquare.of(loss, own)
    norm = own.eigsy(exact.U * exact.U.T, eigvals_only=True)[exact.S.rows - 1]
    promised = square.kappa * square.gap(exact.W) / norm
    return Point(t, float(promised), float(exact.squared_gradient(square.gradient(exact.W))))


def step_point(t: float, state: Delm, case: Equivalence, bound: float) -> Point:
    """Return the greater of theorem 2's KKT residual and the step's distance to an independent minimiser.

    g, H and delta are float64's, taken exactly: the theorem holds for any. The minimiser is
    v(l) = -((1 - l delta) D H + l)^-1 D g, D times the first condition of optimality, at the root l of
    ||v(l)||_G = radius, found by the secant method: its reciprocal is nearly linear (More and Sorensen 1983).
    """
    own = context()
    exact, delta = ExactDelm.of(state, own), own.mpf(case.delta)
    whole, g = to_digits(own, dense(case.hessian, case.metric.shape)), _column(own, case.gradient)
    pulled, product = exact.dense * g, exact.dense * whole

    def inside(v: Any) -> Any:
        return own.lu_solve(exact.dense, v) - delta * (whole * v)

    def minimiser(lam: Any) -> Any:
        return -own.lu_solve((1 - lam * delta) * product + lam * own.eye(g.rows), pulled)

    def excess(lam: Any) -> Any:
        v = minimiser(lam)
        return 1 / own.sqrt(own.fdot(v, inside(v))) - 1 / radius

    step = -delta * pulled
    radius = own.sqrt(own.fdot(step, inside(step)))
    found = minimiser(own.findroot(excess, (0.7 / delta, 1.6 / delta), solver="secant", tol=1e-60))
    left = whole * step + inside(step) / delta + g
    residual = own.sqrt(squares(left) / squares(g))
    apart = own.sqrt(squares(step - found) / squares(found))
    return Point(t, float(max(residual, apart)), bound)


def depth_points(
    free: Tensor, gamma: float, offset: Tensor, start: Tensor, depths: Sequence[int]
) -> tuple[Point, ...]:
    """Return the depth law of a column softmax (d, d) at some depths; offset and start are (B, d).

    The greatest over the batch of ||z_H - z*||_1 / (gamma^H ||z_0 - z*||_1), and of the signed sums' distance
    in units of 1e-30 ||z*||_1: 20 digits above what is lost here, 14 below float64's.
    """
    own = context()
    matrix = own.mpf(gamma) * column_softmax(own, free)
    inward, z = to_digits(own, offset.mT), to_digits(own, start.mT)  # (d, B): samples are columns
    limit = own.inverse(own.eye(matrix.rows) - matrix) * inward
    first, found = _sums(own, limit - z), []
    scale = [total for _, total in _sums(own, limit)]
    for depth in range(1, max(depths) + 1):
        z = matrix * z + inward
        if depth not in depths:
            continue
        power = own.mpf(gamma) ** depth
        shares = [
            max(total / (power * total_0), abs(signed - power * signed_0) / (unit * own.mpf("1e-30")))
            for (signed, total), (signed_0, total_0), unit in zip(
                _sums(own, limit - z), first, scale, strict=True
            )
        ]
        found.append(Point(depth, float(max(shares)), 1.0))
    return tuple(found)


def _sums(own: Any, matrix: Any) -> list[tuple[Any, Any]]:
    """Return 1'v and |v|_1 of every column v."""
    columns = [[matrix[i, j] for i in range(matrix.rows)] for j in range(matrix.cols)]
    return [(own.fsum(column), own.fsum(column, absolute=True)) for column in columns]


def _column(own: Any, tensor: Tensor) -> Any:
    return to_digits(own, tensor.reshape(-1, 1))

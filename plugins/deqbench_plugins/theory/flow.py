"""Gradient flow, d theta / dt = -grad L(theta), as a stiff ordinary differential equation.

The flow of a DELM is stiff: lambda_max(D) >= 1 / (1 - gamma)^2. LSODA switches to an implicit method where it
pays; explicit Runge-Kutta took two hundred times its right-hand sides at gamma = .99, for the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import scipy.integrate
import torch

from deqbench.plugin import NonFiniteError

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench_plugins.theory.delm import Delm, Weights
    from deqbench_plugins.theory.losses import ConvexLoss

Method = Literal["LSODA", "Radau", "BDF", "DOP853", "RK45"]
"""Integrators of scipy; the first three are for stiff flows."""

Part = Literal["both", "A", "B"]
"""Which of a DELM's weights move."""


@dataclass(frozen=True)
class Accuracy:
    """How a flow is integrated.

    Attributes:
        method: scipy's integrator.
        rtol: Relative tolerance of a step.
        atol: Absolute tolerance of a step.
    """

    method: Method = "LSODA"
    rtol: float = 1e-10
    atol: float = 1e-13

    def tighter(self, factor: float = 100.0) -> Accuracy:
        """Return the same with tolerances divided by a factor, for telling a violation from an error.

        rtol stays at or above 2.3e-14, below which scipy's integrators refuse.
        """
        return Accuracy(self.method, max(self.rtol / factor, 2.3e-14), self.atol / factor)


@dataclass(frozen=True)
class Trajectory:
    """A flow from 0 to its horizon, known at every time between.

    Attributes:
        horizon: Last time, > 0.
        evaluations: Right-hand sides that were computed, each one gradient; finite differences included.
        steps: Steps of the integrator.
        interpolant: Time -> flat parameters, numpy.
    """

    horizon: float
    evaluations: int
    steps: int
    interpolant: Callable[[float], Any] = field(repr=False)

    def at(self, time: float) -> Tensor:
        """Return the flat parameters at a time in [0, horizon]."""
        return torch.from_numpy(np.ascontiguousarray(self.interpolant(time)))


def integrate(
    slope: Callable[[Tensor], Tensor], start: Tensor, horizon: float, accuracy: Accuracy | None = None
) -> Trajectory:
    """Integrate d x / dt = slope(x) from a start (P,), float64, with dense output.

    Raises:
        NonFiniteError: The integrator gave up, or the slope is not finite.
    """
    accuracy = accuracy or Accuracy()

    def right_hand_side(_time: float, x: np.ndarray) -> Any:
        return slope(torch.from_numpy(x)).numpy()

    options = {"method": accuracy.method, "rtol": accuracy.rtol, "atol": accuracy.atol}
    solve: Any = scipy.integrate.solve_ivp  # its stubs know no dictionary of options
    solved = solve(right_hand_side, (0.0, horizon), start.numpy(), dense_output=True, **options)
    if not solved.success or not np.isfinite(solved.y[:, -1]).all():
        raise NonFiniteError(f"The flow could not be followed to time {horizon:g}: {solved.message}")
    return Trajectory(horizon, int(solved.nfev), len(solved.t) - 1, solved.sol)


def sampled(
    slope: Callable[[Tensor], Tensor], start: Tensor, times: Sequence[float], accuracy: Accuracy
) -> Iterator[Tensor]:
    """Yield the solution at some times in turn, integrating no further than the next of them asks.

    Args:
        slope: d x / dt at x, (P,) -> (P,), float64 on the CPU.
        start: x at time 0.
        times: Positive, increasing.
        accuracy: Of the integrator.

    Raises:
        NonFiniteError: The integrator gave up, or the slope is not finite.
    """
    kind: Any = getattr(scipy.integrate, accuracy.method)
    solver = kind(
        lambda _time, x: slope(torch.from_numpy(x)).numpy(),
        0.0,
        start.numpy(),
        t_bound=times[-1],
        rtol=accuracy.rtol,
        atol=accuracy.atol,
    )
    for time in times:
        while solver.t < time:
            message = solver.step()
            if solver.status == "failed" or not np.isfinite(solver.y).all():
                raise NonFiniteError(f"The flow could not be followed to time {time:g}: {message}")
        yield torch.from_numpy(np.ascontiguousarray(solver.dense_output()(time)))


@dataclass(frozen=True)
class DelmFlow:
    """The flow of a DELM's weights (A, B).

    Attributes:
        start: The state at time 0.
        trajectory: Of the flat parameters.
    """

    start: Delm
    trajectory: Trajectory

    def at(self, time: float) -> Delm:
        """Return the state at a time."""
        return self.start.at(self.trajectory.at(time))

    def along(self, times: np.ndarray) -> Iterator[Delm]:
        """Yield the states at some times."""
        for time in times:
            yield self.at(float(time))


def delm_flow(
    start: Delm, loss: ConvexLoss, horizon: float, accuracy: Accuracy | None = None, part: Part = "both"
) -> DelmFlow:
    """Follow the gradient flow of L(A, B) = L0(B U^-1).

    Args:
        start: The state at time 0.
        loss: L0; time is measured for its scale.
        horizon: Last time.
        accuracy: Of the integrator.
        part: Which weights move; the rest is frozen.

    Raises:
        NonFiniteError: The integrator gave up.
    """

    def slope(x: Tensor) -> Tensor:
        state = start.at(x)
        return -_joined(state.gradient(loss.gradient(state.W)), part)

    return DelmFlow(start, integrate(slope, start.vector, horizon, accuracy))


def explicit_flow(
    start: Tensor, loss: ConvexLoss, horizon: float, accuracy: Accuracy | None = None
) -> Trajectory:
    """Follow the gradient flow of the linear model, d W / dt = -grad L0(W), flat, row by row."""
    return integrate(
        lambda x: -loss.gradient(x.view_as(start)).reshape(-1), start.reshape(-1), horizon, accuracy
    )


def _joined(gradient: Weights, part: Part) -> Tensor:
    a = gradient.A if part != "B" else torch.zeros_like(gradient.A)
    b = gradient.B if part != "A" else torch.zeros_like(gradient.B)
    return torch.cat([a.reshape(-1), b.reshape(-1)])

"""Gradient flow as a trainer: d theta / dt = -grad L(theta), observed at given times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import torch
from pydantic import Field

from deqbench.plugin import InapplicableError
from deqbench_plugins.theory.delm import state_of
from deqbench_plugins.theory.flow import Accuracy, Method, sampled
from deqbench_plugins.theory.losses import ConvexLoss

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from deqbench.learning.objective import Objective


@dataclass(frozen=True)
class GradientFlow:
    """The flow of the mean loss, integrated by scipy with dense output; a step leads to the next point.

    It serves every model with float64 parameters, through gradients of its objective. For ``deq-linear`` the
    gradient comes from the closed formula, so that no solver's tolerance enters. Every right-hand side is
    charged as a gradient, finite differences of an implicit method included. Ends at the horizon.

    Source: LSODA is L. Petzold (1983) and A. Hindmarsh; the other methods are scipy's.
    """

    horizon: Annotated[float, Field(gt=0, description="Last time, in units of the mean loss.")] = 10.0
    points: Annotated[int, Field(ge=1, description="Steps until the horizon.")] = 100
    spacing: Annotated[
        Literal["even", "log"], Field(description="Points even in time, or even in its logarithm.")
    ] = "even"
    decades: Annotated[float, Field(gt=0, description="Decades of time that spacing=log covers.")] = 4.0
    method: Annotated[Method, Field(description="Integrator; LSODA, Radau and BDF are for stiff flows.")] = (
        "LSODA"
    )
    rtol: Annotated[float, Field(ge=2.3e-14, lt=1, description="Relative tolerance of a step.")] = 1e-10
    atol: Annotated[float, Field(gt=0, description="Absolute tolerance of a step.")] = 1e-13

    def steps(self, objective: Objective) -> Iterator[Tensor]:
        """Follow the flow; yields the loss at each point."""
        if any(parameter.dtype != torch.float64 for parameter in objective.parameters):
            raise InapplicableError(
                "gradient-flow needs float64 parameters for its tolerances; set dtype = float64."
            )
        slope = _closed(objective) or _general(objective)
        like = objective.vector
        times = self.times()
        flow = sampled(slope, like.cpu(), times, Accuracy(self.method, self.rtol, self.atol))
        for time, x in zip(times, flow, strict=True):
            objective.set_vector(x.to(like.device))
            objective.flow_time = time
            yield objective.value()

    def times(self) -> list[float]:
        """Return the times of the points, the last one the horizon."""
        if self.spacing == "log":
            shares = np.logspace(-self.decades, 0, self.points) if self.points > 1 else np.ones(1)
        else:
            shares = np.arange(1, self.points + 1) / self.points
        return [float(self.horizon * share) for share in shares]


def _general(objective: Objective) -> Callable[[Tensor], Tensor]:
    """Return x -> -grad L(x) through the module."""
    device = objective.vector.device

    def slope(x: Tensor) -> Tensor:
        objective.set_vector(x.to(device))
        return -objective.value_and_gradient()[1].cpu()

    return slope


def _closed(objective: Objective) -> Callable[[Tensor], Tensor] | None:
    """Return x -> -grad L(x) from the DELM's formula, O(m^3 + n m m_y); None for any other model."""
    start = state_of(objective.module)
    if start is None or len(objective.parameters) != 2:
        return None
    features = objective.module.features(objective.x).detach().cpu()  # type: ignore[operator]  # a DELM has it
    loss = ConvexLoss.mean(objective.loss.name, features, objective.y.cpu(), start.B.shape[0])

    def slope(x: Tensor) -> Tensor:
        objective.charge(gradients=1)
        state = start.at(x)
        a, b = state.gradient(loss.gradient(state.W))
        return -torch.cat([a.reshape(-1), b.reshape(-1)]).add_(x, alpha=objective.loss.l2)

    return slope

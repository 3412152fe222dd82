"""C12: which of many solutions the flow of a diagonal linear equilibrium model ends at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field

from deqbench.claims import Assumption, Evidence, Point
from deqbench_plugins.claims.cases import draw, normal
from deqbench_plugins.theory.flow import Accuracy, integrate

if TYPE_CHECKING:
    from torch import Tensor

SAMPLES, UNITS = 4, 10
REACHED = 1e-9
"""KKT residual up to which a point counts as the minimiser."""
TOLD_APART = 1e-2
"""KKT residual that the control must exceed."""
_TIMES = 24.0
"""Horizon, in units of the slowest time constant at the start and at the end."""
_ACCURACY = Accuracy("LSODA", rtol=1e-12, atol=1e-14)


class Case(NamedTuple):
    """y = X beta, beta = u / (1 - w): data X (n, d), y (n,), and the start w, u (d,)."""

    X: Tensor
    y: Tensor
    w: Tensor
    u: Tensor


@dataclass(frozen=True)
class DiagonalBias:
    """C12: the flow of y = sum_i u_i x_i / (1 - w_i) ends at the interpolant that a potential singles out.

    Of beta_i = u_i / (1 - w_i) the flow is a mirror flow. With u trained, (1 - w_i)^2 + u_i^2 = r_i^2 stays,
    and beta_i' = -(1 + beta_i^2)^2 g_i / r_i^2; with u frozen at 1, beta_i' = -beta_i^4 g_i.
    """

    code: ClassVar[str] = "C12"
    statement: ClassVar[str] = (
        "Diagonal linear DEQ, n < d: the flow ends where X beta = y and sum_i r_i^2 beta_i arctan(beta_i) "
        "is least, from beta = 0; with u frozen at 1, where the Bregman distance of sum_i 1 / (6 beta_i^2) "
        "from the start is: KKT residual <= 1e-9."
    )
    source: ClassVar[str] = "Wu et al. 2024, topic [INFERRED]; both potentials: own."
    tolerance: ClassVar[float] = 1e-6

    readout: Annotated[Literal["trained", "frozen"], Field(description="Whether u moves.")] = "trained"

    def examine(self, seed: int, precision: int) -> Evidence:
        """Follow the flow to its end; the control is the interpolant nearest to the start."""
        case = drawn(seed, self.readout)
        accuracy = _ACCURACY.tighter() if precision else _ACCURACY
        w, u = followed(case, accuracy, trained=self.readout == "trained")
        start, end = case.u / (1 - case.w), u / (1 - w)
        near = start + torch.linalg.pinv(case.X) @ (case.y - case.X @ start)
        point = Point(0.0, self._residual(case, end, start), REACHED)
        control = Point(0.0, self._residual(case, near, start), TOLD_APART)
        circle = ((1 - w) ** 2 + u**2) / ((1 - case.w) ** 2 + case.u**2) - 1
        drift = float(circle.abs().max()) if self.readout == "trained" else float((u - 1).abs().max())
        facts = (
            Assumption("well_posed", float((1 - w).min()), bool((w < 1).all()), "every w_i ends below 1"),
            Assumption("conserved_drift", drift, drift <= REACHED, "what the flow conserves has not moved"),
            Assumption(
                "distance_from_nearest",
                float((end - near).norm() / near.norm()),
                holds=True,
                sentence="relative distance of the limit from the interpolant nearest to the start",
            ),
        )
        return Evidence(facts, (point,), (control,), "the interpolant nearest to the start, residual > 1e-2")

    def _residual(self, case: Case, beta: Tensor, start: Tensor) -> float:
        """Return the greater of the two relative residuals: X beta = y, and psi' in the row space of X."""
        if self.readout == "trained":
            slope = 0.5 * ((1 - case.w) ** 2 + case.u**2) * (beta / (1 + beta**2) + beta.arctan())
        else:
            slope = (start**-3 - beta**-3) / 3
        outside = slope - torch.linalg.pinv(case.X) @ (case.X @ slope)
        missed = case.X @ beta - case.y
        return max(float(outside.norm() / slope.norm()), float(missed.norm() / case.y.norm()))


def drawn(seed: int, readout: str) -> Case:
    """Return data and a start: w_i in [-.5, .5]; u = 0, or u = 1 and a positive solution to be found."""
    generator = draw(12 + seed)
    features = normal(generator, SAMPLES, UNITS)
    w = torch.rand(UNITS, generator=generator, dtype=torch.float64) - 0.5
    if readout == "trained":
        return Case(features, normal(generator, SAMPLES), w, torch.zeros_like(w))
    positive = 0.5 + torch.rand(UNITS, generator=generator, dtype=torch.float64)
    return Case(features, features @ positive, w, torch.ones_like(w))


def followed(case: Case, accuracy: Accuracy, *, trained: bool) -> tuple[Tensor, Tensor]:
    """Return w and u (d,) at the end of the flow of |X beta - y|^2 / 2."""

    def slope(flat: Tensor) -> Tensor:
        w, u = flat[:UNITS], flat[UNITS:]
        regular = 1 - w
        pull = case.X.T @ (case.X @ (u / regular) - case.y)
        return -torch.cat([pull * u / regular**2, pull / regular if trained else torch.zeros_like(u)])

    flat = torch.cat([case.w, case.u])
    for _ in range(2):  # the slowest time constant of the end is known there only
        horizon = _TIMES / _slowest(case, flat, trained=trained)
        flat = integrate(slope, flat, horizon, accuracy).at(horizon)
    return flat[:UNITS], flat[UNITS:]


def _slowest(case: Case, flat: Tensor, *, trained: bool) -> float:
    """Return the least rate of X beta - y: of X M X', M = d beta / d(w, u) times its transpose."""
    regular, u = 1 - flat[:UNITS], flat[UNITS:]
    metric = u**2 / regular**4 + (regular**-2 if trained else 0.0)
    return float(torch.linalg.eigvalsh((case.X * metric) @ case.X.T)[0])

"""C1, C2 and C4: theorem 1 along live flows, its sharpness, and the bound of lambda_min(D)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import torch
from pydantic import Field

from deqbench.claims import Assumption, Evidence, Point
from deqbench_plugins.claims.cases import draw, normal, random_loss, random_state
from deqbench_plugins.claims.more_digits import ExactFlow, again
from deqbench_plugins.datasets.flipped_labels import FlippedLabels
from deqbench_plugins.theory.delm import Delm
from deqbench_plugins.theory.flow import Accuracy, delm_flow
from deqbench_plugins.theory.losses import ConvexLoss
from deqbench_plugins.theory.optimum import optimum
from deqbench_plugins.theory.rate import rate_along

if TYPE_CHECKING:
    from deqbench_plugins.theory.rate import Rate

REGIMES: dict[str, tuple[int, int, int, int | None]] = {
    "narrow": (3, 6, 20, None),
    "many-samples": (6, 2, 30, None),
    "few-samples": (9, 2, 5, None),
    "as-wide-as-outputs": (5, 5, 20, None),
    "one-output": (7, 1, 20, None),
    "rank-deficient": (7, 2, 20, 3),
    "narrow-few-samples": (6, 8, 4, None),
}
"""Name to (m, m_y, n, rank of the features)."""

Regime = Literal[
    "narrow",
    "many-samples",
    "few-samples",
    "as-wide-as-outputs",
    "one-output",
    "rank-deficient",
    "narrow-few-samples",
]
Gamma = Annotated[float, Field(ge=0, lt=1, description="The contraction factor.")]
Scale = Annotated[float, Field(gt=0, description="Standard deviation of the first A and B.")]
FALSE_KAPPA = 1.02
"""The control's factor: two per cent more than the theorem allows."""


def accuracy(precision: int) -> Accuracy:
    """Return the integrator's tolerances, 100 times tighter from precision 1 on."""
    return Accuracy().tighter() if precision else Accuracy()


def sharp_case(epsilon: float, m: int = 4, gamma: float = 0.8) -> tuple[Delm, ConvexLoss]:
    """Return the instance on which the proof loses nothing, as epsilon -> 0 (own).

    Orthonormal features orthogonal to 1, targets of size epsilon, A = B = 0.
    """
    ones = torch.full((m, 1), m**-0.5, dtype=torch.float64)
    basis = torch.linalg.qr(torch.cat([ones, torch.eye(m, dtype=torch.float64)[:, : m - 1]], 1))[0]
    y = epsilon * normal(draw(0), m - 1, 2)
    zero = torch.zeros(m, m, dtype=torch.float64)
    start = Delm(zero, torch.zeros(2, m, dtype=torch.float64), 1 - gamma)
    return start, ConvexLoss("square", basis[:, 1:].T.contiguous(), y, 2)


def sharp_rate(epsilon: float, precision: int, factor: float = 1.0) -> Rate:
    """Return the rate of the sharp instance, kappa multiplied by a factor."""
    start, loss = sharp_case(epsilon)
    flow = delm_flow(start, loss, 3.0, accuracy(precision))
    return rate_along(flow, loss, optimum(loss), points=50, kappa_factor=factor)


def points_of(rate: Rate) -> tuple[Point, ...]:
    """Return gap over the first gap, against its bound."""
    first = rate.first_gap
    return tuple(Point(one.time, one.gap / first, one.bound / first) for one in rate.checkpoints)


def evidence_of(rate: Rate, loss: ConvexLoss, control: Rate) -> Evidence:
    """Return what theorem 1 shows along one flow; the control is the sharp instance with a false kappa."""
    singular = loss.singular
    assumptions = (
        Assumption(
            "optimum_attained", float(rate.attained), rate.attained, "an optimum exists at a finite W"
        ),
        Assumption("kappa", rate.kappa, rate.kappa > 0, "kappa is positive on the hull of the trajectory"),
        Assumption(
            "sigma_min",
            singular.smallest,
            singular.smallest > 10 * singular.tolerance,
            "the smallest non-zero singular value of the features is far above its tolerance",
        ),
        Assumption("sigma_tolerance", singular.tolerance, True, "singular values up to this count as zero"),  # noqa: FBT003  its meaning is the field's
        Assumption("lambda_T", rate.least, rate.least >= rate.a_priori, "lambda_min(D) is above its floor"),
        Assumption(
            "predicted_over_observed",
            rate.predicted / rate.observed,
            True,  # noqa: FBT003  the field's name says it
            "how much of the observed rate is predicted",
        ),
    )
    decay = -math.expm1(-rate.predicted * rate.horizon)
    vacuous = f"it predicts a decay of {decay:.2g} over the whole horizon" if rate.vacuous else None
    return Evidence(assumptions, points_of(rate), points_of(control), "kappa x 1.02, sharp instance", vacuous)


@dataclass(frozen=True)
class LinearRateSquare:
    """C1: theorem 1 for the square loss, along the flow from a random start, in any regime of widths."""

    code: ClassVar[str] = "C1"
    statement: ClassVar[str] = (
        "Square loss, any m, m_y, n and gamma: along the flow, gap(t) <= gap(0) exp(-4 sigma^2 lambda_T t)."
    )
    source: ClassVar[str] = (
        "Kawaguchi 2021, theorem 1 and corollary [RECALL]; non-zero singular values suffice: own."
    )
    tolerance: ClassVar[float] = 1e-6
    finest: ClassVar[int] = 2

    regime: Annotated[Regime, Field(description="Which of m, m_y and n are the smaller ones.")] = "narrow"
    gamma: Gamma = 0.8
    scale: Scale = 1.0

    def examine(self, seed: int, precision: int) -> Evidence:
        """Follow the flow for three times 1 / kappa; at precision 2 gap and bound are taken in 50 digits."""
        m, outputs, n, rank = REGIMES[self.regime]
        loss = random_loss(7 + seed, "square", (n, m, outputs), rank=rank)
        start = random_state(7 + seed, m, outputs, self.gamma, self.scale)
        flow = delm_flow(start, loss, 3.0 / loss.kappa(), accuracy(precision))
        rate = rate_along(flow, loss, optimum(loss), points=40)
        evidence = evidence_of(rate, loss, sharp_rate(0.1, precision, FALSE_KAPPA))
        if precision < 2:
            return evidence
        exact = ExactFlow(flow, loss, rate)
        return replace(evidence, points=again(evidence.points, exact.gap_point, self.tolerance))


@dataclass(frozen=True)
class LinearRateSharp:
    """C1, sharpness: on one family of instances gap / bound comes as near to 1 as one likes."""

    code: ClassVar[str] = "C1-sharpness"
    statement: ClassVar[str] = (
        "The rate of theorem 1 cannot be improved: an instance keeps gap / bound within [.999, 1]."
    )
    source: ClassVar[str] = "own"
    tolerance: ClassVar[float] = 1e-6

    epsilon: Annotated[float, Field(gt=0, le=0.02, description="Size of the targets.")] = 0.01

    def examine(self, seed: int, precision: int) -> Evidence:
        """Follow the sharp instance; nothing of it is random."""
        del seed
        rate = sharp_rate(self.epsilon, precision)
        points = points_of(rate)
        last = points[-1].ratio
        reached = Point(rate.horizon, 0.999, last)  # that the bound is reached is a claim like the other
        control = points_of(sharp_rate(self.epsilon, precision, FALSE_KAPPA))
        seen = Assumption("last_ratio", last, holds=True, sentence="gap / bound at the end")
        return Evidence((seen,), (*points, reached), control, "kappa x 1.02")


@dataclass(frozen=True)
class LinearRateClasses:
    """C2: theorem 1 for the logistic loss and cross-entropy, on the hull of the trajectory.

    ``noise``: labels that are noise; ``tumours``: breast-cancer with 10 per cent of its labels flipped;
    ``separable``: fewer samples than features, where no optimum exists: INCONCLUSIVE, as it must.
    """

    code: ClassVar[str] = "C2"
    statement: ClassVar[str] = (
        "Classes that are not separable: along the flow, gap(t) <= gap(0) exp(-2 tau sigma^2 lambda_T t)."
    )
    source: ClassVar[str] = "Kawaguchi 2021, corollary for the logistic loss [RECALL]; cross-entropy: own."
    tolerance: ClassVar[float] = 1e-6

    loss: Annotated[Literal["logistic", "cross-entropy"], Field(description="What is minimised.")] = (
        "logistic"
    )
    data: Annotated[Literal["noise", "tumours", "separable"], Field(description="Which data.")] = "noise"

    def examine(self, seed: int, precision: int) -> Evidence:
        """Follow the flow of the mean loss."""
        loss, start, horizon = self._case(seed)
        flow = delm_flow(start, loss, horizon, accuracy(precision))
        rate = rate_along(flow, loss, optimum(loss), points=40)
        evidence = evidence_of(rate, loss, sharp_rate(0.1, precision, FALSE_KAPPA))
        if self.data != "tumours" or not rate.attained:
            return evidence
        share = rate.predicted / rate.observed
        told = Assumption(
            "predicts_a_hundredth",
            share,
            share >= 1e-2,
            "at least a hundredth of the observed rate is predicted",
        )
        return Evidence(
            (*evidence.assumptions, told), evidence.points, evidence.control, evidence.control_name
        )

    def _case(self, seed: int) -> tuple[ConvexLoss, Delm, float]:
        outputs = {"logistic": 1, "cross-entropy": 2}[self.loss]
        if self.data == "tumours":
            train = FlippedLabels(components=5).load(seed).train
            features = torch.cat([train.x, torch.ones(len(train), 1, dtype=torch.float64)], 1)
            loss = ConvexLoss.mean(self.loss, features, train.y, outputs)
            return loss, random_state(seed, 6, outputs, 0.8, 0.3), 80.0
        if self.data == "separable":
            loss = random_loss(1 + seed, self.loss, (5, 8, outputs))
            return loss, random_state(1 + seed, 8, outputs, 0.8), 100.0
        loss = random_loss(1 + seed, self.loss, (60, 5, 3), scale=1 / 60)
        return loss, random_state(1 + seed, 5, 3, 0.8, 0.3), 60.0


@dataclass(frozen=True)
class LeastEigenvalue:
    """C4: lambda_min(D_t) m (1 + gamma)^2 >= 1 at every checkpoint of a flow, and its certificate."""

    code: ClassVar[str] = "C4"
    statement: ClassVar[str] = "Along every flow lambda_min(D_t) >= 1 / (m (1 + gamma)^2)."
    source: ClassVar[str] = "Kawaguchi 2021 [RECALL]; the two-sided certificate: own."
    tolerance: ClassVar[float] = 1e-9
    finest: ClassVar[int] = 2

    regime: Annotated[Regime, Field(description="Which of m, m_y and n are the smaller ones.")] = "narrow"
    gamma: Gamma = 0.8

    def examine(self, seed: int, precision: int) -> Evidence:
        """Compare the paper's floor with lambda_min along the flow; the control is a floor of 1."""
        m, outputs, n, rank = REGIMES[self.regime]
        loss = random_loss(7 + seed, "square", (n, m, outputs), rank=rank)
        flow = delm_flow(
            random_state(7 + seed, m, outputs, self.gamma), loss, 3.0 / loss.kappa(), accuracy(precision)
        )
        rate = rate_along(flow, loss, optimum(loss), points=40)
        points = tuple(
            Point(one.time, one.least / one.floor_ratio, one.least)
            for one in rate.checkpoints  # floor, lambda
        )
        if precision == 2:
            points = again(points, ExactFlow(flow, loss, rate).floor_point, self.tolerance)
        control = tuple(Point(one.time, 1.0, one.least) for one in rate.checkpoints)
        seen = Assumption(
            "lambda_over_paper", rate.floor_ratio, holds=True, sentence="least lambda_min m (1 + gamma)^2"
        )
        return Evidence((seen,), points, control, "a floor of 1, as if D were at least the identity")

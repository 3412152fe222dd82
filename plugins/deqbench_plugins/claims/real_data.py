"""P5: theorem 1 on real tables, square loss: the flow, and gradient descent beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field

from deqbench.claims import Assumption, Evidence, Point
from deqbench_plugins.claims.cases import random_state
from deqbench_plugins.claims.linear_rate import (
    FALSE_KAPPA,
    Gamma,
    accuracy,
    evidence_of,
    sharp_rate,
)
from deqbench_plugins.datasets.bundled import Diabetes, Wine
from deqbench_plugins.theory.flow import delm_flow
from deqbench_plugins.theory.losses import ConvexLoss
from deqbench_plugins.theory.metric import Metric
from deqbench_plugins.theory.optimum import optimum
from deqbench_plugins.theory.rate import rate_along

START = 0.1
"""Standard deviation of the first A and B: near A = B = 0, where D is near the identity."""
USUAL = (0.5, 1.0)
"""Where lambda_T lies from such a start: far above the paper's floor, 1 / (m (1 + gamma)^2)."""


@dataclass(frozen=True)
class LinearRateData:
    """P5: diabetes (10 features, one target) and wine (13 features, three one-hot targets), standardised.

    The mean square loss on the training split, a constant among the features. lambda_T is a claim of its own
    here: from a small start it lies in [.5, 1]. Gradient descent of the same model, at half of
    1 / lambda_max(D H), must not fall behind the same bound at the flow time that its steps add up to.
    """

    code: ClassVar[str] = "C1-data"
    statement: ClassVar[str] = (
        "Diabetes and wine, square loss, from a small start: gap(t) <= gap(0) exp(-4 sigma^2 lambda_T t / n) "
        "along the flow; so does gradient descent, t = steps x eta, at half the rate; lambda_T is in [.5, 1]."
    )
    source: ClassVar[str] = (
        "Kawaguchi 2021, theorem 1 [RECALL]; data, range of lambda_T and the descent's half rate: own."
    )
    tolerance: ClassVar[float] = 1e-6

    data: Annotated[Literal["diabetes", "wine"], Field(description="Which data.")] = "diabetes"
    gamma: Gamma = 0.8

    def examine(self, seed: int, precision: int) -> Evidence:
        """Follow the flow for three times 1 / kappa; descend as far; the control is the sharp instance."""
        loss = self._loss(seed)
        m = loss.features.shape[1]
        start = random_state(seed, m, loss.outputs, self.gamma, START)
        flow = delm_flow(start, loss, 3.0 / loss.kappa(), accuracy(precision))
        best = optimum(loss)
        rate = rate_along(flow, loss, best, points=40)
        evidence = evidence_of(rate, loss, sharp_rate(0.1, precision, FALSE_KAPPA))
        eta = 0.5 * Metric(start).reach(loss.hessian(start.W))
        steps = max(1, round(rate.horizon / eta))
        state = start
        for _ in range(steps):
            state = state.moved(state.gradient(loss.gradient(state.W)), -eta)
        left = (loss.value(state.W) - best.value) / rate.first_gap
        allowed = float(torch.tensor(-rate.predicted * steps * eta / 2).exp())
        least, most = USUAL
        extra = (
            Point(rate.horizon, least, rate.least),
            Point(rate.horizon, rate.least, most),
            Point(steps * eta, left, allowed),
        )
        facts = (
            Assumption("n", len(loss.features), holds=True, sentence="training samples"),
            Assumption("descent_steps", steps, holds=True, sentence="steps of gradient descent"),
            Assumption("descent_gap", left, holds=True, sentence="gap / gap(0) that it leaves"),
        )
        return replace(
            evidence, assumptions=(*evidence.assumptions, *facts), points=(*evidence.points, *extra)
        )

    def _loss(self, seed: int) -> ConvexLoss:
        train = (Diabetes() if self.data == "diabetes" else Wine()).load(seed).train
        features = torch.cat([train.x.double(), torch.ones(len(train), 1, dtype=torch.float64)], 1)
        if self.data == "diabetes":
            return ConvexLoss.mean("square", features, train.y.double().reshape(len(train), -1), 1)
        return ConvexLoss.mean("square", features, torch.eye(3, dtype=torch.float64)[train.y.long()], 3)

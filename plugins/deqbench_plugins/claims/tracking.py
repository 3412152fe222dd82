"""C5 over finite steps: the trainer of theorem 2 keeps to the DELM's flow, with an error of first order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

from deqbench.claims import Assumption, Evidence, Point
from deqbench.interfaces import Split
from deqbench.learning.losses import Loss
from deqbench.learning.objective import Objective
from deqbench_plugins.claims.cases import draw, normal, relative
from deqbench_plugins.claims.linear_rate import Gamma
from deqbench_plugins.models.linear import Linear
from deqbench_plugins.theory.flow import Accuracy, delm_flow
from deqbench_plugins.theory.losses import ConvexLoss
from deqbench_plugins.theory.metric import Metric
from deqbench_plugins.trainers.deq_metric_newton import delm_reading
from deqbench_plugins.trainers.deq_metric_trust_region import DeqMetricTrustRegion

COUNTS = (1, 10, 100, 1000)
"""Steps to the same horizon: delta over three decades."""
SHARE = 0.05
"""The horizon, and so the largest delta, over delta bar at the start."""
SLOPE = 0.1
"""How far the slope of log error against log delta may be from 1."""
FEATURES = 4


@dataclass(frozen=True)
class TrustRegionTracking:
    """C5, trainer: W and A of ``deq-metric-trust-region`` against the DELM's flow, on wine.

    Errors are relative to how far the flow moves. The control steps in the Euclidean metric.
    """

    code: ClassVar[str] = "C5-tracking"
    statement: ClassVar[str] = (
        "deq-metric-trust-region keeps to the DELM's gradient flow: its error is first order in delta, with "
        "slope 1 +- .1 in each of three decades."
    )
    source: ClassVar[str] = "Kawaguchi 2021, theorem 2 [RECALL]; the order over finite steps: own."
    tolerance: ClassVar[float] = 1e-6

    loss: Annotated[Literal["square", "cross-entropy"], Field(description="What is minimised.")] = "square"
    gamma: Gamma = 0.9

    def examine(self, seed: int, precision: int) -> Evidence:
        """Compare ends at one horizon; a finer precision integrates the flow more tightly."""
        objective = self._objective(seed)
        start = delm_reading(objective, self.gamma, 1.0)
        features = objective.module.features(objective.x)  # type: ignore[operator]  # a linear model has it
        loss = ConvexLoss.mean(self.loss, features, objective.y, 3)
        reach = Metric(start).reach(loss.hessian(start.W))
        horizon = SHARE * reach
        accuracy = Accuracy("DOP853", 1e-12, 1e-15)
        truth = delm_flow(start, loss, horizon, accuracy.tighter() if precision else accuracy).at(horizon)
        way = (truth.W - start.W, truth.A - start.A)

        def errors(gamma: float, count: int) -> tuple[float, float]:
            trainer = DeqMetricTrustRegion(gamma=gamma, delta=horizon / count)
            *_, last = islice(trainer.trace(self._objective(seed)), count)
            return relative(last.state.W - start.W, way[0]), relative(last.state.A - start.A, way[1])

        found = [errors(self.gamma, count) for count in COUNTS]
        euclidean = [errors(0.0, count) for count in COUNTS[:3]]
        facts = (
            Assumption("delta_bar", reach, math.isfinite(reach), "the largest delta is a share of it"),
            Assumption("slope_w", _slope(found, 0), holds=True, sentence="slope of W's error"),
            Assumption("slope_a", _slope(found, 1), holds=True, sentence="slope of A's error"),
        )
        return Evidence(facts, _points(found), _points(euclidean), "the Euclidean metric, gamma = 0")

    def _objective(self, seed: int) -> Objective:
        x, y = load_wine(return_X_y=True)
        split = Split(torch.from_numpy(StandardScaler().fit_transform(x)[:, :FEATURES]), torch.from_numpy(y))
        module = Linear().build((FEATURES,), 3).double()
        module.weight.data = normal(draw(seed), 3, FEATURES + 1)
        return Objective(module, Loss(self.loss, 0.0), split, order_seed=seed)


def _slope(errors: list[tuple[float, float]], part: int) -> float:
    return math.log10(errors[0][part] / errors[-1][part]) / (len(errors) - 1)


def _points(errors: list[tuple[float, float]]) -> tuple[Point, ...]:
    """Return, for each decade that delta has shrunk by, both sides of the slope's interval."""
    points = []
    for decade, (before, after) in enumerate(pairwise(errors), 1):
        for coarse, fine in zip(before, after, strict=True):
            points += [
                Point(decade, fine, coarse * 10 ** (SLOPE - 1)),
                Point(decade, coarse * 10 ** (-SLOPE - 1), fine),
            ]
    return tuple(points)

"""C3, C13 and P9: narrow DELMs reach the optimum; which of many optima the flow ends at."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from pydantic import Field

from deqbench.claims import Assumption, Evidence, Point
from deqbench_plugins.claims.cases import draw, normal, random_loss, random_state, relative
from deqbench_plugins.theory.flow import Accuracy, delm_flow
from deqbench_plugins.theory.losses import ConvexLoss
from deqbench_plugins.theory.optimum import optimum

if TYPE_CHECKING:
    from torch import Tensor

GAMMAS = (0.1, 0.5, 0.9)
Seeds = Annotated[int, Field(ge=1, description="Draws; statistics are over them.")]


def limit(seed: int, gamma: float, precision: int) -> tuple[Tensor, Tensor]:
    """Return where the flow from W = 0 ends, with n = 4 < m = 7, and the minimum-norm solution."""
    loss = random_loss(seed, "square", (4, 7, 2))
    start = random_state(seed, 7, 2, gamma).read_as(torch.zeros(2, 7, dtype=torch.float64))
    horizon = 60.0 / loss.kappa()
    rough = Accuracy(rtol=1e-9, atol=1e-12)
    accuracy = rough.tighter() if precision else rough
    return delm_flow(start, loss, horizon, accuracy).at(horizon).W, optimum(loss).weights


@dataclass(frozen=True)
class ImplicitBias:
    """C13: from W = 0, the limit has minimum norm at gamma = 0 and leaves it the more, the larger gamma."""

    code: ClassVar[str] = "C13"
    statement: ClassVar[str] = (
        "n < m, W(0) = 0: ||W_inf - W_mn|| / ||W_mn|| is 0 at gamma = 0 (<= 1e-6) and its mean grows with "
        "gamma."
    )
    source: ClassVar[str] = "Kawaguchi 2021, open problem of implicit bias [RECALL]; the statistic: own."
    tolerance: ClassVar[float] = 1e-6

    seeds: Seeds = 20

    def examine(self, seed: int, precision: int) -> Evidence:
        """Follow flows to their ends; the control claims minimum norm at the largest gamma too."""
        draws = range(100 * seed, 100 * seed + self.seeds)
        found = {
            gamma: [relative(*limit(one, gamma, precision)) for one in draws] for gamma in (0.0, *GAMMAS)
        }
        means = {gamma: sum(values) / len(values) for gamma, values in found.items()}
        points = [Point(0.0, max(found[0.0]), 1e-6)]
        steps = zip((0.0, *GAMMAS), GAMMAS, strict=False)
        points += [Point(high, means[low], means[high]) for low, high in steps]
        control = tuple(Point(gamma, means[gamma], 1e-6) for gamma in GAMMAS)
        seen = tuple(
            Assumption(
                f"mean_distance_{gamma:g}".replace(".", "_"),
                means[gamma],
                holds=True,
                sentence=f"at gamma = {gamma:g}",
            )
            for gamma in GAMMAS
        )
        return Evidence(seen, tuple(points), control, "minimum norm at gamma > 0")


@dataclass(frozen=True)
class ImplicitBiasHelps:
    """P9: with a DELM as teacher and few data, the DELM's limit predicts better than the linear one."""

    code: ClassVar[str] = "P9"
    statement: ClassVar[str] = (
        "DELM teacher, n = 12 < m = 20, gamma = .8: the DELM's limit has less test risk than the linear "
        "model's in >= 80% of draws, median ratio < .7; on a Gaussian teacher it has not."
    )
    source: ClassVar[str] = "own; Kawaguchi 2021 reports the observation only [RECALL]."
    tolerance: ClassVar[float] = 1e-6

    seeds: Seeds = 20
    gamma: Annotated[float, Field(gt=0, lt=1, description="Of the student and the teacher.")] = 0.8

    def examine(self, seed: int, precision: int) -> Evidence:
        """Compare risks on isotropic inputs; the control's teacher is Gaussian."""
        draws = range(1000 * seed, 1000 * seed + self.seeds)
        own = [self._ratio(one, precision, delm=True) for one in draws]
        other = [self._ratio(one, precision, delm=False) for one in draws]
        lost, medians = sum(ratio >= 1 for ratio in own) / len(own), (median(own), median(other))
        points = (Point(0.0, medians[0], 0.7), Point(1.0, lost, 0.2))
        control = (Point(0.0, medians[1], 0.7), Point(1.0, sum(r >= 1 for r in other) / len(other), 0.2))
        seen = (
            Assumption("median_ratio", medians[0], holds=True, sentence="median risk ratio, DELM teacher"),
            Assumption("wins", 1 - lost, holds=True, sentence="share of draws the DELM wins"),
            Assumption("gaussian_ratio", medians[1], holds=True, sentence="median ratio, Gaussian teacher"),
        )
        return Evidence(seen, points, control, "Gaussian teacher")

    def _ratio(self, seed: int, precision: int, *, delm: bool) -> float:
        """Return the DELM's risk over the linear model's, W - W_teacher in the Frobenius norm, squared."""
        m, n, outputs = 20, 12, 2
        generator = draw(9000 + seed)
        features = normal(generator, n, m)
        teacher = random_state(seed + 1, m, outputs, self.gamma).W if delm else normal(generator, outputs, m)
        loss = ConvexLoss("square", features, features @ teacher.T, outputs)
        start = random_state(seed + 500, m, outputs, self.gamma, 0.1).read_as(torch.zeros_like(teacher))
        horizon = 20.0 / loss.kappa()
        accuracy = Accuracy(rtol=1e-8 if precision else 1e-6, atol=1e-9)
        found = delm_flow(start, loss, horizon, accuracy).at(horizon).W
        linear = optimum(loss).weights  # of minimum norm: where the linear model's flow from 0 ends
        return float((found - teacher).square().sum() / (linear - teacher).square().sum())

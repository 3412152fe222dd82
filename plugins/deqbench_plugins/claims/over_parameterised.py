"""C26 and C27: wide ReLU equilibrium models under gradient descent, readout trained or frozen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from pydantic import Field

from deqbench.claims import Assumption, Evidence, Point
from deqbench_plugins.claims.cases import random_loss, random_state
from deqbench_plugins.claims.relu_equilibrium import Case, descent
from deqbench_plugins.theory.flow import Accuracy, delm_flow
from deqbench_plugins.theory.optimum import optimum

if TYPE_CHECKING:
    from deqbench_plugins.claims.relu_equilibrium import Descent

TOO_LONG = 8.0
"""The control's step, over 1 / lambda_max of the tangent kernel at the start."""
REACHED = 1e-2
"""Share of the first gap that counts as converging, where a model may stall."""
WIDTHS = (50, 200, 800)
SLOPE = 0.15
"""How far the slope of log ||W_k - W_0|| against log m may be from -1/2, at widths that are finite."""

Width = Annotated[int, Field(ge=20, le=3200, description="Units, m.")]


def points_of(run: Descent) -> tuple[Point, ...]:
    """Return loss against bound at every step, and at the end the worst of lambda_k and of ||W||."""
    losses = [
        Point(step, ratio, (1 - run.rate * run.first_eigenvalue / 2) ** step)
        for step, ratio in enumerate(run.losses)
        if step
    ]
    last = len(run.losses) - 1
    return (
        *losses,
        Point(last, run.first_eigenvalue / 2, run.least_eigenvalue),
        Point(last, run.largest_norm, 1.0),
    )


def facts_of(run: Descent) -> tuple[Assumption, ...]:
    """Return what the claims rest on, and what was seen."""
    decay = 1 - (1 - run.rate * run.first_eigenvalue / 2) ** (len(run.losses) - 1)
    return (
        Assumption(
            "first_eigenvalue",
            run.first_eigenvalue,
            run.first_eigenvalue > 0,
            "lambda_0, the least eigenvalue of the kernel at the start, is positive",
        ),
        Assumption("first_norm", run.first_norm, run.first_norm < 1, "||W||_2 is below 1 at the start"),
        Assumption("predicted_decay", decay, decay > 0.01, "the bound predicts a decay over these steps"),
        Assumption("steps", len(run.losses) - 1, holds=True, sentence="steps of gradient descent"),
        Assumption(
            "least_eigenvalue_ratio",
            run.least_eigenvalue / run.first_eigenvalue if run.first_eigenvalue > 0 else None,
            holds=True,
            sentence="least lambda_k / lambda_0",
        ),
        Assumption("largest_norm", run.largest_norm, holds=True, sentence="largest ||W||_2"),
        Assumption("moved", run.moved, holds=True, sentence="||W_k - W_0||_F at the end"),
    )


@dataclass(frozen=True)
class OverParameterised:
    """C26: all weights trained, n = 8, the variance of W's entries 2 * .04 / m."""

    code: ClassVar[str] = "C26"
    statement: ClassVar[str] = (
        "Over-parameterised ReLU DEQ, gradient descent: loss_k <= (1 - eta lambda_0 / 2)^k loss_0, lambda_k "
        ">= lambda_0 / 2 and ||W||_2 < 1, lambda the least eigenvalue of Z'Z."
    )
    source: ClassVar[str] = "Ling et al. 2023, abstract; constants [RECALL]; the cases: own."
    tolerance: ClassVar[float] = 1e-6

    m: Width = 200

    def examine(self, seed: int, precision: int) -> Evidence:
        """Descend at 1 / lambda_max of the tangent kernel; the control's step is eight times as long."""
        run = descent(Case(seed, self.m, precision=precision))
        control = descent(Case(seed, self.m, share=TOO_LONG, precision=precision))
        return Evidence(facts_of(run), points_of(run), points_of(control), "a step 8 times as long")


@dataclass(frozen=True)
class ImplicitLayerAlone:
    """C27: the readout frozen; the contrast is a DELM with B frozen, which stalls."""

    code: ClassVar[str] = "C27"
    statement: ClassVar[str] = (
        "Over-parameterised ReLU DEQ, readout frozen: the implicit layer alone converges, loss_k <= (1 - eta "
        "lambda_0 / 2)^k loss_0 down to 1e-2, lambda of its tangent kernel; a DELM with B frozen stalls."
    )
    source: ClassVar[str] = "Gao and Gao 2022, abstract; the form of the rate [INFERRED]; the contrast: own."
    tolerance: ClassVar[float] = 1e-6

    m: Width = 200

    def examine(self, seed: int, precision: int) -> Evidence:
        """Descend in W and U alone; the control is the flow of a DELM in A alone."""
        run = descent(Case(seed, self.m, frozen=True, precision=precision))
        stalled = _delm_alone(seed, precision)
        last = len(run.losses) - 1
        points = (*points_of(run), Point(last, run.losses[-1], REACHED))
        control = tuple(Point(time, ratio, REACHED) for time, ratio in stalled)
        told = Assumption("delm_gap", stalled[-1][1], holds=True, sentence="gap of a DELM, B frozen, at rest")
        return Evidence((*facts_of(run), told), points, control, "a DELM, B frozen")


def _delm_alone(seed: int, precision: int) -> list[tuple[float, float]]:
    """Return times and gap / gap(0) of the flow of a DELM's A, until it has come to rest."""
    loss, start = random_loss(seed, "square", (20, 6, 3), scale=1 / 20), random_state(seed, 6, 3, 0.8)
    best, horizon = optimum(loss).value, 100.0 / loss.kappa()
    rough = Accuracy(rtol=1e-8, atol=1e-11)
    flow = delm_flow(start, loss, horizon, rough.tighter() if precision else rough, part="A")
    first = loss.value(start.W) - best
    times = [horizon * share for share in (0.7, 0.85, 1.0)]
    return [(time, (loss.value(flow.at(time).W) - best) / first) for time in times]


@dataclass(frozen=True)
class LazyWidth:
    """C26, width: how far W moves, at widths 50, 200 and 800, on the same data."""

    code: ClassVar[str] = "C26-width"
    statement: ClassVar[str] = (
        "Over-parameterised ReLU DEQ: ||W_k - W_0||_F falls as m^(-1/2), m from 50 to 800: slope -1/2 +- .15."
    )
    source: ClassVar[str] = "Ling et al. 2023 [RECALL]; the statistic: own."
    tolerance: ClassVar[float] = 1e-6

    draws: Annotated[int, Field(ge=1, description="Draws of data and weights; means are over them.")] = 4

    def examine(self, seed: int, precision: int) -> Evidence:
        """Fit the slope to mean logarithms; the control claims that W moves as far at every width."""
        draws = range(100 * seed, 100 * seed + self.draws)
        means = [
            sum(math.log(descent(Case(one, m, goal=1e-4, precision=precision)).moved) for one in draws)
            / self.draws
            for m in WIDTHS
        ]
        logs = torch.tensor([math.log(m) for m in WIDTHS], dtype=torch.float64)
        slope = float((logs - logs.mean()) @ torch.tensor(means, dtype=torch.float64))
        slope /= float((logs - logs.mean()).square().sum())
        facts = [Assumption("slope", slope, holds=True, sentence="slope of log ||W_k - W_0|| in log m")]
        facts += [
            Assumption(f"moved_{m}", math.exp(mean), holds=True, sentence=f"||W_k - W_0||_F at m = {m}")
            for m, mean in zip(WIDTHS, means, strict=True)
        ]
        points = (Point(WIDTHS[-1], abs(slope + 0.5), SLOPE),)
        control = (Point(WIDTHS[-1], abs(slope), SLOPE),)
        return Evidence(tuple(facts), points, control, "no dependence on m")

"""P7: the two-sided certificate of lambda_min(D), up to the scale of images, and Lanczos' value inside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from pydantic import Field

from deqbench.claims import Assumption, Evidence, Point
from deqbench_plugins.claims.cases import random_loss, random_state
from deqbench_plugins.claims.linear_rate import Gamma
from deqbench_plugins.theory.metric import Metric, paper_floor

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 0.05
"""What the certificate's relative width may be."""
LANCZOS = 1e-9
"""Relative accuracy asked of Lanczos' method; both ends of the certificate allow it as much."""
CHECKPOINTS, BETWEEN = 4, 10
"""States after the first, and steps of gradient descent from one to the next."""


@dataclass(frozen=True)
class EigenvalueCertificate:
    """P7: width of the certificate, Lanczos' value against both its ends, and the paper's floor.

    The control takes the lower end from the wrong end of U's singular values, 1 / sigma_min(U)^2.
    """

    code: ClassVar[str] = "P7"
    statement: ClassVar[str] = (
        "From N(0, 1) weights on, the certificate 1 / ||U||^2 <= lambda_min(D) <= Rayleigh bound is at most "
        "5% wide, Lanczos' lambda_min lies inside it, and lambda_min m (1 + gamma)^2 >= 1."
    )
    source: ClassVar[str] = "own; the floor 1 / (m (1 + gamma)^2): Kawaguchi 2021 [RECALL]."
    tolerance: ClassVar[float] = 1e-6

    m: Annotated[int, Field(ge=20, le=1000, description="Width; below 20 certificates are wider.")] = 64
    outputs: Annotated[int, Field(ge=1, le=50, description="m_y.")] = 10
    gamma: Gamma = 0.8

    def examine(self, seed: int, precision: int) -> Evidence:
        """Compare at a random state and along gradient descent from it."""
        points: list[Point] = []
        control: list[Point] = []
        widths: list[float] = []
        floors: list[float] = []
        slack = 1 + LANCZOS
        for step, metric in self._along(seed):
            low, high = metric.sandwich.low, metric.sandwich.high
            least = metric.least(seed, LANCZOS / 100 ** min(precision, 1))
            paper = paper_floor(self.m, self.gamma)
            points += [
                Point(step, metric.sandwich.width, WIDTH),
                Point(step, low, least * slack),
                Point(step, least, high * slack),
                Point(step, paper, least),
            ]
            wrong = float(torch.linalg.svdvals(metric.state.U)[-1]) ** -2
            control.append(Point(step, wrong, least))
            widths, floors = [*widths, metric.sandwich.width], [*floors, least / paper]
        facts = (
            Assumption("widest", max(widths), holds=True, sentence="greatest relative width"),
            Assumption(
                "lambda_over_paper", min(floors), holds=True, sentence="least lambda_min m (1 + gamma)^2"
            ),
        )
        return Evidence(facts, tuple(points), tuple(control), "1 / sigma_min(U)^2 as the lower end")

    def _along(self, seed: int) -> Iterator[tuple[int, Metric]]:
        """Yield the steps taken and the metric then; half of 1 / lambda_max(D H) is the length of a step."""
        m = self.m
        loss = random_loss(70 + seed, "square", (2 * m, m, self.outputs), scale=1 / (2 * m))
        state = random_state(70 + seed, m, self.outputs, self.gamma)
        yield 0, Metric(state)
        rate = 0.5 * Metric(state).reach(loss.hessian(state.W), tolerance=1e-3)
        for checkpoint in range(1, CHECKPOINTS + 1):
            for _ in range(BETWEEN):
                state = state.moved(state.gradient(loss.gradient(state.W)), -rate)
            yield checkpoint * BETWEEN, Metric(state)

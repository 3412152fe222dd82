"""Trust-region Newton in a DELM's metric converges faster than linearly, at every gamma."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field

from deqbench.claims import Assumption, Evidence, Point
from deqbench_plugins.claims.explicit import RIDGE, digits, gaussian, objective_of
from deqbench_plugins.trainers.deq_metric_newton import DeqMetricNewton

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deqbench.interfaces import Split

GAMMAS = (0.01, 0.5, 0.9, 0.99)
ORDER = 1.3
"""What log g_{k+1} / log g_k must reach, g the gradient's norm: 1.5 in the limit, for the forcing sqrt g."""
LAST = 2
"""Steps before the end that must show it in their geometric mean: a single one scatters by a tenth."""
REACHED = 1e-11
"""Gradient norm at which a descent ends: one step earlier the tail is not there yet at gamma = .99."""


class Tail(NamedTuple):
    """How a descent ended: its order, outer steps (rejected ones too), Hessian products, last norm."""

    order: float
    outer: int
    products: int
    norm: float


@dataclass(frozen=True)
class NewtonTail:
    """The last steps of trust-region Newton in the metric of a DELM are superlinear, at gamma .01 to .99.

    A constant forcing term, .1, makes the same method linear: that is the control. Outer steps and Hessian
    products are told beside the Euclidean method's. The metric costs products and gains nothing on these
    data: the claim is that it is a valid metric, not that it is a good one.

    That each of the last two ratios reaches 1.3 does not hold: on digits single ratios fall below it in some
    seeds, for a step of inexact Newton ends anywhere under its forcing term. Their geometric mean does.
    """

    code: ClassVar[str] = "newton-tail"
    statement: ClassVar[str] = (
        "Trust-region Newton in the DELM's metric, ||p||_{D^-1}, keeps its superlinear tail at gamma = .01, "
        ".5, .9 and .99: the last two ratios log g_{k+1} / log g_k of gradient norms average 1.3 or more."
    )
    source: ClassVar[str] = (
        "own; the order of inexact Newton methods: Dembo, Eisenstat and Steihaug 1982 [RECALL]."
    )
    tolerance: ClassVar[float] = 1e-6

    data: Annotated[Literal["digits", "gaussian"], Field(description="What is classified.")] = "digits"

    def examine(self, seed: int, precision: int) -> Evidence:
        """Descend at each gamma; the control's subproblems are solved to a tenth of their gradient."""
        del precision  # the tail ends where rounding begins, at any tolerance
        split, outputs = (digits(seed), 10) if self.data == "digits" else (gaussian(seed, "cross-entropy"), 3)
        tails = {gamma: _tail(split, outputs, _newton(gamma)) for gamma in (0.0, *GAMMAS)}
        slow = DeqMetricNewton(gamma=0.9, forcing="linear", gtol=REACHED)
        control = (Point(0.9, ORDER, _tail(split, outputs, slow).order),)
        worst = max(tail.norm for tail in tails.values())
        facts = (
            Assumption("gradient_norm", worst, worst <= REACHED, "every descent reaches the optimum"),
            *(fact for gamma, tail in tails.items() for fact in _facts(gamma, tail)),
        )
        points = tuple(Point(gamma, ORDER, tails[gamma].order) for gamma in GAMMAS)
        return Evidence(facts, points, control, "subproblems solved to a tenth")


def _newton(gamma: float) -> DeqMetricNewton:
    return DeqMetricNewton(gamma=gamma, gtol=REACHED)


def _tail(split: Split, outputs: int, trainer: DeqMetricNewton) -> Tail:
    objective = objective_of(split, outputs, "cross-entropy", RIDGE)
    taken = list(trainer.trace(objective))
    norms = [one.gradient_norm for one in taken if one.accepted]
    order = (math.log(norms[-1]) / math.log(norms[-1 - LAST])) ** (1 / LAST)  # ratios telescope
    return Tail(order, len(taken), objective.counts.hessian_products, norms[-1])


def _facts(gamma: float, tail: Tail) -> Iterator[Assumption]:
    model = f"gamma_{gamma:g}".replace(".", "_")
    said = "Euclidean" if gamma == 0 else f"gamma = {gamma:g}"
    yield Assumption(f"{model}_outer", tail.outer, holds=True, sentence=f"{said}: outer steps")
    yield Assumption(f"{model}_products", tail.products, holds=True, sentence=f"{said}: Hessian products")
    yield Assumption(
        f"{model}_order", tail.order, holds=True, sentence=f"{said}: mean order of the last steps"
    )

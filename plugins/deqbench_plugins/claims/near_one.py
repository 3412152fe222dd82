"""P15: a DELM's equilibrium keeps its digits as gamma nears 1, if the known column sum is used."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from pydantic import Field

from deqbench.claims import Assumption, Evidence, Point
from deqbench.equilibria.affine import AffineMap
from deqbench.equilibria.maps import Map
from deqbench_plugins.claims.cases import draw, normal, random_state
from deqbench_plugins.solvers.direct import Direct
from deqbench_plugins.theory.delm import Delm
from deqbench_plugins.theory.exact_digits import ExactDelm, context, from_digits

if TYPE_CHECKING:
    from torch import Tensor

EXPONENTS = tuple(range(1, 15))
ALLOWED = 1e-13
SAMPLES = 3
_DIGITS = 60


@dataclass(frozen=True)
class NearOne:
    """P15: for gamma = 1 - 10^-k, k = 1 to 14, z* has a relative error of at most 1e-13.

    By ``Delm.equilibrium``, which rescales U^-1 to its known column sums, and by the solver ``direct``, whose
    matrix holds the sum. Plain LU errs by eps / (1 - gamma), and must be found out.
    """

    code: ClassVar[str] = "P15"
    statement: ClassVar[str] = (
        "gamma = 1 - 10^-k, k = 1..14: with the known column sum 1 - gamma, the relative error of z* in the "
        "1-norm is <= 1e-13; plain LU loses k digits."
    )
    source: ClassVar[str] = "own"
    tolerance: ClassVar[float] = 1e-6

    m: Annotated[int, Field(ge=2, le=30, description="Features.")] = 12

    def examine(self, seed: int, precision: int) -> Evidence:
        """Compare with 60 digits; the control solves by LU and knows no sum."""
        del precision
        points, control = [], []
        features = normal(draw(150 + seed), SAMPLES, self.m)
        for k in EXPONENTS:
            one = _Case(random_state(15 + seed, self.m, 2, 0.0), 10.0**-k, features)
            ways = (one.state.equilibrium(features), one.by_direct())
            points += [Point(k, one.error(z), ALLOWED) for z in ways]
            control.append(Point(k, one.error(one.by_plain_lu()), ALLOWED))
        slope = math.log10(control[-1].quantity / control[4].quantity) / (EXPONENTS[-1] - EXPONENTS[4])
        facts = (
            Assumption(
                "lost_digits", slope, 0.7 <= slope <= 1.3, "plain LU loses about one digit a step of k"
            ),
            Assumption("lu_at_the_end", control[-1].quantity, holds=True, sentence="its error at k = 14"),
        )
        return Evidence(facts, tuple(points), tuple(control), "plain LU, without the sum")


@dataclass(frozen=True)
class _Case:
    """One gamma: the weights of a state, 1 - gamma, and samples (n, m) in rows."""

    weights: Delm
    complement: float
    features: Tensor

    @cached_property
    def state(self) -> Delm:
        return Delm(self.weights.A, self.weights.B, self.complement)

    @cached_property
    def truth(self) -> Tensor:
        return from_digits(ExactDelm.of(self.state, context(_DIGITS)).equilibrium(self.features))

    def error(self, z: Tensor) -> float:
        """Return the samples' greatest ||z - z*||_1 / ||z*||_1."""
        return float(((z - self.truth).abs().sum(1) / self.truth.abs().sum(1)).max())

    def by_direct(self) -> Tensor:
        matrix = self.state.gamma * self.state.S
        f = Map(AffineMap(matrix, self.complement), (self.features,))
        return Direct().init(f, torch.zeros_like(self.features)).z

    def by_plain_lu(self) -> Tensor:
        system = torch.eye(len(self.weights.A), dtype=torch.float64) - self.state.gamma * self.state.S
        z: Tensor = torch.linalg.solve(system, self.features.T)
        return z.T

"""C24: the theorem that the one-step gradient descends says nothing of the DELM's implicit layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, ClassVar

import torch

from deqbench.claims import Assumption, Evidence, Point
from deqbench_plugins.claims.cases import draw, normal, random_state
from deqbench_plugins.claims.trust_region import States
from deqbench_plugins.theory.delm import Delm

if TYPE_CHECKING:
    from torch import Tensor

SCALE = 3.0
"""Standard deviation of A: the softmax is uneven, as after training."""
_FIRST = 100_000
"""Cases of one seed; the next seed's begin behind them."""


@dataclass(frozen=True)
class OneStepOnDelm:
    """C24: with M = d(gamma S z) / dA, M M' is singular, so the assumption of C23 cannot be certified.

    M dA = gamma sum_k z_k J_k dA_k and 1'J_k = 0, so that 1'M = 0 for every A and z (own). The verdict is
    INCONCLUSIVE, as it must be; how often the one-step gradient climbs is measured.
    """

    code: ClassVar[str] = "C24"
    statement: ClassVar[str] = (
        "Were cond(M M') <= 1 / gamma, the DELM's one-step gradient in A would descend; M M' is singular at "
        "every state, so the theorem says nothing of it."
    )
    source: ClassVar[str] = "Wu Fung et al. 2022 [RECALL]; that its assumption fails on the DELM: own."
    tolerance: ClassVar[float] = 1e-9

    states: States = 300

    def examine(self, seed: int, precision: int) -> Evidence:
        """Compare angles at random states; the control's B is chosen against the one-step gradient."""
        del precision
        points, shares = [], []
        for case in range(self.states):
            state, outer, phi = drawn(_FIRST * seed + case)
            points.append(Point(case, angle_in_a(state, outer), math.pi / 2))
            shares.append(singular_share(state, phi))
        cosines = [math.cos(point.quantity) for point in points]
        climbing = sum(one < 0 for one in cosines) / len(cosines)
        facts = (
            Assumption(
                "singular_share",
                max(shares),
                max(shares) > 1e-12,
                "M M' is regular (its least eigenvalue over its largest), and cond(M M') <= 1 / gamma",
            ),
            Assumption(
                "counterexamples",
                climbing,
                holds=True,
                sentence="share of states where it climbs",
            ),
            Assumption(
                "median_cosine", median(cosines), holds=True, sentence="cosine with A's gradient, median"
            ),
            Assumption("least_cosine", min(cosines), holds=True, sentence="cosine with A's gradient, least"),
        )
        angles = [angle_in_a(*adverse(random_state(_FIRST * seed + case, 6, 1, 0.9))) for case in range(10)]
        control = (Point(0.0, max(angles), math.pi / 2),)
        return Evidence(facts, tuple(points), control, "B chosen against the one-step gradient")


def drawn(case: int) -> tuple[Delm, Tensor, Tensor]:
    """Return a state of random shape and gamma in [.5, .98], a random G (m_y, m), and a sample (1, m)."""
    generator = draw(case)
    m, outputs = (int(torch.randint(low, high, (), generator=generator)) for low, high in ((2, 9), (1, 6)))
    gamma = 0.5 + 0.48 * float(torch.rand((), generator=generator))
    state = random_state(case, m, outputs, gamma, SCALE)
    return state, normal(generator, outputs, m), normal(generator, 1, m)


def angle_in_a(state: Delm, outer: Tensor) -> float:
    """Return the angle between the one-step gradient and the gradient in A, given G = grad L0(W), (m_y, m).

    With P = G U^-T the gradient's columns are J_k (gamma U^-T B'P)_k, those of one step J_k (gamma B'P)_k.
    """
    exact, pulled = state.gradient(outer)
    one_step = state.jacobian(state.gamma * (state.B.T @ pulled))
    cosine = torch.nn.functional.cosine_similarity(one_step.reshape(-1), exact.reshape(-1), dim=0)
    return math.acos(max(-1.0, min(1.0, float(cosine))))


def singular_share(state: Delm, features: Tensor) -> float:
    """Return lambda_min(M M') / lambda_max(M M') at a sample (1, m): M M' = gamma^2 sum_k z_k^2 J_k^2."""
    z = state.equilibrium(features)[0]
    blocks = torch.diag_embed(state.S.T) - state.S.T.unsqueeze(2) * state.S.T.unsqueeze(1)  # J_k, (m, m, m)
    values = torch.linalg.eigvalsh(torch.einsum("k,kab,kcb->ac", z.square(), blocks, blocks))
    return abs(float(values[0])) / float(values[-1])


def adverse(state: Delm) -> tuple[Delm, Tensor]:
    """Return a state of one output and a G for which the one-step gradient turns farthest from A's gradient.

    With P = e_k and B = b', their product is b'J_k^2 U^-T b times gamma^2: b is the lowest eigenvector of its
    symmetric part, over all k. b = 1 is no candidate: there both gradients are zero.
    """
    size = len(state.A)
    lowest, chosen = math.inf, (0, state.B[0])
    for k in range(size):
        block = torch.diag(state.S[:, k]) - torch.outer(state.S[:, k], state.S[:, k])
        form = block @ block @ state.inverse.T
        values, vectors = torch.linalg.eigh((form + form.T) / 2)
        if float(values[0]) < lowest:
            lowest, chosen = float(values[0]), (k, vectors[:, 0])
    k, b = chosen
    pulled = torch.zeros(1, size, dtype=torch.float64)
    pulled[0, k] = 1.0
    return Delm(state.A, b[None, :], state.complement), pulled @ state.U.T

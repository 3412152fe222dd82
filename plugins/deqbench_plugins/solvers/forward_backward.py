"""Forward-backward splitting of a monotone map: explicit in W, implicit in the activation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple

from pydantic import Field

from deqbench_plugins.solvers.monotone_form import monotone_form

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.linear_parts import LinearPart
    from deqbench.equilibria.solving import Map

SEARCH = 12
"""Norms computed for the default step; each narrows the bracket to 0.62 of it."""


class ForwardState(NamedTuple):
    """The point, the map's value, and what the activation was applied to."""

    z: Tensor  # (B, *s)
    fz: Tensor  # (B, *s)
    inner: Tensor  # W z + offset, (B, *s)


@dataclass(frozen=True)
class ForwardBackward:
    """Forward-backward splitting: z <- prox_{a g}((1 - a) z + a (W z + offset)).

    Converges for every step a < 2 m / L^2, by the factor ||I - a (I - W)||_2 a step, which is at most
    sqrt(1 - 2 a m + a^2 L^2). The default step minimises that factor itself, not the bound, which is so loose
    that its own minimiser m / L^2 takes several times the steps. The form W z + offset and f(z) come of one
    call, so a step is one call. Needs a monotone map, or an affine one with I - M strongly monotone.

    Source: E. Winston and J. Z. Kolter (2020), "Monotone operator equilibrium networks", arXiv 2006.08591.
    The search for the step is this project's.
    """

    step_size: Annotated[
        float | None,
        Field(gt=0, description="a, the step; None: the one of the least contraction factor."),
    ] = None

    def init(self, f: Map, z0: Tensor) -> ForwardState:
        """Evaluate the start.

        Raises:
            InapplicableError: The map is not monotone.
        """
        monotone_form(f, "forward-backward")
        inner, fz = f.split(z0)
        return ForwardState(z0, fz, inner)

    def step(self, f: Map, state: ForwardState) -> ForwardState:
        """Step forward, then apply the activation's proximal operator; one call."""
        monotone = f.monotone
        assert monotone is not None, "init has seen to it"
        size = self.step_size or best_step(monotone.operator)
        forward = state.z.lerp(state.inner, size)
        z = monotone.activation.prox(forward, size, *f.inputs[1:])
        inner, fz = f.split(z)
        return ForwardState(z, fz, inner)


def best_step(part: LinearPart) -> float:
    """Return the step a for which ||I - a (I - W)||_2 is least, to a percent; searched once for a W.

    The norm is convex in a, 1 at a = 0 and at least 1 for a >= 2 / L, so a golden-section search finds it.
    """
    if "forward step" not in part.memo:
        ratio = (5**0.5 - 1) / 2
        low, high = 0.0, 2 / part.lipschitz
        inner, outer = high - ratio * high, ratio * high
        at_inner, at_outer = part.forward_factor(inner), part.forward_factor(outer)
        for _ in range(SEARCH - 2):
            if at_inner < at_outer:
                high, outer, at_outer = outer, inner, at_inner
                inner = high - ratio * (high - low)
                at_inner = part.forward_factor(inner)
            else:
                low, inner, at_inner = inner, outer, at_outer
                outer = low + ratio * (high - low)
                at_outer = part.forward_factor(outer)
        part.memo["forward step"] = inner if at_inner < at_outer else outer
    return float(part.memo["forward step"])

"""Newton's method whose linear systems are solved by GMRES on Jacobian-vector products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple

import torch
from pydantic import Field

from deqbench_plugins.solvers.history import lengths, wide_rows
from deqbench_plugins.solvers.newton import acceptable

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.solving import Map

EASIEST = 0.5
"""Greatest forcing term: a linear system is solved to half its right side at least."""
SHARE = 0.9
"""Eisenstat and Walker's gamma; their alpha is 2."""


class KrylovState(NamedTuple):
    """A point, the map's value, and the linear system (I - J) p = gap that is being solved there.

    Columns of zeros are free. ``due`` rows have just moved: their gap is not known before the next call.
    """

    z: Tensor  # (B, *s)
    fz: Tensor  # (B, *s)
    ahead: Tensor  # where the next call will be; z itself while the system is being solved, (B, *s)
    base: Tensor  # where the last step began, (B, d)
    gap: Tensor  # f - id there, (B, d)
    length: Tensor  # share of the step that the trial takes, (B, 1)
    due: Tensor  # (B, 1) bool
    move: Tensor  # the correction found so far; of due rows the whole step, (B, d)
    left: Tensor  # residual of the linear system, (B, d)
    probe: Tensor  # next direction, of unit length, (B, d)
    directions: Tensor  # (B, k, d)
    images: Tensor  # (I - J) of them, orthonormal, (B, k, d)
    forcing: Tensor  # residual at which the system is solved, over ||gap||, (B, 1)
    used: Tensor  # directions in use, (B, 1)


@dataclass(frozen=True)
class NewtonKrylov:
    """Inexact Newton: (I - J) p = f(z) - z by GMRES, to a tolerance that tightens as Newton converges.

    A step of this solver is one iteration of GMRES: one call, whose tangent is a Jacobian-vector product, so
    that every sample goes at its own pace and is charged the same. GMRES is in its residual-basis form,
    whose images are orthonormal and which needs no least squares. A sample that has just moved spends its
    call on f at the new point, and the tangent on the step it took, which opens the next system.
    A step that does not decrease ||f(z) - z|| is halved. Memory: 2 ``krylov`` states.

    Source: Y. Saad and M. Schultz (1986), "GMRES"; P. Jiránek, M. Rozložník, M. Gutknecht (2008), "How to
    make simpler GMRES and GCR more stable"; S. Eisenstat and H. Walker (1996), "Choosing the forcing terms in
    an inexact Newton method", choice 2. Opening with the last step is this project's.
    """

    krylov: Annotated[int, Field(ge=1, description="Most iterations of GMRES for one Newton step.")] = 10

    def init(self, f: Map, z0: Tensor) -> KrylovState:
        """Evaluate the start; its own gap is the first direction."""
        fz = f(z0)
        base = wide_rows(z0)
        gap = wide_rows(fz) - base
        one, none = base.new_ones(len(base), 1), base.new_empty(len(base), 0, base.shape[1])
        return KrylovState(
            z0,
            fz,
            z0,
            base,
            gap,
            one,
            torch.zeros_like(one, dtype=torch.bool),
            torch.zeros_like(gap),
            gap,
            _unit(gap),
            none,
            none,
            EASIEST * one,
            torch.zeros_like(one),
        )

    def step(self, f: Map, state: KrylovState) -> KrylovState:
        """Iterate GMRES once, and move the samples whose systems are solved; one call and one product."""
        z = state.ahead
        fz, product = f.pushforward(z, state.probe.to(z.dtype).view_as(z))
        opened = _judge_trial(state._replace(z=z, fz=fz))
        extended = _extend(opened, state.probe - wide_rows(product), self.krylov)
        # After the last step's direction comes the gap's own, whatever the former was worth.
        fresh = state.due & ~opened.due
        probe = torch.where(fresh, _unit(extended.left), extended.probe)
        return _move(extended._replace(probe=probe), self.krylov)


def _judge_trial(state: KrylovState) -> KrylovState:
    """Open the linear systems of the samples that have moved; ``due`` then marks rejected trials."""
    point = wide_rows(state.z)
    gap = wide_rows(state.fz) - point
    good = acceptable(gap, state.gap, state.length)
    fresh, rejected = state.due & good, state.due & ~good
    ratio = lengths(gap) / lengths(state.gap).clamp_min(torch.finfo(gap.dtype).tiny)
    # A forcing term may not fall much faster than its predecessor's square.
    floor = SHARE * state.forcing**2
    forcing = SHARE * ratio**2
    forcing = torch.where(floor > 0.1, torch.maximum(forcing, floor), forcing).clamp_max(EASIEST)
    kept = (~state.due).to(gap.dtype)
    return state._replace(
        base=torch.where(fresh, point, state.base),
        gap=torch.where(fresh, gap, state.gap),
        length=torch.where(rejected, state.length / 2, torch.where(fresh, 1.0, state.length)),
        forcing=torch.where(fresh, forcing, state.forcing),
        left=torch.where(fresh, gap, state.left),
        move=torch.where(fresh, 0.0, state.move),
        images=state.images * kept.unsqueeze(2),
        directions=state.directions * kept.unsqueeze(2),
        used=state.used * kept,
        due=rejected,
    )


def _extend(state: KrylovState, image: Tensor, krylov: int) -> KrylovState:
    """Add the probe and its image under I - J to the systems, and reduce their residuals."""
    direction, rejected, scale = state.probe, state.due, lengths(image)
    for _ in range(2):  # once is not enough in floating point
        share = state.images @ image.unsqueeze(2)  # (B, k, 1)
        image = image - (share.mT @ state.images).squeeze(1)
        direction = direction - (share.mT @ state.directions).squeeze(1)
    length = lengths(image)
    # What is left of a dependent image is rounding.
    sound = (length > 100 * torch.finfo(image.dtype).eps * scale) & ~rejected
    inverse = torch.where(sound, length, torch.inf).reciprocal()
    image, direction = image * inverse, direction * inverse
    part = (image * state.left).sum(1, keepdim=True)
    left = state.left - part * image
    # The residual is the better next direction, unless it has hardly changed: then it is all but dependent.
    oldest = max(state.images.shape[1] - krylov + 1, 0)
    shrunk = lengths(left) <= 0.99 * lengths(state.left)
    return state._replace(
        move=torch.where(rejected, state.move, state.move + part * direction),
        left=left,
        probe=torch.where(rejected, state.probe, _unit(torch.where(shrunk | ~sound, left, image))),
        directions=torch.cat((state.directions[:, oldest:], direction.unsqueeze(1)), 1),
        images=torch.cat((state.images[:, oldest:], image.unsqueeze(1)), 1),
        used=state.used + 1,
    )


def _move(state: KrylovState, krylov: int) -> KrylovState:
    """Move the samples whose systems are solved, and those whose trial was rejected half as far."""
    done = (lengths(state.left) <= state.forcing * lengths(state.gap)) | (state.used >= krylov)
    due = done | state.due
    ahead = torch.where(due, torch.addcmul(state.base, state.length, state.move), wide_rows(state.z))
    probe = torch.where(due, _unit(state.move), state.probe)
    return state._replace(ahead=ahead.to(state.z.dtype).view_as(state.z), due=due, probe=probe)


def _unit(x: Tensor) -> Tensor:
    norm = lengths(x)
    return x / torch.where(norm > 0, norm, 1.0)

"""A coupled relaxed iteration whose steps can be undone to the last bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from deqbench.equilibria.solving import flat_rows

if TYPE_CHECKING:
    from deqbench.equilibria.solving import Map

FRACTION = 46
"""Bits below a sample's first size; 16 are left for it to grow, a factor of 65,536."""

WORD = 62
"""Bits of an int64 that hold lost bits; its sign is left alone."""


class LostBits(NamedTuple):
    """What halving has cut off, last in, first out: int64 words (B, *s), the last one partly filled."""

    words: tuple[Tensor, ...] = ()
    free: int = 0  # bits in the last word

    def push(self, bits: Tensor, count: int) -> LostBits:
        """Return these and the ``count`` low bits of an int64 tensor."""
        if self.free < count:
            return LostBits((*self.words, bits), WORD - count)
        return LostBits((*self.words[:-1], (self.words[-1] << count) | bits), self.free - count)

    def pop(self, count: int) -> tuple[Tensor, LostBits]:
        """Return the bits that were pushed last, and the others."""
        last, free = self.words[-1], self.free + count
        bits = last & ((1 << count) - 1)
        if free == WORD:
            return bits, LostBits(self.words[:-1], WORD % count if self.words[:-1] else 0)
        return bits, LostBits((*self.words[:-1], last >> count), free)


class CoupledState(NamedTuple):
    """Two iterates as whole numbers of a quantum; the first one, in the map's type, is what is judged."""

    z: Tensor  # y in the map's type, (B, *s)
    fz: Tensor  # f there, (B, *s)
    y: Tensor  # int64, (B, *s)
    partner: Tensor  # int64, (B, *s)
    quantum: Tensor  # float64, (B, 1, ...)
    y_bits: LostBits
    partner_bits: LostBits
    steps: int


@dataclass(frozen=True)
class Coupled:
    """y <- (1 - beta) y + beta f(w), then w <- (1 - beta) w + beta f(y): a solver of two calls a step.

    beta = 1 - 2^-halvings, in fixed point, so that what a step loses is ``halvings`` bits, which are kept.
    """

    halvings: int

    def init(self, f: Map, z0: Tensor) -> CoupledState:
        """Evaluate the start, where both iterates are; the sizes there choose each sample's quantum."""
        fz = f(z0)
        both = torch.cat((flat_rows(z0), flat_rows(fz)), 1).double().nan_to_num(0.0, 1.0, 1.0)
        size = both.abs().amax(1) if both.shape[1] else both.new_ones(len(both))
        exponent = torch.frexp(torch.where(size > 0, size, 1.0)).exponent
        quantum = torch.ldexp(torch.ones_like(size), exponent - FRACTION)
        quantum = quantum.reshape(-1, *[1] * (z0.dim() - 1))
        y = to_quanta(z0, quantum)
        return CoupledState(z0, fz, y, y, quantum, LostBits(), LostBits(), 0)

    def step(self, f: Map, state: CoupledState) -> CoupledState:
        """Move both; two calls, one the first time, for both start at the same point."""
        dtype, quantum = state.z.dtype, state.quantum
        fw = state.fz if state.steps == 0 else f(from_quanta(state.partner, quantum, dtype))
        y, lost = relax(state.y, to_quanta(fw, quantum), self.halvings)
        z = from_quanta(y, quantum, dtype)
        fz = f(z)
        partner, also_lost = relax(state.partner, to_quanta(fz, quantum), self.halvings)
        return CoupledState(
            z,
            fz,
            y,
            partner,
            quantum,
            state.y_bits.push(lost, self.halvings),
            state.partner_bits.push(also_lost, self.halvings),
            state.steps + 1,
        )


def to_quanta(x: Tensor, quantum: Tensor) -> Tensor:
    """Return x in quanta, int64; what is not finite or too large is cut, the same way every time."""
    limit = float(1 << WORD - 1)
    return (x.double() / quantum).nan_to_num(0.0, limit, -limit).clamp(-limit, limit).round().long()


def from_quanta(y: Tensor, quantum: Tensor, dtype: torch.dtype) -> Tensor:
    """Return int64 quanta as numbers."""
    return (y.double() * quantum).to(dtype)


def relax(y: Tensor, target: Tensor, halvings: int) -> tuple[Tensor, Tensor]:
    """Return target + (y - target) / 2^halvings, rounded down, and the bits that this cuts off."""
    gap = y - target
    return target + (gap >> halvings), gap & ((1 << halvings) - 1)


def restore(y: Tensor, target: Tensor, halvings: int, lost: Tensor) -> Tensor:
    """Return what :func:`relax` made ``y`` and ``lost`` of."""
    return target + (((y - target) << halvings) | lost)

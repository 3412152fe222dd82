"""The linear part W of a monotone map: a dense matrix, or a circular convolution by its spectrum.

Both are handled as blocks: one (d, d), or a small (C, C) for every frequency. Norms, resolvents and
transposes are those of the blocks, so a convolution costs no more than its frequencies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from deqbench.errors import ConfigurationError


@dataclass(frozen=True, eq=False)
class LinearPart:
    """W, applied to states (B, d), or to (B, C, *grid) if it is a circular convolution.

    Attributes:
        blocks: (d, d), or (F, C, C) complex, one block a frequency of ``rfftn`` over the grid; may be
            attached to a graph. Not to be changed in place: make a new part of new weights.
        grid: Shape that a convolution goes round; empty for a matrix.
        memo: What is kept between uses (inverses, norms); shared with the transpose.
        transposed: Whether this is the transpose of the part that ``memo`` describes.
    """

    blocks: Tensor
    grid: tuple[int, ...] = ()
    memo: dict[Any, Any] = field(default_factory=dict, repr=False)
    transposed: bool = False

    @property
    def T(self) -> LinearPart:  # noqa: N802 -- the transpose's name in linear algebra and in torch
        """The transpose of W: the adjoint equation's linear part."""
        return LinearPart(self.blocks.mH, self.grid, self.memo, not self.transposed)

    def __call__(self, v: Tensor, offset: Tensor | None = None) -> Tensor:
        """Return W v, plus an offset of the same shape if there is one."""
        if not self.grid and offset is not None and v.dim() == 2 and v.shape == offset.shape:
            return torch.addmm(offset, v, self.blocks.mT)
        product = self._times(self.blocks, v)
        return product if offset is None else product + offset

    def resolvent(self, v: Tensor, step: float) -> Tensor:
        """Return (I + step (I - W))^-1 v, in the shape of v.

        The inverse is formed once for a step: its condition number is at most
        (1 + step L) / (1 + step m), so nothing is lost, and each use is one product instead of two
        triangular solves.

        Raises:
            ConfigurationError: I + step (I - W) is singular, so W is no monotone map's.
        """
        key = ("resolvent", step, torch.is_grad_enabled() and self.blocks.requires_grad)
        if key not in self.memo:
            blocks = _wide(self.blocks)
            inverse, failed = torch.linalg.inv_ex(_identity(blocks) * (1 + step) - step * blocks)
            if bool(failed.any()):
                raise ConfigurationError(
                    f"I + {step:g} (I - W) is singular. W must keep I - W strongly monotone: "
                    "build it by monotone_blocks."
                )
            inverse = inverse.to(self.blocks.dtype)
            self.memo[key] = inverse.mH if self.transposed else inverse
        inverse = self.memo[key]
        return self._times(inverse.mH if self.transposed else inverse, v)

    @property
    def monotonicity(self) -> float:
        """m, the least eigenvalue of the symmetric part of I - W; > 0 where it is strongly monotone."""
        if "monotonicity" not in self.memo:
            gap = self._gap()
            self.memo["monotonicity"] = float(torch.linalg.eigvalsh((gap + gap.mH) / 2).min())
        return float(self.memo["monotonicity"])

    @property
    def strongly_monotone(self) -> bool:
        """Whether m > 0, by a Cholesky factorisation, which costs far less than m."""
        if "strongly monotone" not in self.memo:
            gap = self._gap()
            self.memo["strongly monotone"] = not bool(torch.linalg.cholesky_ex(gap + gap.mH).info.any())
        return bool(self.memo["strongly monotone"])

    @property
    def lipschitz(self) -> float:
        """L = ||I - W||_2."""
        if "lipschitz" not in self.memo:
            gap = self._gap()
            square = float(torch.linalg.eigvalsh(gap.mH @ gap).max())
            self.memo["lipschitz"] = math.sqrt(max(square, 0.0))
        return float(self.memo["lipschitz"])

    def forward_factor(self, step: float) -> float:
        """Return ||I - step (I - W)||_2, the factor by which a forward-backward step contracts."""
        blocks = _wide(self.blocks.detach())
        forward = _identity(blocks) * (1 - step) + step * blocks
        return math.sqrt(float(torch.linalg.eigvalsh(forward.mH @ forward).max().clamp_min(0)))

    def _gap(self) -> Tensor:
        blocks = _wide(self.blocks.detach())
        return _identity(blocks) - blocks

    def _times(self, blocks: Tensor, v: Tensor) -> Tensor:
        if not self.grid:
            return v @ blocks.mT
        axes = tuple(range(-len(self.grid), 0))
        spectrum = torch.fft.rfftn(v, dim=axes)  # (B, C, *frequencies)
        # A small product for every frequency: (F, B, C) by the transposed blocks (F, C, C).
        columns = spectrum.flatten(2).permute(2, 0, 1) @ blocks.mT
        product = columns.permute(1, 2, 0).reshape(spectrum.shape)
        wave: Tensor = torch.fft.irfftn(product, s=self.grid, dim=axes)
        return wave


def circular_blocks(kernel: Tensor, grid: tuple[int, ...]) -> Tensor:
    """Return the blocks of a circular convolution on a grid, (F, C_out, C_in) complex.

    Args:
        kernel: (C_out, C_in, *k), its centre at k // 2, as ``conv2d`` with circular padding applies it.
        grid: Shape (n_1, ..., n_r) that it goes round; k_i <= n_i.

    Raises:
        ConfigurationError: The kernel is larger than the grid, or has another number of axes.
    """
    window = kernel.shape[2:]
    if len(window) != len(grid) or any(k > n for k, n in zip(window, grid, strict=True)):
        raise ConfigurationError(
            f"A kernel of window {tuple(window)} cannot go round a grid {tuple(grid)}; the window has as "
            "many axes and is no larger. Take a smaller kernel."
        )
    axes = tuple(range(2, kernel.dim()))
    margins = [part for k, n in zip(reversed(window), reversed(grid), strict=True) for part in (0, n - k)]
    wide = torch.nn.functional.pad(kernel, margins)
    centred = torch.roll(wide, tuple(-(k // 2) for k in window), axes)
    # conv2d correlates: its spectrum is the conjugate of the kernel's.
    spectrum = torch.fft.rfftn(centred, dim=axes).conj()
    blocks: Tensor = spectrum.flatten(2).permute(2, 0, 1)
    return blocks


def monotone_blocks(factor: Tensor, skew: Tensor, margin: float) -> Tensor:
    """Return the blocks of W = (1 - m) I - A^T A + B - B^T, for which I - W is strongly monotone by m.

    Args:
        factor: Blocks of A, (d, d) or (F, C, C).
        skew: Blocks of B, of the same shape.
        margin: m > 0.

    Source: E. Winston and J. Z. Kolter (2020), "Monotone operator equilibrium networks", arXiv 2006.08591.
    """
    blocks: Tensor = (1 - margin) * _identity(factor) - factor.mH @ factor + skew - skew.mH
    return blocks


def _identity(blocks: Tensor) -> Tensor:
    return torch.eye(blocks.shape[-1], dtype=blocks.dtype, device=blocks.device)


def _wide(blocks: Tensor) -> Tensor:
    """Return the blocks in float32 if they are in half precision, which LAPACK does not serve."""
    return blocks.float() if blocks.dtype in (torch.float16, torch.bfloat16) else blocks

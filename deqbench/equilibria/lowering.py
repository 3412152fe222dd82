"""How a fixed budget of steps is lowered to machine code: inductor, told what pays for one row.

At (1, 64) a step is a product of a matrix and one row. Calling a library for it costs more than the
arithmetic; written as a sum it is compiled in line, in half the time.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule

LARGEST = 256 * 256
"""Entries of a matrix up to which the sum is used; beyond it memory decides, a library is as good."""


def inductor(graph: GraphModule, examples: Sequence[Any]) -> Any:
    """Compile a graph with inductor; the backend that ``torch.compile`` is given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of deprecated parts of its own
        return _compile(graph, examples)


def _compile(graph: GraphModule, examples: Sequence[Any]) -> Any:
    from torch._inductor.compile_fx import compile_fx  # noqa: PLC0415 -- seconds that only this needs
    from torch._inductor.decomposition import select_decomp_table  # noqa: PLC0415 -- likewise

    if any(isinstance(part, Tensor) and part.device.type != "cpu" for part in examples):
        return compile_fx(graph, examples)
    aten = torch.ops.aten
    table: dict[Any, Callable[..., Any]] = {
        **select_decomp_table(),
        aten.mm.default: one_row_mm,
        aten.addmm.default: one_row_addmm,
    }
    return compile_fx(graph, examples, decompositions=table)


def one_row_mm(row: Tensor, matrix: Tensor) -> Any:
    """Return row @ matrix, (1, n), as a sum; ``NotImplemented`` leaves any other product as it is."""
    if row.shape[0] == 1 and row.shape[1] > 1 and matrix.numel() <= LARGEST:
        return (row.mT * matrix).sum(0, keepdim=True)
    return NotImplemented


def one_row_addmm(bias: Tensor, row: Tensor, matrix: Tensor, *, beta: float = 1, alpha: float = 1) -> Any:
    """Return beta * bias + alpha * row @ matrix, (1, n), likewise."""
    product = one_row_mm(row, matrix)
    if product is NotImplemented:
        return product
    product = product if alpha == 1 else alpha * product
    return product + (bias if beta == 1 else beta * bias)

"""A batch that samples have left which are done: the map and the solver's state on the rows that remain."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

from torch import Tensor

from deqbench.equilibria.looks import Judge, Looks
from deqbench.equilibria.maps import Map


def narrowed(judge: Judge, look: Looks, f: Map, state: Any) -> tuple[Map, Any]:
    """Return map and state of the samples that still search."""
    width, kept = judge.width, judge.compact()
    look.narrow(kept)
    narrow, rest = f.rows(kept), take_rows(state, kept, width)
    if f.witnessed(state.z, state.fz):  # so are their rows
        narrow.vouch(rest.z, rest.fz)
    return narrow, rest


def take_rows(value: Any, index: Tensor, width: int) -> Any:
    """Return a state with only the rows of ``index``, in every tensor that has ``width`` of them.

    A part of a state may say itself what it is of some rows, by a method ``rows(index)``.
    """
    if isinstance(value, Tensor):
        return value.index_select(0, index) if value.dim() and value.shape[0] == width else value
    if callable(rows := getattr(value, "rows", None)):
        return rows(index)
    if isinstance(value, (tuple, list)):
        parts = [take_rows(part, index, width) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if isinstance(value, dict):
        return {key: take_rows(part, index, width) for key, part in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        names = [item.name for item in fields(value)]
        return replace(value, **{n: take_rows(getattr(value, n), index, width) for n in names})
    return value

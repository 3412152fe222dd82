"""Somebody else's loops for one sample each, run in step so that each call of the map serves the batch."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from deqbench.equilibria.solving import flat_rows
from deqbench.plugin import InapplicableError
from deqbench_plugins.trainers.closed_loop import stepwise

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.equilibria.solving import Map

Vector = np.ndarray[Any, np.dtype[np.float64]]
Search = Callable[[Callable[[Vector], Vector], Vector], Vector]
"""(F, x0) -> a root of F, both (d,): one sample's own loop."""

MOST_ROWS = 1024
"""Samples that are served; each has a thread."""


def in_step(search: Search, f: Map, z0: Tensor) -> Tensor:
    """Return where every sample's own search for a root of f(z) - z ended, (B, *s).

    The searches wait for one another at each evaluation, so a call of the map on the batch gives every one
    its value, and a sample is charged the calls that its own search made. A search that has ended stays
    where it is. Points are rounded to the state's type before f sees them; F is taken of the rounded point.

    Raises:
        InapplicableError: There are more samples than threads to serve them.
    """
    if z0.shape[0] > MOST_ROWS:
        raise InapplicableError(
            f"A batch of {z0.shape[0]} samples would need as many threads; scipy's solvers serve at most "
            f"{MOST_ROWS}. Use smaller batches, or a solver of this project."
        )
    rows = [_Row(search, start) for start in flat_rows(z0).double().cpu().numpy()]
    try:
        while _advance(rows):
            z = _tensor(rows, z0)
            gaps = flat_rows(f(z) - z).double().cpu().numpy()
            for row, gap in zip(rows, gaps, strict=True):
                row.answer = gap
    finally:
        for row in rows:
            row.requests.close()
    return _tensor(rows, z0)


def _advance(rows: list[_Row]) -> bool:
    """Run every search until the next point it asks for; say whether one of them does."""
    with warnings.catch_warnings():  # only one thread runs at a time: the filters hold for theirs
        warnings.simplefilter("ignore")
        return sum(row.advance() for row in rows) > 0


class _Row:
    """One sample's search, paused wherever it asks for F."""

    def __init__(self, search: Search, start: Vector) -> None:
        self.point, self.answer = start, start

        def run(ask: Callable[[Vector], None]) -> None:
            self._run(search, start, ask)

        self.requests = stepwise(run)

    def advance(self) -> bool:
        """Run until the next point it asks for; say whether there is one."""
        point = next(self.requests, None)
        if point is None:
            return False
        self.point = point
        return True

    def _run(self, search: Search, start: Vector, ask: Callable[[Vector], None]) -> None:
        def gap(x: Vector) -> Vector:
            ask(np.array(x, dtype=np.float64).reshape(-1))
            return self.answer

        self.point = np.array(search(gap, start), dtype=np.float64).reshape(-1)


def _tensor(rows: list[_Row], like: Tensor) -> Tensor:
    points = np.stack([row.point for row in rows])
    return torch.from_numpy(points).to(like).view_as(like)

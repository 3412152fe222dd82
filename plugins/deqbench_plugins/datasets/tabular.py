"""Tables: a loader of inputs and targets becomes a data set with stratified, standardised splits.

Importing this module costs neither torch nor scikit-learn, so that a plugin may offer a table with
:func:`tabular` in its manifest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from deqbench.plugin import Entry, Splits, Task

if TYPE_CHECKING:
    import numpy as np

Table = tuple[Any, Any]
"""Inputs (N, *in) and targets (N,) or (N, out), as anything that ``numpy.asarray`` takes."""

TestShare = Annotated[float, Field(gt=0, le=0.5, description="Share of the samples kept for reporting.")]
ValidationShare = Annotated[float, Field(gt=0, le=0.4, description="Share of the samples kept for choosing.")]
Standardize = Annotated[
    bool,
    Field(
        description="Shift and scale inputs, and targets of a regression, to mean 0 and variance 1 "
        "on the training split."
    ),
]


@dataclass(frozen=True)
class Tabular(ABC):
    """A table in memory, split by a seed: stratified by class, scaled by its training split alone."""

    test: TestShare = 0.2
    validation: ValidationShare = 0.15
    standardize: Standardize = True

    task: ClassVar[Task]

    @abstractmethod
    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the whole table: inputs (N, *in) and targets (N,) or (N, out)."""

    def load(self, seed: int) -> Splits:
        """Return the splits that the stream ``data`` of this seed draws."""
        # Here, because manifests import this module and must cost no torch.
        from deqbench_plugins.datasets.splitting import Cut, split_table  # noqa: PLC0415

        x, y = self.read()
        return split_table(x, y, self.task, Cut(self.test, self.validation, self.standardize, seed))


def tabular(name: str, loader: Callable[[], Table], task: str | Task, summary: str = "") -> Entry:
    """Return the entry of a data set whose whole table a loader returns, for a plugin's manifest.

    Args:
        name: What suites call it: lower case, digits and dashes.
        loader: Takes nothing and returns inputs (N, *in) and targets: labels of any type (N,) for
            classification, numbers (N,) or (N, out) for regression.
        task: ``regression`` or ``classification``.
        summary: One line for ``deqbench list``.
    """
    kind = Task(task)

    class Loaded(Tabular):
        __doc__ = summary or f"The table '{name}'."
        task: ClassVar[Task] = kind

        def read(self) -> tuple[np.ndarray, np.ndarray]:
            return loader()

    Loaded.__name__ = Loaded.__qualname__ = "".join(word.title() for word in name.split("-"))
    return Entry(name, Loaded, summary)

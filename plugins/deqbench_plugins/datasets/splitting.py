"""Splits of a table: drawn reproducibly, stratified by class, scaled by the training split alone.

Nothing here depends on the order in which a machine adds numbers: rows are drawn by sorting raw 64-bit
draws, whose sequence numpy guarantees for ever, and means are correctly rounded sums. The same seed gives
the same bits everywhere.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from deqbench.errors import ConfigurationError
from deqbench.interfaces import Split, Splits, Task
from deqbench.measuring.seeding import stream_seed

if TYPE_CHECKING:
    from collections.abc import Sequence


class Cut(NamedTuple):
    """How a table is cut.

    Attributes:
        test: Share of the rows for testing, in (0, 1).
        validation: Share of the rows for validation, in (0, 1).
        standardize: Whether inputs, and targets of a regression, get mean 0 and variance 1 on the training
            split.
        seed: The suite's seed; rows are drawn from its stream ``data``.
    """

    test: float
    validation: float
    standardize: bool
    seed: int


class Rows(NamedTuple):
    """Row numbers of each split, disjoint, in drawn order."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


class Parts(NamedTuple):
    """A table cut into train, validation and test: inputs (N, *in), targets (N,) int64 or (N, out)."""

    inputs: Sequence[np.ndarray]
    targets: Sequence[np.ndarray]


def draw_rows(strata: np.ndarray, cut: Cut) -> Rows:
    """Draw the rows of each split, every class in proportion to within one sample.

    Each row gets a random rank within its class, (i + 1/2) / (rows of the class); all rows are sorted by it
    and cut: the first part is the test split, the next the validation split. So the split sizes are exact,
    and a class of few samples keeps some for training.

    Args:
        strata: Class of each row, (N,); all equal where there is nothing to stratify by.
        cut: Shares and seed.

    Raises:
        ConfigurationError: There are too few rows for three splits.
    """
    n = len(strata)
    n_test, n_val = max(1, round(n * cut.test)), max(1, round(n * cut.validation))
    if n_test + n_val >= n:
        raise ConfigurationError(f"{n} samples are too few for a train, a validation and a test split.")
    order = np.argsort(np.random.PCG64(stream_seed(cut.seed, "data", "rows")).random_raw(n), kind="stable")
    rank = np.empty(n)
    for stratum in np.unique(strata):
        members = order[strata[order] == stratum]
        rank[members] = (np.arange(len(members)) + 0.5) / len(members)
    drawn = order[np.argsort(rank[order], kind="stable")]
    test_rows, val_rows, train_rows = np.split(drawn, [n_test, n_test + n_val])
    return Rows(_shuffled(train_rows, order), _shuffled(val_rows, order), _shuffled(test_rows, order))


def _shuffled(rows: np.ndarray, order: np.ndarray) -> np.ndarray:
    # Back in the random order of the draw: sorted by rank, a split would run through the classes in turn.
    return order[np.isin(order, rows)]


def split_table(x: Any, y: Any, task: Task, cut: Cut) -> Splits:
    """Return the splits of a whole table.

    Args:
        x: Inputs, (N, *in), numbers.
        y: Labels of any type, (N,), or targets, (N,) or (N, out).
        task: Regression or classification.
        cut: Shares, scaling and seed.

    Raises:
        ConfigurationError: A number is missing or infinite, or there are too few rows.
    """
    inputs = np.asarray(x, dtype=np.float64)
    targets, outputs = targets_of(np.asarray(y), task)
    if not (np.isfinite(inputs).all() and np.isfinite(targets).all()):
        raise ConfigurationError("The table holds missing or infinite numbers; fill them in first.")
    strata = targets if task is Task.CLASSIFICATION else np.zeros(len(targets))
    rows = draw_rows(strata, cut)
    parts = Parts([inputs[part] for part in rows], [targets[part] for part in rows])
    return splits_of(parts, task, outputs, standardize=cut.standardize)


def targets_of(y: np.ndarray, task: Task) -> tuple[np.ndarray, int]:
    """Return class indices (N,) int64 and the number of classes, or targets (N, out) and their columns."""
    if task is Task.CLASSIFICATION:
        classes, indices = np.unique(y, return_inverse=True)
        return indices.reshape(-1).astype(np.int64), len(classes)
    columns = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
    return columns, columns.shape[1]


def splits_of(parts: Parts, task: Task, outputs: int, *, standardize: bool) -> Splits:
    """Return the splits of a table already cut, scaled on request.

    Args:
        parts: The three parts.
        task: Regression or classification.
        outputs: Number of classes or of target columns.
        standardize: As in :class:`Cut`.
    """
    inputs, targets = parts
    if standardize:
        inputs = standardized(inputs)
        targets = standardized(targets) if task is Task.REGRESSION else targets
    train, val, test = (
        Split(torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(np.ascontiguousarray(y)))
        for x, y in zip(inputs, targets, strict=True)
    )
    return Splits(train, val, test, task, outputs)


def standardized(parts: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return arrays shifted and scaled so that each feature of the first has mean 0 and variance 1.

    A feature that is constant in the first is 0 in all: nothing was learned about its scale.

    Args:
        parts: Arrays (N, *in); the first is the training split.
    """
    columns = parts[0].reshape(len(parts[0]), -1).T
    varies = columns.max(axis=1) > columns.min(axis=1)
    mean = np.array([math.fsum(column.tolist()) / len(column) for column in columns])
    squares = (columns - mean[:, None]) ** 2
    spread = np.array([math.sqrt(math.fsum(column.tolist()) / len(column)) for column in squares])
    scale = np.where(varies & (spread > 0), spread, np.inf)
    return [((part.reshape(len(part), -1) - mean) / scale).reshape(part.shape) for part in parts]

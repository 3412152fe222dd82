"""Checks of data sets: reproducible, finite, of the declared shapes, scaled on the training split alone."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from deqbench.interfaces import Split, Splits, Task


def _parts(splits: Splits) -> dict[str, Split]:
    return {"train": splits.train, "val": splits.val, "test": splits.test}


@functools.lru_cache(maxsize=2)  # loading may take seconds
def _loaded(dataset: Any, seed: int) -> Splits:
    splits: Splits = dataset.load(seed)
    return splits


def gives_the_same_for_a_seed(dataset: Any) -> str | None:
    """The same seed gives the same bits, without torch's global generator."""
    once, generator = _parts(_loaded(dataset, 0)), torch.get_rng_state()
    again = _parts(dataset.load(0))
    if not torch.equal(generator, torch.get_rng_state()):
        return "it draws from the global generator; use one of its own"
    wrong = [
        name
        for name, part in once.items()
        if not (torch.equal(part.x, again[name].x) and torch.equal(part.y, again[name].y))
    ]
    return f"two loads with seed 0 differ in {', '.join(wrong)}" if wrong else None


def draws_from_the_seed(dataset: Any) -> str | None:
    """Another seed draws other splits."""
    once, other = _loaded(dataset, 0).train, _loaded(dataset, 1).train
    return "seeds 0 and 1 train on the same samples" if torch.equal(once.x, other.x) else None


def has_the_shapes_it_declares(dataset: Any) -> str | None:
    """Every split holds samples, as many inputs as targets, finite, of the declared shapes."""
    splits = _loaded(dataset, 0)
    for name, part in _parts(splits).items():
        fault = _shape_fault(part, splits)
        if fault:
            return f"{name}: {fault}"
    return None


def _shape_fault(part: Split, splits: Splits) -> str | None:
    if len(part) == 0 or part.x.shape[0] != part.y.shape[0]:
        return f"{part.x.shape[0]} inputs and {part.y.shape[0]} targets"
    if tuple(part.x.shape[1:]) != splits.inputs:
        return f"inputs of shape {tuple(part.x.shape[1:])}, but {splits.inputs} in training"
    if part.x.dtype != torch.float64 or not torch.isfinite(part.x).all():
        return f"inputs are {part.x.dtype}, which must be float64 and finite"
    if splits.task is Task.CLASSIFICATION:
        return _label_fault(part.y, splits.outputs)
    if part.y.shape != (len(part), splits.outputs) or not torch.isfinite(part.y).all():
        return f"targets {tuple(part.y.shape)}, which must be (N, {splits.outputs}) and finite"
    return None


def _label_fault(y: Tensor, outputs: int) -> str | None:
    if y.shape != (len(y),) or y.dtype != torch.int64:
        return f"labels {tuple(y.shape)} {y.dtype}, which must be (N,) int64"
    inside = int(y.min()) >= 0 and int(y.max()) < outputs
    return None if inside else f"labels from {int(y.min())} to {int(y.max())} for {outputs} classes"


def is_scaled_on_the_training_split(dataset: Any) -> str | None:
    """Training inputs have mean 0 and variance 1, or are constant, in every feature; targets too."""
    if not getattr(dataset, "standardize", True):
        return None
    splits = _loaded(dataset, 0)
    tables = {"inputs": splits.train.x}
    if splits.task is Task.REGRESSION:
        tables["targets"] = splits.train.y
    for name, table in tables.items():
        columns = table.flatten(1)
        mean, variance = columns.mean(0), columns.var(0, correction=0)
        if float(mean.abs().max()) > 1e-6:
            return f"{name}: a feature has mean {float(mean.abs().max()):.2g}"
        off = torch.minimum((variance - 1).abs(), variance)
        if float(off.max()) > 1e-6:
            return f"{name}: a feature has variance {float(variance[off.argmax()]):.3g}"
    return None


CHECKS = (
    gives_the_same_for_a_seed,
    draws_from_the_seed,
    has_the_shapes_it_declares,
    is_scaled_on_the_training_split,
)

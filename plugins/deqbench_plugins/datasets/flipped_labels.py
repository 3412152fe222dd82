"""Any classification with wrong labels in its training split, so that no hyperplane separates it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from pydantic import Field

from deqbench.errors import ConfigurationError
from deqbench.interfaces import Dataset, Split, Task
from deqbench.measuring.seeding import stream_seed
from deqbench.plugin import Component
from deqbench_plugins.datasets.bundled import BreastCancer

if TYPE_CHECKING:
    from torch import Tensor

    from deqbench.interfaces import Splits


@dataclass(frozen=True)
class FlippedLabels:
    """Another data set with a share of its training labels moved to another class.

    Separable classes have no optimum for the logistic loss or the cross-entropy: theorem 1 is empty there.
    Validation and test labels stay as they are. With ``components``, inputs become their leading principal
    components on the training split, each of variance 1 there; that rounds differently on other machines.
    """

    dataset: Annotated[
        Dataset | None, Component("datasets"), Field(description="What is flipped; breast-cancer by default.")
    ] = None
    share: Annotated[float, Field(ge=0, le=0.5, description="Share of training labels that are wrong.")] = 0.1
    components: Annotated[
        Annotated[int, Field(ge=1)] | None,
        Field(description="Principal components that replace the inputs."),
    ] = None

    def load(self, seed: int) -> Splits:
        """Return the splits of the data set at this seed, flipped by the stream ``data`` of the same seed.

        Raises:
            ConfigurationError: It is no classification, or has fewer features than components.
        """
        splits = (BreastCancer() if self.dataset is None else self.dataset).load(seed)
        if splits.task is not Task.CLASSIFICATION:
            raise ConfigurationError(
                "flipped-labels needs a classification; a regression has no labels to flip."
            )
        train = Split(splits.train.x, self._flipped(splits.train.y, splits.outputs, seed))
        splits = replace(splits, train=train)
        return splits if self.components is None else _projected(splits, self.components)

    def _flipped(self, y: Tensor, classes: int, seed: int) -> Tensor:
        """Return the labels, round(share n) of them moved on by 1 to classes - 1 places."""
        draw = np.random.Generator(np.random.PCG64(stream_seed(seed, "data", "flips")))
        chosen = draw.permutation(len(y))[: round(self.share * len(y))]
        labels = y.numpy().copy()
        labels[chosen] = (labels[chosen] + draw.integers(1, classes, len(chosen))) % classes
        return torch.from_numpy(labels)


def _projected(splits: Splits, components: int) -> Splits:
    rows = splits.train.x.flatten(1)
    mean = rows.mean(0)
    _, spread, axes = torch.linalg.svd(rows - mean, full_matrices=False)
    if components > int((spread > 1e-10 * spread[0]).sum()):
        raise ConfigurationError(f"The data have fewer than {components} principal components; keep fewer.")
    kept = axes[:components].T / spread[:components] * len(rows) ** 0.5
    signs = kept.gather(0, kept.abs().argmax(0, keepdim=True)).sign()  # a component's sign is arbitrary

    def project(part: Split) -> Split:
        return Split((part.x.flatten(1) - mean) @ (kept * signs), part.y)

    return replace(splits, train=project(splits.train), val=project(splits.val), test=project(splits.test))

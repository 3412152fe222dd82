"""Observation of a model in training: off the clock, uncounted, and without a trace in the random streams."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from deqbench.equilibria.binding import Ledger, recording
from deqbench.interfaces import Observation
from deqbench.measuring.seeding import preserved_generators, seed_everything, stream_seed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from deqbench.experiments.assembly import Assembly

_ROWS = 4096
"""Samples that are evaluated at once; bounds the memory of a solver's history on large splits."""


@dataclass(frozen=True)
class Sight:
    """What one observation saw.

    Attributes:
        values: Numbers by name.
        ledger: Forward solves of the predictions; empty for explicit models.
        finite: Whether every prediction is finite.
    """

    values: Mapping[str, float]
    ledger: Ledger
    finite: bool


def observe(assembly: Assembly, step: int, training_ledger: Ledger, seed: int) -> Sight:
    """Evaluate the model on every split, once, and let each probe look.

    Args:
        assembly: The training run.
        step: Updates done.
        training_ledger: Solves of training since the observation before.
        seed: The trial's seed; probes draw from its stream ``probe``.
    """
    objective, splits = assembly.objective, assembly.splits
    module, ledger = objective.module, Ledger(keep_last=True)
    probe_seed = stream_seed(seed, "probe")
    counts = dict(vars(objective.counts))
    module.eval()
    try:
        with preserved_generators():
            seed_everything(probe_seed)
            # The test split last: `ledger.last` then holds equilibria of test samples.
            parts = {"train": splits.train, "val": splits.val, "test": splits.test}
            with recording(ledger):
                predictions = {name: _predicted(module, split.x) for name, split in parts.items()}
            view = Observation(
                module, objective, splits, predictions, ledger, training_ledger, step, probe_seed
            )
            with recording(Ledger()):
                values = dict(pair for probe in assembly.probes for pair in probe.observe(view).items())
    finally:
        module.train()
        vars(objective.counts).update(counts)  # what a probe evaluates is nobody's cost
    return Sight(values, ledger, _all_finite(predictions, values))


def _predicted(module: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        chunks = torch.chunk(x, max(1, math.ceil(len(x) / _ROWS)))
        return torch.cat([module(chunk) for chunk in chunks])


def _all_finite(predictions: Mapping[str, Tensor], values: Mapping[str, float]) -> bool:
    loss = values.get("train_loss", 0.0)
    return math.isfinite(loss) and all(bool(torch.isfinite(output).all()) for output in predictions.values())

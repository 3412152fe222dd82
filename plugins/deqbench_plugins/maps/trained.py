"""The family of trained maps: what a deep equilibrium model's map looks like after training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import torch
from pydantic import Field

from deqbench.equilibria.binding import Ledger, Stop, bound
from deqbench.interfaces import Dataset, Model, Split, Splits
from deqbench.learning.losses import Loss
from deqbench.learning.objective import Objective
from deqbench.measuring.seeding import preserved_generators, seed_everything, stream_seed
from deqbench.plugin import Component, Drawn, InapplicableError
from deqbench_plugins.datasets.bundled import Digits
from deqbench_plugins.gradients.implicit import Implicit
from deqbench_plugins.maps.drawing import Batch
from deqbench_plugins.models.deq_linear import DeqLinear
from deqbench_plugins.solvers.anderson import Anderson
from deqbench_plugins.trainers.first_order import Adam

if TYPE_CHECKING:
    from torch import nn

STOP = Stop(tolerance=1e-4, max_calls=100)
L2 = 1e-4
"""As in the suite ``quickstart``, whose models these are."""


@dataclass(frozen=True)
class Trained:
    """The equilibrium map of a model trained as in the quick start, on samples of its test split.

    Adam (lr .01, batches of 64), the task's loss with l2 = 1e-4, equilibria by Anderson mixing to 1e-4 in
    float32, the exact gradient; then cast to float64. The loss is that of training, without l2.
    """

    model: Annotated[
        Model | None, Component("models"), Field(description="An implicit model; None: deq-linear.")
    ] = None
    dataset: Annotated[
        Dataset | None, Component("datasets"), Field(description="What it is trained on; None: digits.")
    ] = None
    epochs: Annotated[int, Field(ge=0, description="Passes over the training split.")] = 5
    batch: Batch = 32

    def draw(self, seed: int) -> Drawn:
        """Train, and return the model's map on the first ``batch`` test samples (all, if fewer).

        Raises:
            InapplicableError: The model has no equilibrium.
        """
        model = self.model or DeqLinear()
        if not model.implicit:
            raise InapplicableError(
                f"The map 'trained' needs an implicit model, and {type(model).__name__} is explicit; "
                "use e.g. deq-linear or deq-mlp."
            )
        with preserved_generators():
            splits = (self.dataset or Digits()).load(seed)
            seed_everything(stream_seed(seed, "init"))
            before = torch.get_default_dtype()
            torch.set_default_dtype(torch.float64)
            try:
                module = model.build(splits.inputs, splits.outputs)
            finally:
                torch.set_default_dtype(before)
            loss = Loss.for_task(splits.task, splits.outputs, name="auto", l2=L2)
            self._train(module.float(), loss, splits, seed)
        test = Split(splits.test.x[: self.batch], splits.test.y[: self.batch])
        return Drawn(module.double().eval(), test.x, partial(_loss_to, loss, test))

    def _train(self, module: nn.Module, loss: Loss, splits: Splits, seed: int) -> None:
        train, trainer = splits.train, Adam()
        y = train.y.float() if train.y.is_floating_point() else train.y
        objective = Objective(module, loss, Split(train.x.float(), y), stream_seed(seed, "order"))
        assert isinstance(trainer.batch_size, int), "the default is a number"
        updates = self.epochs * math.ceil(objective.n / trainer.batch_size)
        with bound(solver=Anderson(), gradient=Implicit(), stop=STOP, ledger=Ledger()):
            for _ in islice(trainer.steps(objective), updates):
                pass


def _loss_to(loss: Loss, test: Split, output: torch.Tensor) -> torch.Tensor:
    return loss(output, test.y)

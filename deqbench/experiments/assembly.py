"""A trial's parts, each drawn from its own named seed stream: data, parameters, order of batches."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from deqbench.equilibria.binding import Ledger, bound
from deqbench.equilibria.solving import Stop
from deqbench.experiments.fingerprint import load_splits
from deqbench.learning.losses import Loss
from deqbench.learning.objective import Objective
from deqbench.measuring.seeding import seed_everything, stream_seed
from deqbench.trials import Ref

if TYPE_CHECKING:
    from torch import nn

    from deqbench.discovery.registry import Registry
    from deqbench.experiments.arithmetic import Arithmetic
    from deqbench.interfaces import Model, Probe, Splits, Trainer
    from deqbench.trials import Trial


@dataclass(frozen=True)
class Assembly:
    """What a training run is made of.

    Attributes:
        splits: The data, on the trial's device and in its dtype.
        objective: The training objective; its ``module`` is the model.
        trainer: How parameters move.
        probes: What is observed.
    """

    splits: Splits
    objective: Objective
    trainer: Trainer
    probes: tuple[Probe, ...]


def component(trial: Trial, registry: Registry, axis: str) -> Any:
    """Return the component of an axis, with the parameters the trial resolved; None if it is unused."""
    ref = trial.components.get(axis)
    if ref is None:
        return None
    return registry.build(f"{axis}s", Ref(ref.name, trial.parameters.get(axis, ref.parameters)))


def binding(trial: Trial, registry: Registry, model: Model, ledger: Ledger) -> AbstractContextManager[object]:
    """Return the context in which equilibria use the trial's solver, gradient and stop settings."""
    if not model.implicit:
        return nullcontext()
    return bound(
        solver=component(trial, registry, "solver"),
        gradient=component(trial, registry, "gradient"),
        stop=Stop(**trial.settings["stop"]),
        ledger=ledger,
    )


def assemble(trial: Trial, registry: Registry, model: Model, arithmetic: Arithmetic) -> Assembly:
    """Build everything a training run needs; call it inside the trial's :func:`binding`."""
    splits = arithmetic.place(load_splits(component(trial, registry, "dataset"), trial.seed))
    module = initialised(model, splits, trial.seed).to(arithmetic.device, arithmetic.dtype)
    loss = Loss.for_task(splits.task, splits.outputs, **trial.settings["loss"])
    objective = Objective(module, loss, splits.train, stream_seed(trial.seed, "order"))
    probes = tuple(registry.build("probes", ref) for ref in trial.probes)
    return Assembly(splits, objective, component(trial, registry, "trainer"), probes)


def initialised(model: Model, splits: Splits, seed: int) -> nn.Module:
    """Return the untrained module of a seed, in float64 on the CPU."""
    # Always drawn on the CPU in float64 and cast afterwards: one seed is one starting point on every device,
    # the same up to rounding in every dtype.
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        seed_everything(stream_seed(seed, "init"))
        return model.build(splits.inputs, splits.outputs)
    finally:
        torch.set_default_dtype(before)

"""Costs of a training that are found after it is over: operations, depth, the price of one map call.

All of it happens when times, counts and curves have been noted. Whatever fails here leaves its cost unknown,
None, and never a finished trial unfinished.
"""

from __future__ import annotations

import contextlib
import math
import time
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from deqbench.errors import PluginError
from deqbench.experiments.assembly import component, initialised
from deqbench.experiments.depth import effective_depth
from deqbench.experiments.ground import captured
from deqbench.experiments.replaying import Effort, Replay, room_to_count, time_to_count, unseen
from deqbench.learning.objective import Objective
from deqbench.measuring.compiling import eager
from deqbench.measuring.operations import OperationCounter
from deqbench.measuring.seeding import preserved_generators, seed_everything, stream_seed
from deqbench.suites.schema import COUNTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor, nn

    from deqbench.discovery.registry import Registry
    from deqbench.experiments.arithmetic import Arithmetic
    from deqbench.experiments.training import Training
    from deqbench.interfaces import Model
    from deqbench.trials import Trial

T = TypeVar("T")

_ROWS = 64
"""Samples of the map call whose operations are counted."""


def account_for(run: Training, trial: Trial, registry: Registry, arithmetic: Arithmetic) -> None:
    """Note operations, depth and the price of a map call in the run's course.

    Args:
        run: The training, over but not closed: the trainer's next update is counted, too.
        trial: What was run.
        registry: Where its components are found, to make it again.
        arithmetic: How it computes.
    """
    costs, module = run.course.costs, run.assembly.objective.module
    model = component(trial, registry, "model")
    x = run.assembly.splits.train.x[:_ROWS]
    with preserved_generators(), eager():
        costs["effective_depth"] = _or_none(lambda: _depth(run, model, x[:2]))
        share = float(trial.settings.get("counting", COUNTED))
        if share <= 0:
            return
        begun = time.perf_counter()
        if model.implicit:
            costs["map_operations"] = _or_none(lambda: map_operations(module, x))
        costs.update(dict.fromkeys(("operations", "operations_coverage", "operations_replayed")))
        if not _countable(run, trial):
            return
        counted = _or_none(lambda: _replayed(run, trial, registry, arithmetic, share))
        costs.update(counted or {})
        costs["counting_seconds"] = time.perf_counter() - begun


def map_operations(module: nn.Module, x: Tensor) -> float | None:
    """Return the operations of one call of a model's map on one sample, its share of a batch's.

    Args:
        module: A model that solves one equilibrium a forward pass.
        x: Inputs, (B, *in).

    Returns:
        None if the module solves several equilibria, or some operation has no formula.
    """
    training = module.training
    module.eval()
    try:
        f, z0 = captured(module, x)
        with torch.no_grad(), OperationCounter() as counter:
            f(z0)
    except PluginError:
        return None
    finally:
        module.train(training)
    return counter.tally.operations / len(x) if counter.tally.coverage == 1.0 else None


def _replayed(
    run: Training, trial: Trial, registry: Registry, arithmetic: Arithmetic, share: float
) -> dict[str, Any]:
    """Count some updates again, and some more; the course's host learns what had no formula."""
    objective = run.assembly.objective
    whole = Effort.of(objective, run.account.closed)
    until = time_to_count(trial, run.watch.seconds, run.deadline.at, share)
    replay = Replay(share, run.step, whole, until)

    def again() -> tuple[Objective, Iterator[Tensor]]:
        splits = run.assembly.splits
        fresh = initialised(component(trial, registry, "model"), splits, trial.seed)
        module = fresh.to(arithmetic.device, arithmetic.dtype)
        copy = Objective(module, objective.loss, splits.train, objective.order_seed)
        seed_everything(stream_seed(trial.seed, "train"))
        return copy, component(trial, registry, "trainer").steps(copy)

    costs = replay.costs(again, (objective, run.steps))
    if found := unseen(replay.tally):
        run.course.host["operations_without_formula"] = found
    return costs


def _countable(run: Training, trial: Trial) -> bool:
    """Whether there is something to count, and room for it."""
    return run.step > 0 and room_to_count(trial, int(run.course.costs.get("peak_bytes") or 0))


def _depth(run: Training, model: Model, x: Tensor) -> float | None:
    solved = run.solved.forward
    calls = solved.sample_steps / solved.samples if model.implicit and solved.samples else None
    depth = effective_depth(run.assembly.objective.module, x, calls)
    return depth if depth is None or math.isfinite(depth) else None


def _or_none(found: Callable[[], T]) -> T | None:
    """Return what was found, or None if finding it failed: a cost that is unknown is no failure."""
    with contextlib.suppress(Exception):
        return found()
    return None

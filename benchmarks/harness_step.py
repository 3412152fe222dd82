"""The quick start's equilibrium model, trained under the harness and by the same loop written bare."""

from __future__ import annotations

import copy
import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

import torch
from paired import Spread, ratio
from torch.nn.functional import cross_entropy

from deqbench.discovery.registry import Registry
from deqbench.equilibria.binding import Ledger, bound
from deqbench.equilibria.solving import Stop
from deqbench.experiments import training
from deqbench.experiments.arithmetic import Arithmetic
from deqbench.experiments.assembly import component, initialised
from deqbench.experiments.course import Course
from deqbench.experiments.fingerprint import load_splits
from deqbench.keeping.runs import RunOptions
from deqbench.measuring.seeding import preserved_generators, seed_everything, stream_seed
from deqbench.running.runner import planned_trials
from deqbench.suites.suite import read_suite

if TYPE_CHECKING:
    from torch import Tensor, nn

    from deqbench.trials import Trial

WHICH = "model=deq-mlp,gradient=implicit,seed=0"
EPOCHS = 3


class Found(NamedTuple):
    """What the comparison found; milliseconds are CPU time."""

    what: str
    bare_ms: float
    ratio: Spread
    equal: bool


class Loop(NamedTuple):
    """CPU seconds a step, and the parameters it ended with."""

    seconds: float
    parameters: list[Tensor]


def compare(rounds: int) -> Found:
    """Run both loops in turn, so often, and compare them round by round."""
    registry = Registry.load()
    settings = (f"budget.epochs={EPOCHS}", "evaluations=1", 'probes=["loss"]')
    suite = read_suite("quickstart", registry, settings)
    (trial,) = planned_trials(suite, registry, RunOptions(only=WHICH))
    harness, bare = [], []
    for number in range(rounds + 1):
        pair = [under_the_harness, written_bare]
        done = {one: one(trial, registry) for one in (pair if number % 2 else pair[::-1])}
        if number:
            harness.append(done[under_the_harness])
            bare.append(done[written_bare])
    equal = all(
        torch.equal(one, other)
        for ours, theirs in zip(harness, bare, strict=True)
        for one, other in zip(ours.parameters, theirs.parameters, strict=True)
    )
    times = [[one.seconds for one in side] for side in (harness, bare)]
    return Found(trial.label, 1e3 * statistics.median(times[1]), ratio(*times), equal)


def under_the_harness(trial: Trial, registry: Registry) -> Loop:
    """Train as a worker does; the harness's own clock, which pauses for observations alone, says how long."""
    kept: list[Tensor] = []

    def keep(run, *_) -> None:  # noqa: ANN001, ANN002 -- in place of what replays steps to count operations
        kept.extend(p.detach().clone() for p in run.assembly.objective.module.parameters())

    course, counting = Course(lambda _: None), training.account_for
    training.account_for = keep
    try:
        training.measure(trial, registry, course)
    finally:
        training.account_for = counting
    return Loop(course.costs["cpu_seconds"] / course.costs["steps"], kept)


def written_bare(trial: Trial, registry: Registry) -> Loop:
    """Train as a person would without a harness: a module, an optimiser, two nested loops."""
    arithmetic = Arithmetic.of(trial.settings)
    solver, gradient = (component(trial, registry, axis) for axis in ("solver", "gradient"))
    with (
        arithmetic.in_force(),
        bound(solver=solver, gradient=gradient, stop=Stop(**trial.settings["stop"]), ledger=Ledger()),
    ):
        splits = arithmetic.place(load_splits(component(trial, registry, "dataset"), trial.seed))
        module = initialised(component(trial, registry, "model"), splits, trial.seed)
        module.to(arithmetic.device, arithmetic.dtype)
        x, y = splits.train.x, splits.train.y
        warm_up(copy.deepcopy(module), x[:64], y[:64])
        parameters = list(module.parameters())
        optimizer = torch.optim.Adam(parameters, lr=trial.parameters["trainer"]["lr"])
        seed_everything(stream_seed(trial.seed, "train"))
        generator = torch.Generator().manual_seed(stream_seed(trial.seed, "order"))
        l2, steps = trial.settings["loss"]["l2"], 0
        began = time.process_time()
        for _ in range(EPOCHS):
            for index in torch.split(torch.randperm(len(x), generator=generator), 64):
                for parameter in parameters:  # as zero_grad does, without its hook for the profiler
                    parameter.grad = None
                loss = cross_entropy(module(x[index]), y[index])
                loss.backward()
                with torch.no_grad():
                    for parameter in parameters:
                        parameter.grad.add_(parameter, alpha=l2)
                optimizer.step()
                loss.item()
                steps += 1
        seconds = time.process_time() - began
    return Loop(seconds / steps, [p.detach() for p in parameters])


def warm_up(module: nn.Module, x: Tensor, y: Tensor) -> None:
    """Take one step with a copy: the first one costs what later ones do not."""
    with preserved_generators():
        cross_entropy(module(x), y).backward()
        torch.optim.Adam(module.parameters()).step()

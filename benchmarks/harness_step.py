"""The quick start's equilibrium model, trained under the harness and by the same loop written bare.

Both advance in turn within one training, a few steps each, so that each finds the machine as the other
does to within a tenth of a second. A turn of the harness ends where its next one begins: all that it does
between steps is in it.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

import torch
from paired import Spread, median_within, ratio
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
    from collections.abc import Iterator

    from torch import Tensor, nn

    from deqbench.experiments.assembly import Assembly
    from deqbench.interfaces import Trainer
    from deqbench.learning.objective import Objective
    from deqbench.trials import Trial

WHICH = "model=deq-mlp,gradient=implicit,seed=0"
EPOCHS = 3
TURN = 4
"""Steps of a turn, some 40 ms."""


class Found(NamedTuple):
    """What the comparison found, turn by turn; milliseconds are CPU time of a step."""

    what: str
    turns: int
    bare_ms: float
    ratio: Spread
    within: tuple[float, float]
    equal: bool


def compare(rounds: int) -> Found:
    """Train so often, both loops in turn, and compare each turn with the one before it."""
    registry = Registry.load()
    settings = (f"budget.epochs={EPOCHS}", "evaluations=1", 'probes=["loss"]')
    suite = read_suite("quickstart", registry, settings)
    (trial,) = planned_trials(suite, registry, RunOptions(only=WHICH))
    races = [race(trial, registry) for _ in range(rounds + 1)][1:]
    harness = [seconds for one in races for seconds in one.harness]
    bare = [seconds for one in races for seconds in one.bare]
    equal = all(one.equal for one in races)
    step_ms = 1e3 * statistics.median(bare) / TURN
    within = median_within([ours / theirs for ours, theirs in zip(harness, bare, strict=True)])
    return Found(trial.label, len(bare), step_ms, ratio(harness, bare), within, equal)


@dataclasses.dataclass
class Race:
    """The trial's trainer, which has the bare loop take its turn before each of its own.

    Attributes:
        loop: The bare loop.
        trainer: The trainer that is raced.
        harness: CPU seconds of each turn under the harness.
        bare: CPU seconds of the bare loop's turn before it.
        equal: Whether both ended with the same parameters.
        warm: Whether the harness has asked for its one step on a copy, which nothing is beside.
    """

    loop: BareLoop
    trainer: Trainer | None = None
    warm: bool = False
    harness: list[float] = dataclasses.field(default_factory=list)
    bare: list[float] = dataclasses.field(default_factory=list)
    equal: bool = False

    def steps(self, objective: Objective) -> Iterator[Tensor]:
        """Yield the trainer's steps, the bare loop's between them."""
        inner = self.trainer.steps(objective)
        if not self.warm:
            self.warm = True
            yield from inner
        while True:
            turn = self.loop.turn(TURN)
            began = time.process_time()
            for _ in range(TURN):
                yield next(inner)  # and here the harness does its part
            self.harness.append(time.process_time() - began)
            self.bare.append(turn)


def race(trial: Trial, registry: Registry) -> Race:
    """Train as a worker does, and beside it."""
    under_way = Race(BareLoop(trial, registry))

    def assemble(*given) -> Assembly:  # noqa: ANN002 -- whatever the experiment gives
        assembly = assembling(*given)
        under_way.trainer = assembly.trainer
        return dataclasses.replace(assembly, trainer=under_way)

    def compared(run, *_) -> None:  # noqa: ANN001, ANN002 -- in place of what replays steps to count operations
        under_way.equal = under_way.loop.ends_as(run.assembly.objective.module, run.step)

    assembling, counting = training.assemble, training.account_for
    training.assemble, training.account_for = assemble, compared
    try:
        training.measure(trial, registry, Course(lambda _: None))
    finally:
        training.assemble, training.account_for = assembling, counting
    return under_way


class BareLoop:
    """Trains as a person would without a harness: a module, an optimiser, nested loops, all of it timed."""

    def __init__(self, trial: Trial, registry: Registry) -> None:
        self._trial = trial
        self._arithmetic = Arithmetic.of(trial.settings)
        self._solver, self._gradient = (component(trial, registry, axis) for axis in ("solver", "gradient"))
        with self._in_force():
            splits = load_splits(component(trial, registry, "dataset"), trial.seed)
            self._x, self._y = (splits := self._arithmetic.place(splits)).train.x, splits.train.y
            self._module = initialised(component(trial, registry, "model"), splits, trial.seed)
            self._module.to(self._arithmetic.device, self._arithmetic.dtype)
            warm_up(copy.deepcopy(self._module), self._x[:64], self._y[:64])
        self._taken = 0
        self._loop = self._steps()

    def turn(self, steps: int) -> float:
        """Take so many steps, or as many as are left; return their CPU seconds."""
        with preserved_generators(), self._in_force():
            began = time.process_time()
            for _ in range(steps):
                if next(self._loop, None) is None:
                    break
                self._taken += 1
            return time.process_time() - began

    def ends_as(self, module: nn.Module, steps: int) -> bool:
        """Return whether another module has the same parameters after as many steps."""
        pairs = zip(module.parameters(), self._module.parameters(), strict=True)
        return steps == self._taken and all(torch.equal(one, other) for one, other in pairs)

    def _in_force(self) -> contextlib.ExitStack:
        stack = contextlib.ExitStack()
        stack.enter_context(self._arithmetic.in_force())
        stop = Stop(**self._trial.settings["stop"])
        stack.enter_context(bound(solver=self._solver, gradient=self._gradient, stop=stop, ledger=Ledger()))
        return stack

    def _steps(self) -> Iterator[float]:
        x, y, module, trial = self._x, self._y, self._module, self._trial
        parameters = list(module.parameters())
        optimizer = torch.optim.Adam(parameters, lr=trial.parameters["trainer"]["lr"])
        seed_everything(stream_seed(trial.seed, "train"))
        generator = torch.Generator().manual_seed(stream_seed(trial.seed, "order"))
        l2 = trial.settings["loss"]["l2"]
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
                yield loss.item()


def warm_up(module: nn.Module, x: Tensor, y: Tensor) -> None:
    """Take one step with a copy: the first one costs what later ones do not."""
    with preserved_generators():
        cross_entropy(module(x), y).backward()
        torch.optim.Adam(module.parameters()).step()

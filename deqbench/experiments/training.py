"""The experiment ``training``: curves of a run, each number taken with the clock stopped.

Order of events: data, parameters, observation at step 0, one step on a copy to warm up, then the trainer's
steps. The clock runs in the trainer's steps alone. Observations are even in the part of the budget that is
spent (schedule.py). Peak memory covers all of it, for resident memory cannot be paused. When all of that is
noted, operations are counted and the depth is read (accounting.py): they cannot disturb what is over.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from deqbench.equilibria.binding import Ledger, recording
from deqbench.errors import NonFiniteError
from deqbench.experiments.accounting import account_for
from deqbench.experiments.accounts import Account
from deqbench.experiments.arithmetic import Arithmetic
from deqbench.experiments.assembly import Assembly, assemble, binding, component
from deqbench.experiments.course import Course, Ending
from deqbench.experiments.observing import Sight, observe
from deqbench.experiments.replaying import close
from deqbench.experiments.schedule import Budget, Deadline, Schedule
from deqbench.measuring.clock import Stopwatch
from deqbench.measuring.compiling import compile_seconds
from deqbench.measuring.machine import device_name
from deqbench.measuring.memory import PeakMemory
from deqbench.measuring.seeding import preserved_generators, seed_everything, stream_seed
from deqbench.records import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from deqbench.discovery.registry import Registry
    from deqbench.trials import Trial

UNCONVERGED_SHARE = 0.01
"""A run is not_converged if more than this share of its last observation's equilibria miss tolerance."""

_GPU_CHECK_EVERY = 16
"""Reading a loss waits for the GPU; a NaN there is noticed at most this many steps late."""


def measure(trial: Trial, registry: Registry, course: Course) -> Ending:
    """Train as the trial says, noting curves and costs in the course.

    Args:
        trial: What to run; its settings say how.
        registry: Where components are found.
        course: Receives observations, costs and host facts, also of a run that fails.

    Raises:
        InapplicableError: A component cannot serve here.
        NonFiniteError: The loss or a prediction became infinite or not a number.
    """
    deadline = Deadline.after(trial.limits.seconds)
    arithmetic = Arithmetic.of(trial.settings)
    course.host["device"] = device_name(arithmetic.device)
    model = component(trial, registry, "model")
    account = Account()
    with arithmetic.in_force(), binding(trial, registry, model, account.live):
        assembly = assemble(trial, registry, model, arithmetic)
        schedule = Schedule(Budget.of(trial.settings), trial.settings["evaluations"])
        watch = Stopwatch(arithmetic.device)
        run = Training(assembly, schedule, deadline, course, trial.seed, watch, account)
        compiled = compile_seconds()
        try:
            with PeakMemory(arithmetic.device) as memory:
                try:
                    ending = run.to_the_end()
                finally:
                    course.costs.update(run.costs())
                    course.costs["peak_bytes"] = memory.peak_bytes
                    course.host["peak_bytes_by"] = memory.method
                    course.costs["compile_seconds"] = compile_seconds() - compiled
                    course.host["hessian_products_by"] = assembly.objective.hessian_products_by
            if ending.status is not Status.TIMEOUT:
                account_for(run, trial, registry, arithmetic)
            return ending
        finally:
            run.close()


@dataclass
class Training:
    """One training run under way.

    Attributes:
        assembly: Data, objective, trainer and probes.
        schedule: When to observe, when to end.
        deadline: The soft limit of wall time.
        course: Where observations and costs go.
        seed: The trial's seed.
        watch: The training clock.
        account: Its equilibrium solves.
        step: Updates done.
        observed_step: Updates done at the last observation.
        evaluation_seconds: Wall time of the observations.
        warmup_seconds: Wall time of the warm-up.
        solved: Equilibria of the last observation.
        steps: The trainer's steps, under way.
    """

    assembly: Assembly
    schedule: Schedule
    deadline: Deadline
    course: Course
    seed: int
    watch: Stopwatch
    account: Account
    step: int = 0
    observed_step: int = -1
    evaluation_seconds: float = 0.0
    warmup_seconds: float = 0.0
    solved: Ledger = field(default_factory=Ledger)
    steps: Iterator[Tensor] = field(default_factory=lambda: iter(()))

    def to_the_end(self) -> Ending:
        """Observe, warm up, train until the budget is spent, observe; say how it ended."""
        sight = self._observe()
        self._warm_up()
        seed_everything(stream_seed(self.seed, "train"))
        self.steps = self.assembly.trainer.steps(self.assembly.objective)
        try:
            return self._train(sight)
        except NonFiniteError:
            if self.observed_step != self.step:
                with suppress(Exception):  # best effort: the curves show where it broke
                    self._observe()
            raise

    def close(self) -> None:
        """End the trainer's steps, wherever they are."""
        close(self.steps)

    def costs(self) -> dict[str, Any]:
        """Return what the run took so far."""
        objective = self.assembly.objective
        return {
            "train_seconds": self.watch.seconds,
            "cpu_seconds": self.watch.cpu_seconds,
            "evaluation_seconds": self.evaluation_seconds,
            "warmup_seconds": self.warmup_seconds,
            "steps": self.step,
            "epochs": objective.epochs,
            "values": objective.counts.values,
            "gradients": objective.counts.gradients,
            "hessian_products": objective.counts.hessian_products,
            "data_passes": objective.data_passes,
            "parameters": sum(p.numel() for p in objective.module.parameters()),
            **self.account.to_costs(),
        }

    def _train(self, start: Sight) -> Ending:
        objective, budget = self.assembly.objective, self.schedule.budget
        sight: Sight | None = start
        self.watch.start()
        while budget.spent(self.step, objective.epochs) < 1.0:
            loss = next(self.steps, None)
            if loss is None:  # the trainer's own criterion is met
                break
            self.step += 1
            self._check(loss)
            due = self.schedule.due(self.step, objective.epochs)
            sight = self._observe() if due else None
            if self.deadline.passed:
                return self._late(sight)
        return _verdict(sight or self._observe())

    def _late(self, sight: Sight | None) -> Ending:
        if sight is None:
            self._observe()
        spent = self.schedule.budget.spent(self.step, self.assembly.objective.epochs)
        return Ending(Status.TIMEOUT, f"Passed its limit of wall time with {spent:.0%} of the budget spent.")

    def _check(self, loss: Tensor) -> None:
        on_gpu = getattr(loss, "is_cuda", False)
        if (not on_gpu or self.step % _GPU_CHECK_EVERY == 0) and not math.isfinite(float(loss)):
            raise NonFiniteError(f"The loss is {float(loss)} after step {self.step}.")

    def _observe(self) -> Sight:
        with self.watch.paused():
            begun = perf_counter()
            sight = observe(self.assembly, self.step, self.account.close_window(), self.seed)
            epochs = self.assembly.objective.epochs
            self.course.observe(self.step, epochs, self.watch.seconds, sight.values)
            self.observed_step, self.solved = self.step, sight.ledger
            self.evaluation_seconds += perf_counter() - begun
        if not sight.finite:
            raise NonFiniteError(f"A prediction or the loss is not finite after step {self.step}.")
        return sight

    def _warm_up(self) -> None:
        # The first step costs what later ones do not: lazy imports, allocator growth, kernel selection.
        begun = perf_counter()
        with preserved_generators(), recording(Ledger()):
            steps = self.assembly.trainer.steps(self.assembly.objective.clone())
            next(steps, None)
            close(steps)
        self.warmup_seconds = perf_counter() - begun


def _verdict(sight: Sight) -> Ending:
    solved = sight.ledger.forward
    if solved.unconverged_samples <= UNCONVERGED_SHARE * solved.samples:
        return Ending()
    if solved.non_finite_samples > UNCONVERGED_SHARE * solved.samples:
        # The core kept each sample's best finite iterate, so that the loss hides what the solver did.
        return Ending(
            Status.DIVERGED,
            f"{solved.non_finite_samples} of {solved.samples} equilibria of the last observation met inf "
            "or nan.",
        )
    return Ending(
        Status.NOT_CONVERGED,
        f"{solved.unconverged_samples} of {solved.samples} equilibria of the last observation missed their "
        f"tolerance; the worst residual is {solved.worst_residual:.2g}.",
    )

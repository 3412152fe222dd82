"""The experiment ``gradient``: one solver and one gradient on one map, against the exact gradient.

The exact one is taken in float64 of the same rounded weights and inputs (exact.py). Forward and backward are
timed apart, each round on a fresh module call. Saved memory is counted by storages, not by resident pages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

import torch

from deqbench.equilibria.binding import Ledger, Stop, bound
from deqbench.errors import NonFiniteError
from deqbench.experiments.arithmetic import Arithmetic
from deqbench.experiments.assembly import component
from deqbench.experiments.counting import asked_for, latest, operations_costs, tally_of
from deqbench.experiments.course import Course, Ending
from deqbench.experiments.exact import Exact
from deqbench.experiments.ground import Glance, Ground
from deqbench.experiments.repeating import Repeats
from deqbench.experiments.saved import SavedTensors
from deqbench.measuring.clock import Stopwatch
from deqbench.measuring.compiling import compile_seconds
from deqbench.measuring.machine import device_name
from deqbench.measuring.memory import PeakMemory
from deqbench.measuring.seeding import seed_everything, stream_seed
from deqbench.records import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from deqbench.discovery.registry import Registry
    from deqbench.equilibria.problems import AnySolver
    from deqbench.interfaces import Gradient
    from deqbench.trials import Trial


def measure(trial: Trial, registry: Registry, course: Course) -> Ending:
    """Differentiate as the trial says, noting errors and costs in the course.

    Args:
        trial: What to run: a map, a solver, a gradient, a stop.
        registry: Where components are found.
        course: Receives errors, costs and host facts, also of a trial that fails.

    Raises:
        InapplicableError: The solver or the gradient cannot serve this map.
        NonFiniteError: The gradient holds inf or nan.
    """
    repeats = Repeats.of(trial)
    arithmetic = Arithmetic.of(trial.settings)
    course.host["device"] = device_name(arithmetic.device)
    with arithmetic.in_force():
        ground = Ground.draw(component(trial, registry, "map"), trial.seed, arithmetic)
        bench = _Bench(
            ground,
            component(trial, registry, "solver"),
            component(trial, registry, "gradient"),
            Stop(**trial.settings["stop"]),
            str(arithmetic.device),
        )
        seed_everything(stream_seed(trial.seed, "solve"))
        compiled = compile_seconds()
        with PeakMemory(arithmetic.device) as memory:
            try:
                found, saved_bytes = bench.warm_up()
                course.costs["saved_bytes"] = saved_bytes
                for _ in repeats:
                    bench.timed()
            finally:
                course.costs.update(bench.costs())
                course.costs["peak_bytes"] = memory.peak_bytes
                course.host["peak_bytes_by"] = memory.method
                course.costs["compile_seconds"] = compile_seconds() - compiled
        exact = exact_gradient(ground)
        reached = bench.ledger.forward
        residual = {"residual": reached.worst_residual}
        calls, seconds = reached.map_calls, float(course.costs["forward_seconds"] or 0)
        course.observe(calls, float(calls), seconds, {**compared(found, exact), **residual})
        if asked_for(trial):
            course.costs.update(bench.counted_operations(latest(trial, repeats)))
    return ending(bench.ledger, found)


@dataclass(frozen=True)
class Derivatives:
    """A gradient of the loss.

    Attributes:
        parameters: By all parameters, stacked, (P,).
        inputs: By the inputs, flat.
    """

    parameters: Tensor
    inputs: Tensor


@dataclass
class _Bench:
    """One solver and gradient at work on one map.

    Attributes:
        ground: The map.
        solver: The forward solver.
        gradient: What is measured.
        stop: When the forward solve stops.
        device: Where.
        ledger: Solves of the last round.
        seconds: Forward and backward wall seconds of each timed round.
    """

    ground: Ground
    solver: AnySolver
    gradient: Gradient
    stop: Stop
    device: str
    ledger: Ledger = field(default_factory=Ledger)
    seconds: list[tuple[float, float]] = field(default_factory=list)

    def warm_up(self) -> tuple[Derivatives, int]:
        """Return the gradient, and the bytes that its forward pass saved for its backward pass."""
        self.ledger, x = Ledger(), self.ground.x.clone().requires_grad_()
        own = [x, *self.ground.module.parameters(), *self.ground.module.buffers()]
        with self._bound():
            with SavedTensors(own) as saved:
                loss = self._loss(x)
                saved_bytes = saved.alive_bytes
            return derivatives(loss, self.ground.module, x), saved_bytes

    def timed(self) -> None:
        """Time one forward and one backward pass."""
        self.ledger, x = Ledger(), self.ground.x.clone().requires_grad_()
        with self._bound():
            forward = Stopwatch(self.device).start()
            loss = self._loss(x)
            forward.stop()
            backward = Stopwatch(self.device).start()
            derivatives(loss, self.ground.module, x)
            backward.stop()
        self.seconds.append((forward.seconds, backward.seconds))

    def counted_operations(self, until: float) -> dict[str, float | int | None]:
        """Return the operations of one more forward and of its backward pass; the last round's stay noted."""
        noted, x = self.ledger, self.ground.x.clone().requires_grad_()
        self.ledger = Ledger()
        losses: list[Tensor] = []
        with self._bound():
            forward = tally_of(lambda: losses.append(self._loss(x)), until)
            backward = tally_of(lambda: derivatives(losses[0], self.ground.module, x), until)
        self.ledger = noted
        return operations_costs(forward_operations=forward, backward_operations=backward)

    def costs(self) -> dict[str, Any]:
        """Return what the last round counted, and what the rounds took."""
        timed: dict[str, Any] = {"repeats": len(self.seconds)}
        if self.seconds:
            timed["forward_seconds"] = median(forward for forward, _ in self.seconds)
            timed["backward_seconds"] = median(backward for _, backward in self.seconds)
        return {**self.ledger.to_costs(), **timed}

    def _bound(self) -> Any:
        return bound(solver=self.solver, gradient=self.gradient, stop=self.stop, ledger=self.ledger)

    def _loss(self, x: Tensor) -> Tensor:
        output: Tensor = self.ground.module(x)
        return self.ground.loss(output.to("cpu", torch.float64))


def derivatives(loss: Tensor, module: nn.Module, x: Tensor) -> Derivatives:
    """Return the gradient of a loss by a module's parameters and its inputs; unused ones get zero."""
    parameters = [one for one in module.parameters() if one.requires_grad]
    found = torch.autograd.grad(loss, [x, *parameters], allow_unused=True)
    filled: Sequence[Tensor] = [
        torch.zeros_like(one) if gradient is None else gradient
        for one, gradient in zip([x, *parameters], found, strict=True)
    ]
    return Derivatives(torch.cat([one.reshape(-1) for one in filled[1:]]), filled[0].reshape(-1))


def exact_gradient(ground: Ground) -> Derivatives:
    """Return the exact gradient of a drawn problem, in float64.

    Raises:
        ConfigurationError: The problem is too large for dense Jacobians.
        NonFiniteError: The equilibrium was not found.
    """
    x = ground.exact_x.clone().requires_grad_()
    with bound(solver=Glance(), gradient=Exact(), ledger=Ledger()):
        loss = ground.loss(ground.exact_module(x).to("cpu", torch.float64))
    return derivatives(loss, ground.exact_module, x)


def compared(found: Derivatives, exact: Derivatives) -> dict[str, float]:
    """Return relative error in the 2-norm and cosine, by parameters and by inputs."""
    values = {}
    for name in ("parameters", "inputs"):
        one, other = getattr(found, name).double(), getattr(exact, name)
        values[f"error_{name}"] = float((one - other).norm() / other.norm())
        values[f"cosine_{name}"] = float(one @ other / (one.norm() * other.norm()))
    return values


def ending(ledger: Ledger, found: Derivatives) -> Ending:
    """Return how a trial ended: ok if every sample met the tolerance, forward and backward.

    Raises:
        NonFiniteError: The gradient holds inf or nan.
    """
    if not bool(torch.isfinite(found.parameters).all() and torch.isfinite(found.inputs).all()):
        raise NonFiniteError("The gradient holds inf or nan.")
    parts = {"equilibria": ledger.forward, "adjoint equations": ledger.backward}
    missed = [
        f"{totals.unconverged_samples} of {totals.samples} {name} missed their tolerance (worst residual "
        f"{totals.worst_residual:.2g})"
        for name, totals in parts.items()
        if totals.unconverged_samples
    ]
    if not missed:
        return Ending()
    failed = any(totals.non_finite_samples for totals in parts.values())
    return Ending(Status.DIVERGED if failed else Status.NOT_CONVERGED, "; ".join(missed) + ".")

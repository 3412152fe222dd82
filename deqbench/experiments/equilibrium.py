"""The experiment ``equilibrium``: one solver on one map, residuals against calls, products and seconds.

Order of events: the map is drawn and captured, one solve to warm up, one with a trace for the curves, then
timed ones in turn with the floor, the same number of bare calls of the same map. Each solve gets a fresh
map, so that no factorisation is paid in one and used in another. A last solve, off the clock, counts
operations. A solver that misses is a finding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch

from deqbench.equilibria.solving import Solution, SolveStatus, Stop, drive
from deqbench.experiments.arithmetic import Arithmetic
from deqbench.experiments.assembly import component
from deqbench.experiments.convergence import convergence, reached
from deqbench.experiments.counting import asked_for, latest, operations_costs, tally_of
from deqbench.experiments.course import Course, Ending
from deqbench.experiments.ground import Ground
from deqbench.experiments.repeating import Repeats
from deqbench.measuring.clock import Stopwatch
from deqbench.measuring.compiling import compile_seconds
from deqbench.measuring.machine import device_name
from deqbench.measuring.memory import PeakMemory
from deqbench.measuring.seeding import seed_everything, stream_seed
from deqbench.records import Status

if TYPE_CHECKING:
    from deqbench.discovery.registry import Registry
    from deqbench.equilibria.maps import Counter
    from deqbench.equilibria.problems import AnySolver
    from deqbench.trials import Trial


def measure(trial: Trial, registry: Registry, course: Course) -> Ending:
    """Solve as the trial says, noting curves and costs in the course.

    Args:
        trial: What to run: a map, a solver, a stop.
        registry: Where components are found.
        course: Receives residuals, costs and host facts, also of a trial that fails.

    Raises:
        InapplicableError: The solver cannot serve this map.
    """
    repeats = Repeats.of(trial)
    arithmetic = Arithmetic.of(trial.settings)
    course.host["device"] = device_name(arithmetic.device)
    solver, stop = component(trial, registry, "solver"), Stop(**trial.settings["stop"])
    with arithmetic.in_force():
        ground = Ground.draw(component(trial, registry, "map"), trial.seed, arithmetic)
        ground.module.requires_grad_(requires_grad=False)
        seed_everything(stream_seed(trial.seed, "solve"))
        tolerance = float(trial.settings["stop"]["tolerance"])
        bench = _Bench(ground, solver, stop, tolerance, str(arithmetic.device))
        compiled = compile_seconds()
        with PeakMemory(arithmetic.device) as memory:
            try:
                solution, counter = bench.traced(course)
                bench.timed(repeats, counter.calls)
            finally:
                course.costs.update(bench.costs())
                course.costs["peak_bytes"] = memory.peak_bytes
                course.host["peak_bytes_by"] = memory.method
                course.costs["compile_seconds"] = compile_seconds() - compiled
        if asked_for(trial):
            course.costs.update(bench.counted_operations(latest(trial, repeats)))
    return ending(solution, stop)


@dataclass
class _Bench:
    """One solver at work on one map.

    Attributes:
        ground: The map.
        solver: The solver.
        stop: When it stops.
        tolerance: The residual that counts as solved.
        device: Where.
        counted: Costs that are counts.
        solves: Wall and CPU seconds of each timed solve.
        floors: Wall and CPU seconds of as many bare calls, beside it.
    """

    ground: Ground
    solver: AnySolver
    stop: Stop
    tolerance: float
    device: str
    counted: dict[str, float | int] = field(default_factory=dict)
    solves: list[tuple[float, float]] = field(default_factory=list)
    floors: list[tuple[float, float]] = field(default_factory=list)
    calls: int = 0

    def traced(self, course: Course) -> tuple[Solution, Counter]:
        """Warm up, solve once with a trace, and note what was reached and counted."""
        begun = perf_counter()
        f, z0 = self.ground.capture()
        drive(self.solver, f, z0, self.stop)
        self.counted["warmup_seconds"] = perf_counter() - begun
        f, z0 = self.ground.capture()
        solution = drive(self.solver, f, z0, self.stop, trace=True)
        batch = z0.shape[0]
        for point, values in convergence(solution.trace, batch, self.tolerance):
            course.observe(point.calls, point.equivalents, point.seconds, values)
        last = solution.trace[-1]
        course.observe(last.calls, last.equivalents, last.seconds, self._final(solution))
        self.counted.update(_counts(f.counter, batch))
        self.counted["samples"] = batch
        self.counted["unconverged_samples"] = int((~solution.converged).sum())
        return solution, f.counter

    def timed(self, repeats: Repeats, calls: int) -> None:
        """Time solves and floors in turn, so that whatever drifts hits both alike."""
        self.calls = calls
        for _ in repeats:
            f, z0 = self.ground.capture()
            watch = Stopwatch(self.device).start()
            drive(self.solver, f, z0, self.stop)
            watch.stop()
            self.solves.append((watch.seconds, watch.cpu_seconds))
            bare_call = self.ground.floor(*self.ground.capture())
            watch = Stopwatch(self.device).start()
            with torch.no_grad():
                for _ in range(calls):
                    bare_call()
            watch.stop()
            self.floors.append((watch.seconds, watch.cpu_seconds))

    def counted_operations(self, until: float) -> dict[str, float | int | None]:
        """Return the operations of one more solve, and of one call of the map on one sample."""
        f, z0 = self.ground.capture()
        solve = tally_of(lambda: drive(self.solver, f, z0, self.stop), until)
        g, z0 = self.ground.capture()
        with torch.no_grad():
            call = tally_of(lambda: g(z0), until)
        costs = operations_costs(operations=solve)
        return {**costs, "map_operations": None if call is None else call.operations / z0.shape[0]}

    def costs(self) -> dict[str, Any]:
        """Return what was counted and timed so far."""
        if not self.floors:
            return dict(self.counted)
        kind = 0 if self.device.startswith("cuda") else 1  # CPU time is deaf to neighbours, but not a GPU's
        pairs = zip(self.solves, self.floors, strict=False)
        return {
            **self.counted,
            "solve_seconds": median(wall for wall, _ in self.solves),
            "solve_cpu_seconds": median(cpu for _, cpu in self.solves),
            "map_seconds": median(wall for wall, _ in self.floors) / self.calls,
            "map_cpu_seconds": median(cpu for _, cpu in self.floors) / self.calls,
            "overhead": median(solve[kind] / max(floor[kind], 1e-9) for solve, floor in pairs),
            "repeats": len(self.solves),
        }

    def _final(self, solution: Solution) -> dict[str, float]:
        """Return what the solve reached, and whether it is true."""
        reported = float(solution.residual.max())
        true = float(self.ground.true_residual(solution.z, self.stop).max())
        ratio = 1.0 if reported == true else reported / max(true, 1e-300)
        found = reached(solution.residual.cpu().double(), self.tolerance)
        return {**found, "true_residual": true, "reported_over_true": ratio}


def _counts(counter: Counter, batch: int) -> dict[str, float | int]:
    return {
        "map_calls": counter.calls,
        "vjps": counter.vjps,
        "jvps": counter.jvps,
        "resolvents": counter.resolvents,
        "map_equivalents": counter.equivalents(batch),
    }


def ending(solution: Solution, stop: Stop) -> Ending:
    """Return how a solve ended: ok if every sample met the tolerance."""
    missed = ~solution.converged
    count = int(missed.sum())
    if count == 0:
        return Ending()
    ways = {status.name.lower(): int((solution.status == status).sum()) for status in SolveStatus}
    told = ", ".join(f"{many} {way}" for way, many in ways.items() if many and way != "converged")
    failed = ways["diverged"] + ways["non_finite"]
    return Ending(
        Status.DIVERGED if failed else Status.NOT_CONVERGED,
        f"{count} of {missed.numel()} samples missed {stop.tolerance:g} ({stop.norm}) within "
        f"{stop.max_calls} calls: {told}; the worst residual is {float(solution.residual.max()):.2g}.",
    )

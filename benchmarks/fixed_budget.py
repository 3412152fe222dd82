"""A fixed budget of steps, compiled whole: time of a step, graph breaks, and what a large limit costs.

Run ``python benchmarks/fixed_budget.py [--rounds N] [--steps K]``. It exits 1 if a bar is missed.

At (1, 64) K steps from z0 are one graph: Picard, Anderson and Broyden through ``iterate``, compiled by
inductor, against the same steps uncompiled, torchdeq's loops held to as many steps, and, where JAX is
installed (it is no dependency of ours), a jitted ``fori_loop`` of the same map in the same process. Bars: at
most 3 microseconds a Picard step, or 5 times JAX's.

A limit of 2000 calls instead of 20 must cost nothing where 20 suffice: CPU time in pairs, and the peak of
the bytes that torch's tensors hold, counted exactly.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from families import Case
from paired import Bar, Racer, at_most, race, ratio, settle, timed, verdict
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torchdeq.solver import get_solver

from deqbench.equilibria.binding import Stop, equilibrium
from deqbench.equilibria.fixed_budget import Compiled, iterate
from deqbench.equilibria.ledger import Ledger
from deqbench.equilibria.lowering import inductor
from deqbench.equilibria.maps import Map
from deqbench.equilibria.solving import drive
from deqbench.interfaces import Solver
from deqbench_plugins.solvers.anderson import Anderson
from deqbench_plugins.solvers.broyden import Broyden
from deqbench_plugins.solvers.picard import Picard

SOLVERS: dict[str, Solver] = {"picard": Picard(), "anderson": Anderson(), "broyden": Broyden()}
THEIRS = {"picard": "fixed_point_iter", "anderson": "anderson", "broyden": "broyden"}
HARD = {"anderson", "broyden"}
SHORT = 10
"""Steps of Anderson and Broyden in one graph: they take far fewer than Picard, and longer to compile."""


def jitted(case: Case, steps: int) -> Racer | None:
    """Return JAX's loop of the same map, or None where JAX is not installed."""
    if importlib.util.find_spec("jax") is None:
        return None
    import jax  # noqa: PLC0415 -- optional
    import jax.numpy as jnp  # noqa: PLC0415 -- optional

    weights, x = (jnp.asarray(part.numpy()) for part in case.draw())

    def body(_: int, z: Any) -> Any:
        return jnp.tanh(z @ weights.T + x)

    loop, z0 = jax.jit(lambda z: jax.lax.fori_loop(0, steps, body, z)), jnp.zeros_like(x)
    return timed(lambda: loop(z0).block_until_ready())


def compiled_steps(case: Case, name: str, steps: int) -> tuple[dict[str, Racer], int]:
    """Return the ways of taking K steps of a solver, and the breaks in the graph of ours."""
    weights, x = case.draw()
    f, z0, solver = case.function(weights), torch.zeros_like(x), SOLVERS[name]
    closure = case.close(weights, x)

    def loop(z0: Tensor, x: Tensor) -> Tensor:
        return iterate(solver, f, z0, x, steps=steps).fz

    def torchdeq() -> object:
        return get_solver(THEIRS[name])(closure, z0, max_iter=steps, tol=0.0, stop_mode="abs")

    torch._dynamo.reset()
    breaks = torch._dynamo.explain(loop)(z0, x).graph_break_count
    whole = torch.compile(loop, fullgraph=True, backend=inductor)
    engine, stop = Compiled(solver, steps), Stop(max_calls=steps + 1, check_every=None)
    ways: dict[str, Callable[[], object]] = {
        "compiled": lambda: whole(z0, x),
        "compiled, judged": lambda: equilibrium(f, z0, x, solver=engine, stop=stop, ledger=Ledger()),
        "uncompiled": lambda: loop(z0, x),
        "torchdeq": torchdeq,
    }
    return {way: timed(work) for way, work in ways.items()}, breaks


def step_times(steps: int, rounds: int) -> list[Bar]:
    """Print microseconds a step by solver and way, and return the bars."""
    case, bars = Case("tanh", 0.9, 1, 64), []
    print(f"\n{case}: microseconds a step, median [quartiles]")
    for name in SOLVERS:
        taken = SHORT if name in HARD else steps
        racers, breaks = compiled_steps(case, name, taken)
        jax = jitted(case, taken) if name == "picard" else None
        seconds = race({**racers, "jitted JAX": jax} if jax else racers, rounds)
        show(f"{name}, {taken} steps", seconds, taken)
        bars.append(at_most(f"{name}: graph breaks", breaks, 0))
        if name == "picard":
            bars.append(picard_bar(seconds, taken))
    return bars


def show(title: str, seconds: Mapping[str, Sequence[float]], steps: int) -> None:
    print(f"  {title}")
    for way, took in seconds.items():
        low, middle, high = (value / steps * 1e6 for value in statistics.quantiles(took, n=4))
        print(f"    {way:18}{middle:8.2f} [{low:.2f}, {high:.2f}]")


def picard_bar(seconds: Mapping[str, Sequence[float]], steps: int) -> Bar:
    """Return the bar of a compiled Picard step: 3 microseconds, or 5 times JAX's."""
    step, theirs = (statistics.median(seconds[way]) / steps * 1e6 for way in ("compiled", "torchdeq"))
    found, holds = f"{step:.2f} us", step <= 3
    if "jitted JAX" in seconds:
        times = ratio(seconds["compiled"], seconds["jitted JAX"]).middle
        found, holds = f"{found}, {times:.2f} JAX", holds or times <= 5
    return Bar("picard: a compiled step at (1,64)", found, "3 us or 5", holds, f"{theirs:.0f} us")


class Held(TorchDispatchMode):
    """While active, counts the bytes of the storages that torch's operators make, while they live."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.known: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self.known.update(part.untyped_storage()._cdata for part in args if isinstance(part, Tensor))
        result = func(*args, **(kwargs or {}))
        for part in result if isinstance(result, list | tuple) else (result,):
            if isinstance(part, Tensor):
                self._note(part.untyped_storage())
        return result

    def _note(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self.known:
            return
        self.known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.now -= size


def cost_of_limit(solve: Callable[[int], object], rounds: int) -> tuple[float, float]:
    """Return time and peak bytes of a solve with a limit of 2000 over those with 20."""
    peaks = []
    for limit in (20, 2000):
        with Held() as held:
            solve(limit)
        peaks.append(held.peak)
    racers = {n: timed(lambda n=n: solve(int(n)), least_seconds=0.05) for n in ("20", "2000")}
    seconds = race(racers, rounds)
    return ratio(seconds["2000"], seconds["20"]).middle, peaks[1] / peaks[0]


def limits(rounds: int) -> list[Bar]:
    """Return the bars of what a limit of 2000 calls costs over one of 20, where 20 suffice."""
    case, bars = Case("lin", 0.5, 64, 256), []
    (f, z0), (closure, _) = case.map(), case.closure()
    for name, solver in SOLVERS.items():

        def ours(limit: int, solver: Solver = solver) -> object:
            return drive(solver, Map(f.function, f.inputs), z0, Stop(1e-3, limit))

        def theirs(limit: int, name: str = name) -> object:
            return get_solver(THEIRS[name])(closure, z0, max_iter=limit, tol=1e-3, stop_mode="rel")

        seconds, peak = cost_of_limit(ours, rounds)
        their_seconds, their_peak = cost_of_limit(theirs, 3)
        bars.append(at_most(f"{name}: time, limit 2000 / 20", seconds, 1.03, theirs=f"{their_seconds:.3g}"))
        bars.append(at_most(f"{name}: peak bytes, limit 2000 / 20", peak, 1.01, theirs=f"{their_peak:.3g}"))
    return bars


def main() -> int:
    parser = argparse.ArgumentParser(description="A fixed budget of steps, compiled whole.")
    parser.add_argument("--rounds", type=int, default=9, help="timed rounds (default 9)")
    parser.add_argument("--steps", type=int, default=50, help="Picard steps in one graph (default 50)")
    options = parser.parse_args()
    print(settle())
    with torch.no_grad():
        return verdict([*step_times(options.steps, options.rounds), *limits(2 * options.rounds)])


if __name__ == "__main__":
    sys.exit(main())

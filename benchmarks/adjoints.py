"""Gradients through equilibria: their errors with every default, and their time, beside torchdeq.

Run ``python benchmarks/adjoints.py [--rounds N] [--small]``. It exits 1 if a bar is missed.

The loss is mean z*^2; the truth is float64, by Newton and dense solves. CPU time of one thread, competitors
in turn in one process, ratios round by round. Backpropagation through time (bptt) makes as many calls of
the map as our forward solve and is what the times are divided by; torchdeq is given a limit of two calls
more than that, which suits it best.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from functools import partial

import torch
from families import DIFFICULTIES, SIZES, Case
from paired import Bar, at_most, race, ratio, settle, timed, verdict
from torch import Tensor
from torchdeq import get_deq
from true_gradients import Gradients, Truth, loss_gradients, true_gradients

from deqbench import equilibrium
from deqbench.equilibria.ledger import Ledger
from deqbench.equilibria.solving import Stop

ALLOWED = {torch.float32: 1e-3, torch.float64: 1e-8}
TIMES = {"implicit": (2.0, 1.05, 0.95, 1.05), "one-step": (1.0, 0.65, 0.5, 0.6)}
RELATIVE = {"f_stop_mode": "rel", "b_stop_mode": "rel", "f_tol": 1e-6, "b_tol": 1e-6}


def by_default(case: Case, ledger: Ledger, weights: Tensor, x: Tensor) -> Tensor:
    """Return z* by the default call; the ledger only says what happened."""
    return equilibrium(case.function(weights), torch.zeros_like(x), x, ledger=ledger)


def ours(case: Case, names: tuple[str, str], ledger: Ledger, weights: Tensor, x: Tensor) -> Tensor:
    """Return z* by (solver, gradient) to a relative 1e-6, looked at as by default, with statistics."""
    f, z0 = case.function(weights), torch.zeros_like(x)
    solver, gradient = names
    return equilibrium(f, z0, x, solver=solver, gradient=gradient, stop=Stop(1e-6, 4000), ledger=ledger)


def bptt(case: Case, calls: int, weights: Tensor, x: Tensor) -> Tensor:
    """Return what so many bare calls make of zero, with their graph."""
    f, z = case.close(weights, x), torch.zeros_like(x)
    for _ in range(calls):
        z = f(z)
    return z


def theirs(case: Case, options: dict[str, object], weights: Tensor, x: Tensor) -> Tensor:
    """Return torchdeq's z*."""
    found: Tensor = get_deq(**options)(case.close(weights, x), torch.zeros_like(x))[0][-1]
    return found


def accuracy(sizes: tuple[tuple[int, int], ...]) -> list[Bar]:
    """Print the errors of the default call, and torchdeq's, and return their bars."""
    print("\nErrors of dL/dA | dL/dx with every default; calls and products taken; torchdeq's default ift")
    bars = []
    for family, level in DIFFICULTIES:
        for size in sizes:
            truth = true_gradients(Case(family, level, *size))
            cases = [Case(family, level, *size, dtype=dtype) for dtype in ALLOWED]
            bars += [_accuracy_of(case, truth) for case in cases]
    return bars


def _accuracy_of(case: Case, truth: Truth) -> Bar:
    """Return the bar of one case."""
    ledger = Ledger()
    found = loss_gradients(case, partial(by_default, case, ledger))().errors(truth.gradients)
    peer = loss_gradients(case, partial(theirs, case, {"ift": True}))().errors(truth.gradients)
    missed = ledger.forward.unconverged_samples + ledger.backward.unconverged_samples
    counts = f"{ledger.forward.map_calls} + {ledger.backward.vjps}"
    note = f"  {missed} samples unconverged" if missed else ""
    print(
        f"{case!s:28}{found[0]:.1e} | {found[1]:.1e}  {counts:>10}  {peer[0]:.1e} | {peer[1]:.1e}{note}",
        flush=True,
    )
    return at_most(f"default gradient, {case}", max(found), ALLOWED[case.dtype], theirs=f"{max(peer):.2g}")


def invariance() -> list[Bar]:
    """Return the bars of a loss that is multiplied: the gradient changes by rounding only, of two runs."""
    bars = []
    for family, level in DIFFICULTIES:
        case = Case(family, level, 64, 256)
        plain = loss_gradients(case, partial(by_default, case, Ledger()))()
        plain = Gradients(*(part.double() for part in plain))
        allowed = max(1e-5, float(f"{2 * true_gradients(case).rounding(case):.1e}"))
        for factor in (1e6, 1e-6):
            scaled = loss_gradients(case, partial(by_default, case, Ledger()), factor=factor)()
            changed = max(scaled.errors(plain))
            bars.append(at_most(f"loss x {factor:g}, {case}: change", changed, allowed))
    return bars


def times(rounds: int) -> list[Bar]:
    """Print and return what implicit and one-step cost beside bptt, on tanh .9 by Picard."""
    print("\nForward + backward over bptt at the same calls, tanh .9, Picard both ways, relative 1e-6")
    print(f"{'size':12}{'calls':>6}{'bptt ms':>9}  implicit, one-step, torchdeq ift, torchdeq jfb")
    bars = []
    for place, size in enumerate(SIZES):
        case, ledger = Case("tanh", 0.9, *size), Ledger()
        loss_gradients(case, partial(ours, case, ("picard", "implicit"), ledger))()
        calls = ledger.forward.map_calls - 1
        limits = {**RELATIVE, "f_max_iter": calls + 2, "b_max_iter": calls + 2}
        runs: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
            "bptt": partial(bptt, case, calls),
            **{name: partial(ours, case, ("picard", name), Ledger()) for name in TIMES},
            "torchdeq ift": partial(theirs, case, {**limits, "ift": True}),
            "torchdeq jfb": partial(theirs, case, {**limits, "grad": 1}),
        }
        seconds = race({name: timed(loss_gradients(case, run)) for name, run in runs.items()}, rounds)
        spreads = {name: ratio(took, seconds["bptt"]) for name, took in seconds.items() if name != "bptt"}
        shown = ", ".join(str(spread) for spread in spreads.values())
        milliseconds = statistics.median(seconds["bptt"]) * 1e3
        print(f"{size!s:12}{calls:>6}{milliseconds:>9.2f}  {shown}", flush=True)
        peers = {"implicit": spreads["torchdeq ift"], "one-step": spreads["torchdeq jfb"]}
        bars += [
            at_most(f"{name} / bptt, {case}", spreads[name].middle, allowed[place], theirs=str(peers[name]))
            for name, allowed in TIMES.items()
        ]
    return bars


def hard(rounds: int) -> list[Bar]:
    """Print our implicit gradients over torchdeq's best, lin .99 (64, 256), relative 1e-6; return their bars.

    The map is affine, so ``direct`` is open to us, and nothing like it to torchdeq; Anderson mixing, which
    takes any map, is held to the same bar.

    The limit is 4,000 calls for all, but for torchdeq's Anderson, which fails at 1,000 as at 4,000, only
    later. Its Broyden holds two states for every call it may make, so a lower limit, which nobody knows
    beforehand, is raced too, and counts.
    """
    case = Case("lin", 0.99, 64, 256)
    peers = {"fixed_point_iter": 4000, "anderson": 1000, "broyden": 4000, "broyden, limit 200": 200}
    runs: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "ours, anderson": partial(ours, case, ("anderson", "implicit"), Ledger()),
        "ours, direct": partial(ours, case, ("direct", "implicit"), Ledger()),
    }
    for name, limit in peers.items():
        solver = name.partition(",")[0]
        settings = {"f_solver": solver, "b_solver": solver, "f_max_iter": limit, "b_max_iter": limit}
        runs[f"torchdeq, {name}"] = partial(theirs, case, {**RELATIVE, **settings, "ift": True})
    truth = true_gradients(case).gradients
    seconds = race({name: timed(loss_gradients(case, run)) for name, run in runs.items()}, rounds)
    print(f"\nForward + backward, {case}, relative 1e-6 both ways: ms, errors of dL/dA | dL/dx")
    for name, run in runs.items():
        errors = loss_gradients(case, run)().errors(truth)
        print(f"{name:28}{statistics.median(seconds[name]) * 1e3:9.2f}  {errors[0]:.1e} | {errors[1]:.1e}")
    rivals = [name for name in seconds if "torchdeq" in name]
    best = min(rivals, key=lambda name: statistics.median(seconds[name]))
    spreads = {name: ratio(seconds[name], seconds[best]) for name in runs if name not in rivals}
    print(f"over {best}: " + ", ".join(f"{name} {spread}" for name, spread in spreads.items()))
    return [
        at_most(f"{name} / torchdeq's best ({best[10:]}), {case}", spread.middle, 0.22, theirs="1")
        for name, spread in spreads.items()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="Gradients through equilibria against their bars.")
    parser.add_argument("--rounds", type=int, default=9, help="timed rounds (default 9)")
    parser.add_argument("--small", action="store_true", help="errors at the two small sizes only")
    options = parser.parse_args()
    print(settle())
    bars = [*times(options.rounds), *hard(options.rounds)]
    bars += [*accuracy(SIZES[:2] if options.small else SIZES), *invariance()]
    return verdict(bars)


if __name__ == "__main__":
    sys.exit(main())

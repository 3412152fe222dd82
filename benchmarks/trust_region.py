"""Trust-region Newton on digits against its bars and against scipy's trust-ncg.

Run ``python benchmarks/trust_region.py [--rounds N] [--scaling sixteenth|standardised]``.
It exits 1 if a bar is missed.

The problem: scikit-learn's 1,797 digits (no split), mean cross-entropy plus 1e-4 / 2 ||W||^2, bias
included, float64, one thread, from W = 0. Pixels divided by 16 give f* = 0.088658384823307.
Competitors are timed in turn in one process by CPU time, so that drift hits all alike; ratios are taken round
by round. "bare" is scipy.optimize.minimize called directly, without our trainer around it, on the same
losses, gradients and products.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import scipy
import scipy.optimize
import sklearn
import torch
from paired import Bar, Racer, at_most, race, ratio, settle, verdict
from sklearn.datasets import load_digits

from deqbench.interfaces import HessianProduct, Trainer
from deqbench.learning.losses import Loss, LossName
from deqbench.learning.objective import Objective
from deqbench.plugin import Split
from deqbench_plugins.models.linear import Linear
from deqbench_plugins.trainers.lbfgs import Lbfgs
from deqbench_plugins.trainers.scipy_reference import ScipyTrustNcg
from deqbench_plugins.trainers.sklearn_reference import NewtonCholesky
from deqbench_plugins.trainers.trust_region_newton import TrustRegionNewton

L2 = 1e-4
TARGET = 1e-8
OURS = "trust-region-newton"

TRAINERS: dict[str, Trainer] = {
    OURS: TrustRegionNewton(),
    "scipy-trust-ncg[radius=1]": ScipyTrustNcg(),
    "scipy-trust-ncg[radius=10]": ScipyTrustNcg(radius=10.0),
    "trust-region-newton[metric=hessian-diagonal]": TrustRegionNewton(metric="hessian-diagonal"),
    "trust-region-newton[metric=data-gram]": TrustRegionNewton(metric="data-gram"),
    "lbfgs": Lbfgs(),
}


def objective(split: Split, loss: LossName) -> Objective:
    """Return a fresh linear model at zero on the split."""
    module = Linear().build((split.x.shape[1],), 10).double()
    return Objective(module, Loss(loss, L2), split)


def digits(scaling: str) -> Split:
    """Return all of digits, pixels over 16 or standardised (constant pixels to 0)."""
    pixels, labels = load_digits(return_X_y=True)
    x = torch.from_numpy(pixels)
    if scaling == "sixteenth":
        x = x / 16
    else:
        spread = x.std(0, correction=0)
        x = (x - x.mean(0)) / torch.where(spread > 0, spread, torch.ones_like(spread))
    return Split(x, torch.from_numpy(labels))


def optimum(split: Split) -> tuple[float, float]:
    """Return newton-cholesky's loss and gradient norm."""
    problem = objective(split, "cross-entropy")
    (loss,) = NewtonCholesky().steps(problem)
    return float(loss), float(torch.linalg.vector_norm(problem.value_and_gradient()[1]))


def convergence(split: Split, best: float) -> list[Bar]:
    """Print our run step by step and return its bars."""
    problem = objective(split, "cross-entropy")
    outer = list(TrustRegionNewton(forcing="sqrt").trace(problem))
    norms = [step.gradient_norm for step in outer]
    orders = [math.log(after) / math.log(before) for before, after in pairwise(norms)]
    print("gradient norms ", " ".join(f"{norm:.1e}" for norm in norms))
    print("orders         ", " ".join(f"{order:.2f}" for order in orders))
    gap, products = float(outer[-1].loss) - best, problem.counts.hessian_products
    rejected = sum(not step.accepted for step in outer)
    return [
        Bar("outer steps (rejected)", f"{len(outer)} ({rejected})", "<= 15", len(outer) <= 15),
        Bar("Hessian-vector products", str(products), "<= 300", products <= 300),
        Bar("gradient norm", f"{norms[-1]:.1e}", "<= 1e-10", norms[-1] <= 1e-10),
        Bar("last three orders, least", f"{min(orders[-3:]):.2f}", ">= 1.3", min(orders[-3:]) >= 1.3),
        Bar("loss - newton-cholesky's", f"{gap:.1e}", "<= 1e-10", abs(gap) <= 1e-10),
    ]


def square(split: Split) -> Bar:
    """Return the bar of the square loss with the exact subproblem and radius 100."""
    problem = objective(split, "square")
    outer = list(TrustRegionNewton(subproblem="exact", radius=100.0).trace(problem))
    found = f"{len(outer)} (gradient norm {outer[-1].gradient_norm:.0e})"
    return Bar("square loss, exact, radius 100: outer steps", found, "<= 3", len(outer) <= 3)


def by_trainer(trainer: Trainer, problem: Objective, goal: float, limit: int = 5000) -> float:
    """Return the CPU seconds until a trainer's loss is at most the goal; nan if it never is."""
    started = time.process_time()
    for count, loss in enumerate(trainer.steps(problem)):
        if float(loss) <= goal:
            return time.process_time() - started
        if count >= limit:
            break
    return math.nan


def by_bare_scipy(radius: float, problem: Objective, goal: float) -> float:
    """Return the CPU seconds until scipy's trust-ncg, called directly, has a loss of at most the goal."""
    started, reached = time.process_time(), [math.nan]
    here: list[HessianProduct] = []

    def both(x: np.ndarray) -> tuple[float, np.ndarray]:
        problem.set_vector(torch.from_numpy(x))
        loss, gradient = problem.value_and_gradient()
        here.clear()
        return loss.item(), gradient.numpy()

    def product(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        if not here:
            problem.set_vector(torch.from_numpy(x))
            here.append(problem.hessian_product())
        return here[0](torch.from_numpy(v)).numpy()

    def callback(intermediate_result: scipy.optimize.OptimizeResult) -> None:
        if intermediate_result.fun <= goal:
            reached[0] = time.process_time() - started
            raise StopIteration

    options = {"initial_trust_radius": radius, "gtol": 1e-10}
    start = problem.vector.numpy()
    minimize: Any = scipy.optimize.minimize  # its stubs want arrays of a declared shape
    minimize(both, start, method="trust-ncg", jac=True, hessp=product, callback=callback, options=options)
    return reached[0]


RACERS: dict[str, Callable[[Objective, float], float]] = {
    **{name: partial(by_trainer, trainer) for name, trainer in TRAINERS.items()},
    "scipy trust-ncg, bare, radius 1": partial(by_bare_scipy, 1.0),
    "scipy trust-ncg, bare, radius 10": partial(by_bare_scipy, 10.0),
}


def work_of(name: str, problem: Objective, goal: float) -> str:
    """Return the gradients + Hessian products spent to reach the goal."""
    RACERS[name](problem, goal)
    return f"{problem.counts.gradients} + {problem.counts.hessian_products}"


def show_race(times: dict[str, list[float]], make: Callable[[], Objective], goal: float) -> Bar:
    """Print the race and return its bar, against the fastest scipy."""
    print(f"\nCPU time to (f - f*) / f* <= {TARGET:g}, {len(times[OURS])} rounds in turn")
    print(
        f"{'competitor':46}{'gradients + products':>22}{'median ms':>11}  ours / theirs, median [quartiles]"
    )
    against = 0.0
    for name, seconds in times.items():
        spread = ratio(times[OURS], seconds)
        against = max(against, spread.middle) if name.startswith("scipy") else against
        milliseconds = statistics.median(seconds) * 1e3
        work = work_of(name, make(), goal)
        print(f"{name:46}{work:>22}{milliseconds:11.1f}  {spread}")
    return at_most("time to 1e-8: ours / the fastest scipy trust-ncg", against, 1.1)


def main() -> int:
    parser = argparse.ArgumentParser(description="Trust-region Newton on digits against its bars.")
    parser.add_argument("--rounds", type=int, default=15, help="timed rounds (default 15)")
    parser.add_argument("--scaling", choices=("sixteenth", "standardised"), default="sixteenth")
    options = parser.parse_args()
    print(f"{settle()}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}, float64")
    split = digits(options.scaling)
    best, norm = optimum(split)
    print(f"digits ({options.scaling}): f* = {best:.15f} by newton-cholesky (gradient norm {norm:.0e})\n")
    bars = [*convergence(split, best), square(split)]

    def make() -> Objective:
        return objective(split, "cross-entropy")

    goal = best * (1 + TARGET)

    def fresh(run: Callable[[Objective, float], float]) -> Racer:
        return lambda: run(make(), goal)

    racers = {name: fresh(run) for name, run in RACERS.items()}
    bars.append(show_race(race(racers, options.rounds), make, goal))
    return verdict(bars)


if __name__ == "__main__":
    sys.exit(main())

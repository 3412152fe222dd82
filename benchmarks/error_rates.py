"""How often the statistics are wrong, where the truth is known: coverage of intervals, false alarms of tests.

``python benchmarks/error_rates.py [--repeats 4000]``. No torch, no clock: the numbers are the same on every
machine. Exit code 1 if a bar does not hold: on normal data an interval of 95% must cover 92%, and with one
clear loser among otherwise equal entries a family of tests may raise a false alarm in 6% of the draws.

The percentile bootstrap and the uncorrected tests stand beside ours to show what is avoided.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys

import numpy as np
import numpy.typing as npt

from deqbench.statistics.comparison import compare
from deqbench.statistics.equivalence import Rope, Verdict
from deqbench.statistics.intervals import mean_interval
from deqbench.statistics.multiplicity import holm
from deqbench.statistics.paired import Measure, paired_differences
from deqbench.statistics.permutation import sign_flip_p

LEAST_COVERAGE = 0.92
MOST_FALSE_ALARMS = 0.06
RESAMPLES = 999
PAIRS = 30
SHIFT = 3.0
"""By how many standard deviations the loser loses."""

Samples = npt.NDArray[np.float64]


def percentile(samples: Samples, truth: float) -> float:
    """Return the coverage of the percentile bootstrap."""
    generator, hits = np.random.default_rng(1), 0
    for row in samples:
        means = generator.choice(row, (RESAMPLES, len(row))).mean(axis=1)
        low, high = np.quantile(means, [0.025, 0.975])
        hits += low <= truth <= high
    return hits / len(samples)


def ours(samples: Samples, truth: float) -> float:
    """Return the coverage of the default interval."""
    found = [mean_interval(row, resamples=RESAMPLES, seed=k).holds(truth) for k, row in enumerate(samples)]
    return float(np.mean(found))


def coverage_table(repeats: int) -> bool:
    print(f"\nCoverage of a 95% interval for a mean, {repeats} draws (standard error ", end="")
    print(f"{100 * math.sqrt(0.95 * 0.05 / repeats):.1f} points)")
    print(f"{'data':<10} {'n':>3} {'default':>8} {'percentile':>11}  method")
    holds = True
    for name, truth in (("normal", 0.0), ("lognormal", math.exp(0.5))):
        for n in (3, 5, 10, 20):
            samples = getattr(np.random.default_rng(n), name)(size=(repeats, n))
            found = ours(samples, truth)
            holds &= name != "normal" or n == 3 or found >= LEAST_COVERAGE
            method = mean_interval(samples[0]).method
            print(f"{name:<10} {n:>3} {found:>8.1%} {percentile(samples, truth):>11.1%}  {method}")
    return holds


def family_table(repeats: int) -> bool:
    print(
        f"\nFamily-wise error, one entry {SHIFT:g} deviations behind, the others equal; {PAIRS} pairs each,"
    )
    print(f"two-sided sign flips, {repeats} draws")
    print(f"{'entries':>7} {'tests':>6} {'Holm':>7} {'uncorrected':>12} {'loser found':>12}")
    holds = True
    for entries in (4, 6, 10):
        scores = np.random.default_rng(entries).normal(size=(repeats, entries, PAIRS))
        scores[:, 0] += SHIFT
        one, two = np.array(list(itertools.combinations(range(entries), 2))).T
        p = np.empty((repeats, len(one)))
        for start in range(0, repeats, 200):
            some = scores[start : start + 200]
            differences = (some[:, one] - some[:, two]).reshape(-1, PAIRS).T
            p[start : start + 200] = sign_flip_p(differences, resamples=1999).reshape(len(some), -1)
        claimed = np.array([holm(row) < 0.05 for row in p])
        alike = one != 0
        error = claimed[:, alike].any(axis=1).mean()
        bare = (p[:, alike] < 0.05).any(axis=1).mean()
        found = claimed[:, ~alike].mean()
        holds &= bool(error <= MOST_FALSE_ALARMS)
        print(f"{entries:>7} {len(one):>6} {error:>7.1%} {bare:>12.1%} {found:>12.1%}")
    return holds


def verdict_table(repeats: int) -> None:
    import pandas as pd  # noqa: PLC0415  only here

    score = Measure("score", higher_is_better=True)
    print(f"\nVerdicts on the same entry twice, noise 1, ROPE 0.5, by the interval alone; {repeats} draws")
    print(f"{'seeds':>7} " + " ".join(f"{one.value:>13}" for one in Verdict))
    for seeds in (3, 5, 10, 20):
        generator, told = np.random.default_rng(seeds), []
        for k in range(repeats):
            values = generator.normal(0, 1 / math.sqrt(2), size=2 * seeds)  # differences have deviation 1
            columns = {
                "dataset": "x",
                "entry": ["a"] * seeds + ["b"] * seeds,
                "status": "ok",
                "score": values,
            }
            frame = pd.DataFrame(columns).assign(seed=[*range(seeds)] * 2)
            told.append(compare(paired_differences(frame, "a", "b", score), rope=Rope(0.5), seed=k).verdict)
        print(f"{seeds:>7} " + " ".join(f"{told.count(one) / repeats:>13.1%}" for one in Verdict))


def main() -> int:
    parser = argparse.ArgumentParser(description="Coverage and false alarms of deqbench.statistics.")
    parser.add_argument("--repeats", type=int, default=4000, help="Draws of every row.")
    repeats = parser.parse_args().repeats
    holds = [coverage_table(repeats), family_table(repeats)]
    verdict_table(max(1, repeats // 20))
    bars = (f"normal coverage >= {LEAST_COVERAGE:.0%}", f"family-wise error <= {MOST_FALSE_ALARMS:.0%}")
    print()
    for bar, held in zip(bars, holds, strict=True):
        print(f"{'holds' if held else 'BROKEN'}: {bar}")
    return 0 if all(holds) else 1


if __name__ == "__main__":
    sys.exit(main())

"""What the defaults do when the truth is known: coverage, false alarms, and what failures do to them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from deqbench.statistics.hierarchical import hierarchical_interval
from deqbench.statistics.intervals import mean_interval
from deqbench.statistics.multiplicity import holm
from deqbench.statistics.permutation import sign_flip_p

REPEATS = 1500
"""The standard error of a coverage of 95% is then 0.6 points: 92% is five of them away."""


def coverage(samples, truth, resamples=399):
    return np.mean(
        [mean_interval(row, resamples=resamples, seed=k).holds(truth) for k, row in enumerate(samples)]
    )


@pytest.mark.parametrize("n", [5, 10, 20])
def test_95_percent_is_at_least_92_on_normal_data(n):
    samples = np.random.default_rng(n).normal(2.0, 3.0, size=(REPEATS, n))
    assert 0.92 <= coverage(samples, 2.0) <= 0.98


@pytest.mark.parametrize(("n", "least"), [(5, 0.78), (10, 0.86), (20, 0.88)])
def test_on_lognormal_data_it_is_less_and_more_than_students_or_the_percentiles(n, least):
    samples = np.random.default_rng(n).lognormal(size=(REPEATS, n))
    assert least <= coverage(samples, math.exp(0.5)) <= 0.95


@pytest.mark.parametrize(("tasks", "seeds"), [(3, 5), (4, 10)])
def test_over_fixed_tasks_of_different_noise_it_covers_as_well(tasks, seeds):
    generator, hits = np.random.default_rng(tasks), []
    means, noise = np.arange(tasks, dtype=float), 1.0 + np.arange(tasks)
    for k in range(500):
        drawn = means[:, None] + noise[:, None] * generator.normal(size=(tasks, seeds))
        table = pd.DataFrame({"task": np.repeat(range(tasks), seeds), "value": drawn.ravel()})
        hits.append(hierarchical_interval(table, resamples=399, seed=k).holds(means.mean()))
    assert np.mean(hits) >= 0.92


@pytest.mark.parametrize("entries", [4, 6, 10])
def test_with_one_clear_loser_a_family_raises_a_false_alarm_in_at_most_6_percent(entries):
    generator, repeats, pairs = np.random.default_rng(entries), 600, 30
    scores = generator.normal(size=(repeats, entries, pairs))
    scores[:, 0] += 3.0  # the loser, of a cost; all others are alike
    couples = list(itertools.combinations(range(entries), 2))
    one, two = np.array(couples).T
    differences = (scores[:, one] - scores[:, two]).reshape(-1, pairs).T  # (pairs, repeats * couples)
    p = sign_flip_p(np.ascontiguousarray(differences), resamples=1999).reshape(repeats, len(couples))
    claimed = np.array([holm(row) < 0.05 for row in p])
    assert claimed[:, one == 0].mean() > 0.99  # the loser is found,
    assert claimed[:, one != 0].any(axis=1).mean() <= 0.06  # and nobody else

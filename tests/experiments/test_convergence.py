import math
from itertools import pairwise

import torch

from deqbench.equilibria.judging import TracePoint
from deqbench.experiments.convergence import convergence, log_spaced


def point(calls, residual, rows=(0, 1), seconds=0.0):
    return TracePoint(calls, float(calls), seconds, torch.tensor(rows), torch.tensor(residual))


def curves(*trace, tolerance=0.1):
    return [values for _, values in convergence(trace, 2, tolerance)]


def test_a_rise_of_the_residual_does_not_raise_the_best():
    found = curves(point(1, [4.0, 2.0]), point(2, [8.0, 1.0]))
    assert [values["residual"] for values in found] == [4.0, 4.0]
    assert [values["residual_median"] for values in found] == [2.0, 1.0]


def test_a_sample_stands_once_it_is_solved():
    found = curves(point(1, [0.0625, 2.0]), point(2, [0.0, 0.03125]))
    assert [values["solved"] for values in found] == [0.5, 1.0]
    assert found[-1]["residual"] == 0.0625


def test_samples_that_left_the_batch_keep_their_residual():
    found = curves(point(1, [0.0625, 2.0]), point(2, [1.0], rows=(1,)))
    assert found[-1] == {"residual": 1.0, "residual_median": 0.0625, "solved": 0.5}


def test_what_is_not_finite_is_no_progress():
    found = curves(point(1, [math.nan, 2.0]), point(2, [3.0, math.inf]))
    assert [values["residual"] for values in found] == [math.inf, 3.0]


def test_a_short_trace_is_kept_whole():
    assert log_spaced([1, 2, 5], most=3) == [0, 1, 2]


def test_a_long_one_is_thinned_evenly_in_the_logarithm():
    calls = list(range(1, 10_001))
    kept = log_spaced(calls, most=41)
    assert len(kept) <= 41
    assert (kept[0], kept[-1]) == (0, 9999)
    later = [calls[place] for place in kept if calls[place] > 100]
    ratios = [b / a for a, b in pairwise(later)]
    assert max(abs(ratio - 10_000 ** (1 / 40)) for ratio in ratios) < 0.02


def test_no_curve_has_more_points_than_allowed():
    for count in (80, 81, 100, 999, 5000):
        calls = [3 * place + 2 for place in range(count)]
        kept = log_spaced(calls)
        assert len(kept) == len(set(kept)) <= 80
        assert (kept[0], kept[-1]) == (0, count - 1)

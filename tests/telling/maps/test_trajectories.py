from __future__ import annotations

import pytest

from deqbench.records import CurvePoint, Record, Status
from deqbench.telling.loading import load
from deqbench.telling.trajectories import POINTS, ends, trajectories

MAP = "affine[gamma=0.9]"


@pytest.fixture
def observed(solves, told_run):
    """Frames of one solver whose seeds saw the given residuals: {calls: residual}, or nothing at all."""

    def frames(*seeds, status=Status.OK):
        made = []
        for seed, curve in enumerate(seeds):
            record = solves(MAP, "picard", seed)
            points = [
                CurvePoint(calls, 2.0 * calls, (seed + 1) * calls, "residual", value)
                for calls, value in (curve or {}).items()
            ]
            ended = status if curve else Status.ERROR
            made.append(
                Record(record.trial, ended, metrics=record.metrics, costs=record.costs, curves=points)
            )
        return load(told_run(made))

    return frames


def drawn(frames, along="step"):
    curve = trajectories(frames, MAP, "residual", along)
    return list(zip(curve["at"], curve["median"], strict=True))


def test_the_curve_is_the_median_of_the_seeds_at_every_call(observed):
    frames = observed({1: 1.0, 2: 0.5}, {1: 0.8, 2: 0.1}, {1: 0.9, 2: 0.2})
    assert drawn(frames) == [(1.0, 0.9), (2.0, 0.2)]


def test_what_was_reached_holds_between_observations_and_after_the_end(observed):
    frames = observed({1: 1.0}, {1: 0.8, 4: 0.1}, {1: 0.9, 2: 0.2, 4: 0.05})
    assert drawn(frames) == [(1.0, 0.9), (2.0, 0.8), (4.0, 0.1)]


def test_a_seed_that_left_nothing_ranks_behind_the_others(observed):
    frames = observed({1: 1.0, 2: 0.5}, {1: 0.8, 2: 0.1}, None)
    assert drawn(frames) == [(1.0, 1.0), (2.0, 0.5)]


def test_where_the_median_falls_on_a_failure_there_is_no_curve(observed):
    assert drawn(observed({1: 1.0}, None, None)) == []
    assert drawn(observed({1: 1.0, 2: None}, {1: 1.0, 2: None}, {1: 1.0, 2: 0.1})) == [(1.0, 1.0)]


def test_along_seconds_each_place_is_the_median_time_of_as_many_calls(observed):
    frames = observed({1: 1.0, 2: 0.5}, {1: 1.0, 2: 0.5}, {1: 1.0, 2: 0.5})
    assert drawn(frames, "seconds") == [(2.0, 1.0), (4.0, 0.5)]
    assert drawn(frames, "epoch") == [(2.0, 1.0), (4.0, 0.5)]


def test_a_long_curve_is_thinned_and_keeps_its_ends(observed):
    curve = drawn(observed({calls: 1.0 / calls for calls in range(1, 900)}))
    assert len(curve) <= POINTS
    assert (curve[0], curve[-1]) == ((1.0, 1.0), (899.0, pytest.approx(1 / 899)))


@pytest.mark.parametrize(("status", "solved"), [(Status.OK, True), (Status.NOT_CONVERGED, False)])
def test_the_end_of_a_curve_says_whether_most_seeds_solved_the_map(observed, status, solved):
    frames = observed({1: 1.0, 3: 0.5}, {1: 1.0, 5: 0.5}, None, status=status)
    last = ends(frames, MAP, trajectories(frames, MAP, "residual", "step")).iloc[0]
    assert (last["at"], bool(last["solved"])) == (4.0, solved)  # the median of the ends

"""Targets, times to them, survival, restricted means and attainment."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from deqbench.statistics.attainment import aocc, attained
from deqbench.statistics.paired import Measure, paired_differences
from deqbench.statistics.survival import (
    common_budget,
    logrank,
    restricted_means,
    restricted_times,
    time_to_target,
)
from deqbench.statistics.targets import target_grid, times_to_targets

inf = math.inf


def run(entry, seed, values, status="ok", seconds=None):
    """One run: its trial and its curve, observed at seconds 0, 1, 2, ..."""
    key, clock = f"{entry}{seed}", seconds or range(len(values))
    trial = {"key": key, "dataset": "wine", "entry": entry, "seed": seed, "status": status}
    curve = [
        {"key": key, "name": "loss", "value": value, "seconds": float(at), "step": 10 * k}
        for k, (at, value) in enumerate(zip(clock, values, strict=True))
    ]
    return trial, curve


def frames(*runs):
    columns = ["key", "name", "value", "seconds", "step"]
    rows = [row for _, curve in runs for row in curve]
    return pd.DataFrame(rows, columns=columns), pd.DataFrame([trial for trial, _ in runs])


RUNS = (
    run("a", 0, [8.0, 4.0, 2.0, 1.0]),
    run("a", 1, [6.0, 5.0, 4.0, 3.0]),
    run("b", 0, [8.0, 7.0, 1.0], "diverged"),
    run("b", 1, [8.0, 7.0], "timeout"),
    run("c", 0, [], "error"),
)


def times(targets, *runs, clock="seconds"):
    return times_to_targets(*frames(*(runs or RUNS)), "loss", targets, higher_is_better=False, clock=clock)


def told(table, key, *columns):
    return table.set_index("key").loc[key, list(columns)].tolist()


def test_targets_of_a_loss_halve_and_halve_from_the_worst_start_to_the_best():
    curves, _ = frames(*RUNS)
    assert target_grid(curves, "loss", higher_is_better=False, count=3) == pytest.approx([4.0, 2.0, 1.0])


def test_targets_of_an_accuracy_halve_its_error():
    curves, _ = frames(run("a", 0, [0.2, 0.6, 0.95]), run("b", 0, [0.3, 0.5]))
    grid = target_grid(curves, "loss", higher_is_better=True, count=4)
    assert grid == pytest.approx([0.6, 0.8, 0.9, 0.95])


def test_a_perfect_accuracy_is_a_target_of_its_own():
    curves, _ = frames(run("a", 0, [0.2, 0.6, 0.9, 1.0]))
    assert target_grid(curves, "loss", higher_is_better=True, count=3) == pytest.approx([0.6, 0.8, 0.9, 1.0])


def test_a_measure_without_an_end_has_even_targets():
    curves, _ = frames(run("a", 0, [-1.0, -3.0, -5.0]))
    assert target_grid(curves, "loss", higher_is_better=False, count=4).tolist() == [-2, -3, -4, -5]


@pytest.mark.parametrize("values", [[], [3.0], [3.0, 4.0], [math.nan, inf]])
def test_where_nobody_improves_there_is_no_target(values):
    curves, _ = frames(run("a", 0, values))
    assert len(target_grid(curves, "loss", higher_is_better=False)) == 0


@pytest.mark.parametrize("seed", range(5))
def test_the_best_run_reaches_every_target(seed):
    values = np.sort(np.random.default_rng(seed).lognormal(size=30))[::-1]
    runs = (run("a", 0, values.tolist()), run("b", 0, [9.0 * values[0]]))
    grid = target_grid(frames(*runs)[0], "loss", higher_is_better=False, count=25)
    assert times(grid, *runs).query("entry == 'a'")["reached"].all()


def test_the_time_is_that_of_the_first_observation_as_good():
    table = times([4.0])
    assert told(table, "a0", "time", "reached") == [1.0, True]
    assert told(table, "a1", "time", "reached") == [2.0, True]


@pytest.mark.parametrize("better", [1, -1])
def test_runs_whose_rows_are_mixed_are_read_one_by_one(better):
    generator = np.random.default_rng(5)
    runs = [run("a", seed, (better * generator.normal(size=12)).tolist()) for seed in range(6)]
    curves, trials = frames(*runs)
    mixed = curves.sample(frac=1, random_state=1).sort_values("seconds", kind="stable")
    targets = [-0.5, 0.3, 1.2]
    table = times_to_targets(mixed, trials, "loss", targets, higher_is_better=better > 0)
    for row in table.itertuples():
        values = curves.loc[curves["key"] == row.key, "value"]
        good = [k for k, value in enumerate(values) if better * value >= better * row.target]
        assert (row.time, row.reached) == ((good[0], True) if good else (11, False))


def test_who_used_up_its_time_is_censored_where_it_was_last_seen():
    assert told(times([4.0]), "b1", "time", "reached", "failed") == [1.0, False, False]


def test_who_failed_keeps_what_it_reached_and_reaches_nothing_more():
    assert told(times([1.5]), "b0", "time", "reached", "failed") == [2.0, True, True]
    assert told(times([0.5]), "b0", "time", "reached", "failed") == [inf, False, True]


@pytest.mark.parametrize("status", ["error", "ok", "timeout"])
def test_who_was_never_observed_has_failed(status):
    table = times([4.0], run("c", 0, [], status))
    assert told(table, "c0", "time", "failed", "watched") == [inf, True, 0.0]


def test_a_pending_trial_is_no_run():
    assert len(times([4.0], *RUNS, run("d", 0, [], "pending"))) == 5


def test_the_clock_may_be_steps():
    assert told(times([4.0], clock="step"), "a1", "time") == [20.0]


DRAWN = np.random.default_rng(6)
WHEN, SEEN = DRAWN.exponential(10, 40).round(1) + 0.1, DRAWN.random(40) < 0.6


def sample(when, seen, entry="a"):
    columns = {"entry": entry, "target": 1.0, "time": when, "reached": seen, "failed": False, "watched": when}
    return pd.DataFrame(columns)


def test_kaplan_and_meiers_curve_is_statsmodels():
    found = time_to_target(sample(WHEN, SEEN))
    theirs = SurvfuncRight(WHEN, SEEN.astype(int))
    curve = found.curve.iloc[1:]
    assert curve["time"].tolist() == pytest.approx(theirs.surv_times.tolist())
    assert (1 - curve["reached"]).tolist() == pytest.approx(theirs.surv_prob.tolist())
    assert (found.n, found.reached, found.censored) == (40, SEEN.sum(), 40 - SEEN.sum())
    assert found.median == theirs.quantile(0.5)


def test_the_log_rank_p_is_statsmodels():
    half = np.arange(40) < 20
    theirs = survdiff(WHEN, SEEN.astype(int), half.astype(int))[1]
    assert logrank(sample(WHEN[half], SEEN[half]), sample(WHEN[~half], SEEN[~half])) == pytest.approx(theirs)


def test_where_nobody_arrives_there_is_no_log_rank():
    nobody = sample([3.0, 4.0], [False, False])
    assert math.isnan(logrank(nobody, nobody))
    assert math.isnan(logrank(sample([1.0], [False]), sample([3.0], [True])))


def test_without_censoring_the_curve_counts():
    curve = time_to_target(sample([1.0, 2.0, 2.0, 5.0], [True] * 4)).curve
    assert curve["time"].tolist() == [0, 1, 2, 5]
    assert curve["reached"].tolist() == pytest.approx([0, 0.25, 0.75, 1])


def test_failures_hold_the_curve_down_as_censored_runs_would_not():
    reached, crashed = sample([1.0, 9.0], [True, True]), sample([inf, inf], [False, False])
    both = pd.concat([reached, crashed.assign(failed=True, watched=0.5)])
    found = time_to_target(both)
    assert found.curve["reached"].max() == 0.5
    assert (found.censored, found.failed, found.censored_share) == (0, 2, 0.0)
    early = pd.concat([reached, sample([0.5, 0.5], [False, False])])
    assert time_to_target(early).curve["reached"].max() == 1.0


def test_nobody_arrived_is_a_curve_at_zero():
    found = time_to_target(sample([3.0, 4.0], [False, False]))
    assert found.curve[["time", "reached"]].to_numpy().tolist() == [[0, 0]]
    assert (found.median, found.censored_share) == (inf, 1.0)


def test_the_restricted_mean_is_the_area_above_the_curve():
    runs = [
        run("a", k, [1.0] * 9 + [0.0], seconds=[*range(9), when]) for k, when in enumerate([9, 11, 15, 30])
    ]
    runs += [run("a", 9, [1.0] * 3, "diverged")]
    table = restricted_means(times([0.5], *runs), horizon=14.0)
    curve = time_to_target(times([0.5], *runs)).curve
    steps = np.append(curve["time"].to_numpy().clip(max=14), 14.0)
    area = (np.diff(steps) * (1 - curve["reached"].to_numpy())).sum()
    assert table.loc[0, "mean"] == pytest.approx(area)
    assert table.loc[0, ["n", "reached", "failed", "censored", "horizon"]].tolist() == [5, 4, 1, 0, 14.0]
    assert table.loc[0, "low"] < area < table.loc[0, "high"]


def test_by_default_the_horizon_is_the_smallest_budget_of_a_run_that_did_not_fail():
    assert common_budget(times([4.0])) == 1.0  # b1, which ran into its limit; c0 failed
    table = restricted_means(times([4.0]))
    assert table["mean"].tolist() == [1.0, 1.0, 1.0]


def test_beyond_what_was_watched_there_is_no_mean():
    with pytest.raises(ValueError, match="watched for 1 only"):
        restricted_times(times([4.0]), horizon=2.0)


def test_where_all_failed_nobody_is_quick():
    crashed = [run("a", 0, [8.0, 7.0], "error"), run("b", 0, [8.0, 7.0, 6.0], "error")]
    assert restricted_means(times([1.0], *crashed))["mean"].tolist() == [2.0, 2.0]


def test_restricted_times_can_be_paired():
    table = restricted_times(times([4.0]), horizon=1.0)
    pairs = paired_differences(table, "a", "b", Measure("restricted", higher_is_better=False))
    assert pairs["difference"].tolist() == [0.0, 0.0]


def test_attainment_is_the_share_of_runs_and_targets_within_a_budget():
    shares = attained(times([4.0, 2.0]), [0, 1, 2, 9]).set_index(["entry", "budget"])["share"]
    assert shares["a"].tolist() == [0, 0.25, 0.75, 0.75]
    assert shares["b"].tolist() == [0, 0, 0.5, 0.5]
    assert shares["c"].tolist() == [0, 0, 0, 0]


def test_attainment_never_falls_and_ends_where_the_counting_ends():
    table = times([6.0, 4.0, 2.0, 1.0])
    curve = attained(table)
    assert (curve.groupby("entry")["share"].diff().dropna() >= 0).all()
    last = curve.groupby("entry")["share"].last()
    assert last.to_dict() == table.groupby("entry")["reached"].mean().to_dict()


@pytest.mark.parametrize("logarithmic", [True, False])
def test_the_area_over_the_curve_is_the_integral_of_attainment(logarithmic):
    table = times([6.0, 4.0, 2.0, 1.0]).query("entry == 'a'")
    budgets = np.geomspace(0.5, 8, 20001) if logarithmic else np.linspace(0.5, 8, 20001)
    shares = attained(table, budgets)["share"]
    scale = np.log(budgets) if logarithmic else budgets
    area = np.trapezoid(shares, scale) / (scale[-1] - scale[0])
    assert aocc(table, 0.5, 8, logarithmic=logarithmic)["aocc"].mean() == pytest.approx(area, abs=1e-3)


def test_all_at_once_is_an_area_of_one_and_nothing_of_none():
    best = aocc(times([4.0], run("a", 0, [1.0])), 1, 10)
    assert best[["aocc", "targets", "status"]].iloc[0].tolist() == [1.0, 1, "ok"]
    assert aocc(times([4.0], run("c", 0, [], "error")), 1, 10)["aocc"].tolist() == [0.0]


@pytest.mark.parametrize("ends", [(2, 2), (3, 1), (0, 5)])
def test_an_area_needs_a_range(ends):
    with pytest.raises(ValueError, match="range"):
        aocc(times([4.0]), *ends)


def test_times_drawn_alike_give_a_uniform_log_rank():
    generator = np.random.default_rng(4)
    p = []
    for _ in range(150):
        when = generator.exponential(1, (2, 20))
        p.append(logrank(*(sample(np.minimum(side, 1.5), side < 1.5) for side in when)))
    assert stats.kstest(p, "uniform").pvalue > 0.01


@pytest.mark.parametrize("seed", range(20))
def test_the_median_time_is_where_the_curve_of_kaplan_and_meier_reaches_half(seed):
    generator = np.random.default_rng(seed)
    when = generator.integers(1, 8, size=int(generator.integers(1, 12))).astype("float64")
    seen = generator.random(len(when)) < 0.7
    found = time_to_target(sample(when, seen))
    half = found.curve.loc[found.curve["reached"] >= 0.5 - 1e-12, "time"]
    assert found.median == (half.iloc[0] if len(half) else math.inf)

"""The negative controls, run for real at a small size: each fate is found, and false claims are not."""

from __future__ import annotations

import math

import pytest
import torch

from deqbench import cli
from deqbench.claims import Outcome, decide
from deqbench.telling.loading import load
from deqbench_plugins.controls.heavier import ROUNDS, Heavier
from deqbench_plugins.controls.losing import CrashLoses, IdleLoses
from deqbench_plugins.controls.same import SameTwice
from deqbench_plugins.controls.slower import SleepShows, TwoPerCent


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    folder = tmp_path_factory.mktemp("controls")
    words = ["run", "controls", "--out", str(folder), "--no-report", "--quiet", "--isolation", "worker"]
    with pytest.raises(SystemExit) as ended:
        cli.main([*words, "--set", "seeds=[0, 1, 2]", "--set", "repeats=2"])
    assert ended.value.code == 1  # trials of control-crash are killed
    return load(folder)


def verdicts(claim, frames):
    pieces = claim.read(frames.trials, frames.curves)
    return [decide(evidence, claim.tolerance).verdict for _, evidence in pieces]


def of(frames, **columns):
    """Return the frames with columns replaced where a function of the trials says so."""
    trials = frames.trials.assign(**columns)
    return type(frames)(trials, frames.curves, frames.suite, frames.environment, frames.run)


def test_two_per_cent_more_work_is_found_exactly_in_operations(frames):
    (_, evidence), _ = TwoPerCent().read(frames.trials, frames.curves)
    assert {point.quantity for point in evidence.points} == {2.0 * 64**2}
    assert decide(evidence, TwoPerCent.tolerance).verdict is Outcome.HOLDS


def test_work_that_was_not_added_is_not_found(frames):
    calls = frames.trials["map_operations"].where(frames.trials["map"] != "control-heavier", 409_664.0)
    assert verdicts(TwoPerCent(), of(frames, map_operations=calls))[0] is Outcome.VIOLATED


def test_two_per_cent_are_in_the_overhead_because_the_floor_lacks_them():
    heavier = Heavier(share=0.02, batch=3, dimension=4).draw(0)
    calls = []
    heavier.module._worked = lambda z, x, rounds: calls.append(rounds) or z @ heavier.module.W.mT + x
    heavier.module(heavier.x)
    assert set(calls) == {ROUNDS + 1}
    calls.clear()
    heavier.bare(torch.zeros_like(heavier.x), heavier.x)
    assert calls == [ROUNDS]


def heavier_in_seconds(frames, factor, *, seeds=8, noise=0.0):
    """Return the verdict where the clock saw a factor on so many seeds, each with its own small error."""
    import pandas as pd

    one = frames.trials[(frames.trials["map"] == "control-heavier") & (frames.trials["seed"] == 0)]
    one = one[one["map.batch"] == 64]
    copies = []
    for seed in range(seeds):
        wobble = 1 + noise * math.sin(seed)
        clock = [0.1 * (factor * wobble if share else 1.0) for share in one["map.share"]]
        copies.append(one.assign(seed=seed, overhead=clock))
    evidence = TwoPerCent().read(pd.concat(copies, ignore_index=True), None)[1][1]
    return decide(evidence, TwoPerCent.tolerance).verdict


def test_two_per_cent_is_found_in_seconds_where_noise_allows(frames):
    assert heavier_in_seconds(frames, 1.02, noise=0.003) is Outcome.HOLDS


def test_seconds_that_do_not_grow_break_the_claim(frames):
    assert heavier_in_seconds(frames, 1.0, noise=0.003) is Outcome.VIOLATED


@pytest.mark.parametrize(("seeds", "noise"), [(8, 0.2), (2, 0.01)])
def test_noise_and_few_seeds_leave_seconds_undecided(frames, seeds, noise):
    assert heavier_in_seconds(frames, 1.02, seeds=seeds, noise=noise) is Outcome.INCONCLUSIVE


def slept(trials):
    """Seconds that each trial of control-sleep slept in a solve; 0 for other solvers."""
    asleep = trials["solver.seconds"].astype("float64") * (trials["map_calls"].astype("float64") - 1)
    return asleep.where(trials["solver"] == "control-sleep", 0.0)


def test_what_a_solver_sleeps_is_in_its_wall_time(frames):
    rows = frames.trials[frames.trials["solver"] == "control-sleep"]
    assert len(rows)
    assert (rows["solve_seconds"] >= slept(rows)).all()  # a sleep never ends early


def test_a_sleep_that_the_clock_sees_holds_and_one_that_it_misses_does_not(frames):
    work, asleep = 0.001, slept(frames.trials)
    seen = of(frames, solve_seconds=work + asleep, solve_cpu_seconds=work)
    assert verdicts(SleepShows(), seen) == [Outcome.HOLDS]
    missed = of(frames, solve_seconds=work + asleep / 2, solve_cpu_seconds=work)
    assert verdicts(SleepShows(), missed) == [Outcome.VIOLATED]


def test_a_solver_that_does_nothing_is_ok_nowhere_and_last_everywhere(frames):
    assert verdicts(IdleLoses(), frames) == [Outcome.HOLDS]
    idle = frames.trials[frames.trials["solver"] == "control-idle"]
    assert set(idle["status"]) == {"not_converged"}
    assert set(idle["map_calls"]) == {1}


def test_an_idle_solver_that_is_believed_breaks_the_claim(frames):
    believed = frames.trials["status"].where(frames.trials["solver"] != "control-idle", "ok")
    assert verdicts(IdleLoses(), of(frames, status=believed)) == [Outcome.VIOLATED]


def test_a_solver_that_crashes_where_it_is_hard_cannot_win(frames):
    assert verdicts(CrashLoses(), frames) == [Outcome.HOLDS]
    crashed = frames.trials[frames.trials["solver"] == "control-crash"]
    assert set(crashed["status"]) == {"ok", "killed"}


def test_dropping_the_crashes_would_have_let_it_win(frames):
    ((_, evidence),) = CrashLoses().read(frames.trials, frames.curves)
    assert [point.ratio > 1 for point in evidence.control] == [True]


def test_the_same_solver_twice_costs_the_same_operations(frames):
    in_operations, _ = SameTwice().read(frames.trials, frames.curves)
    assert decide(in_operations[1], SameTwice.tolerance).verdict is Outcome.HOLDS


def alarms(frames, factor):
    """Return the verdict on seconds where the clock saw the twin take a factor longer, by less than noise."""
    trials = frames.trials
    wobble = 1 + 0.02 * (trials["seed"] - 1) * (trials["solver"] == "control-twin")
    seconds = 0.1 * wobble * factor ** (trials["solver"] == "control-twin").astype(float)
    pieces = SameTwice().read(trials.assign(solve_seconds=seconds), None)
    return decide(pieces[1][1], SameTwice.tolerance).verdict


def test_noise_alone_raises_no_alarm(frames):
    assert alarms(frames, 1.0) is Outcome.HOLDS


def test_a_harness_that_tells_the_same_apart_breaks_the_claim(frames):
    assert alarms(frames, 1.3) is Outcome.VIOLATED


def test_other_runs_say_nothing_about_controls(frames):
    others = frames.trials[~frames.trials["solver"].str.startswith("control")]
    others = others[others["map"] != "control-heavier"]
    for claim in (SameTwice(), TwoPerCent(), SleepShows(), IdleLoses(), CrashLoses()):
        assert list(claim.read(others, frames.curves)) == []
        assert list(claim.read(others.drop(columns=["solver", "map.share"]), frames.curves)) == []

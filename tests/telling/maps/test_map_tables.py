from __future__ import annotations

import math

import pandas as pd
import pytest

from deqbench.keeping.store import Store
from deqbench.records import Record, Status
from deqbench.telling import tables
from deqbench.telling.loading import load
from deqbench.telling.overview import deciders, gradients, solvers


def line(frames, text, label):
    table = tables.summary(frames)
    return table[(table["dataset"] == text) & (table["label"] == label)].iloc[0]


def test_the_map_stands_where_a_data_set_would(solver_frames):
    assert solver_frames.trials["dataset"].iloc[0] == "affine[gamma=0.5]"
    assert solver_frames.trials["map"].iloc[0] == "affine"
    assert solver_frames.trials["map.gamma"].iloc[0] == 0.5


def test_axes_of_other_experiments_are_no_columns(solver_frames, gradient_frames):
    assert not {"model", "gradient", "trainer"} & set(solver_frames.trials)
    assert {"map", "solver", "gradient"} <= set(gradient_frames.trials)


def test_solvers_are_ranked_by_map_equivalents_and_gradients_by_their_error(solver_frames, gradient_frames):
    assert set(tables.summary(solver_frames)["metric"]) == {"map_equivalents"}
    assert set(tables.summary(gradient_frames)["metric"]) == {"error_inputs"}


def test_a_miss_ranks_last_in_cost_and_keeps_what_it_reached(solver_frames):
    row = line(solver_frames, "affine[gamma=0.99]", "peer-anderson")
    assert (row["score"], row["solve_seconds"], row["map_calls"]) == (math.inf, math.inf, math.inf)
    assert (row["solved"], row["ok"]) == (0.0, 0)
    assert row["true_residual"] == pytest.approx(3.03e-4)


def test_a_crash_among_three_seeds_leaves_the_median_finite_and_the_interval_open(solver_frames):
    row = line(solver_frames, "tanh[norm=0.5]", "broyden")
    assert math.isfinite(row["map_equivalents"])
    assert row["map_equivalents_high"] == math.inf
    assert (row["solved"], row["solved_low"]) == (1.0, -math.inf)


def test_an_error_counts_although_its_adjoint_missed(told_run, gradient_frames, gradient_folder):
    made = next(one for one in Store(gradient_folder).records() if one.metrics["error_inputs"] < 1)
    missed = Record(made.trial, Status.NOT_CONVERGED, "1 missed.", made.metrics, made.costs)
    row = tables.summary(load(told_run([missed], "gradient"))).iloc[0]
    assert (row["ok"], row["score"]) == (0, made.metrics["error_inputs"])
    assert row["backward_seconds"] == math.inf


def test_curves_are_written_under_the_names_of_what_they_run_along(solver_frames, gradient_folder, tmp_path):
    tables.write(solver_frames, tmp_path)
    columns = list(pd.read_csv(tmp_path / "curves.csv"))
    assert columns[-5:] == ["map_calls", "map_equivalents", "seconds", "name", "value"]
    assert list(pd.read_csv(gradient_folder / "curves.csv"))[-5:] == columns[-5:]


def test_the_summary_holds_the_numbers_of_its_experiment(solver_folder, gradient_folder):
    of_solvers, of_gradients = (pd.read_csv(one / "summary.csv") for one in (solver_folder, gradient_folder))
    assert {"solved", "map_calls", "map_equivalents", "solve_seconds", "overhead", "true_residual"} <= set(
        of_solvers
    )
    told = {"error_inputs", "error_parameters", "cosine_inputs", "cosine_parameters"}
    assert told | {"forward_seconds", "backward_seconds", "saved_bytes"} <= set(of_gradients)
    assert not {"train_seconds", "steps", "hessian_products"} & {*of_solvers, *of_gradients}


def test_backward_work_is_added_to_forward_work(gradient_frames):
    assert line(gradient_frames, "affine[gamma=0.9]", "anderson/implicit")["map_calls"] == 21


def test_the_overview_counts_the_problems_each_solver_was_tried_on(solver_frames):
    table = solvers(solver_frames).set_index("label")
    assert table.loc["anderson", ["solved", "tried"]].tolist() == [18, 18]
    assert table.loc["direct", ["solved", "tried"]].tolist() == [9, 9]
    assert table.loc["broyden", ["solved", "tried"]].tolist() == [17, 18]  # one crashed
    assert table.loc["peer-anderson", ["solved", "tried"]].tolist() == [9, 18]


def test_the_overview_stands_by_problems_solved(solver_frames):
    assert solvers(solver_frames)["solved"].is_monotonic_decreasing


def test_shares_within_a_budget_are_of_the_problems_tried(solver_frames):
    table = solvers(solver_frames).set_index("label")
    assert table.loc["direct", ["within_10", "least", "near_seconds"]].tolist() == [1, 1, 1]
    assert table.loc["peer-anderson", ["within_10", "within_100", "within_1000"]].tolist() == [
        1 / 3,
        0.5,
        0.5,
    ]


def test_the_overview_names_whose_leaving_would_reorder_the_others(solver_frames):
    found = deciders(solver_frames)
    shares = solvers(solver_frames).set_index("label")["near_work"]
    assert set(found) <= set(shares.index)
    for label in found:
        kept = solver_frames.trials[solver_frames.trials["label"] != label]
        rest = solvers(tables.Frames(kept, solver_frames.curves, solver_frames.suite, {}, {}))
        after = rest.set_index("label")["near_work"]
        pairs = [(one, other) for one in after.index for other in after.index]
        assert any((shares[a] - shares[b]) * (after[a] - after[b]) < 0 for a, b in pairs)


def test_gradients_stand_by_their_median_error_over_all_maps(gradient_frames):
    table = gradients(gradient_frames)
    assert table["label"].tolist()[0] == "anderson/implicit"
    assert table["error_inputs"].is_monotonic_increasing
    assert table.set_index("label").loc["anderson/unrolled", "saved"] == 30.0


def test_a_gradient_that_crashed_once_has_no_worst_error(gradient_folder, told_run):
    made = [
        one for one in Store(gradient_folder).records() if str(one.trial.components["gradient"]) == "implicit"
    ]
    made[0] = Record(made[0].trial, Status.ERROR, "boom")
    row = gradients(load(told_run(made, "gradient"))).iloc[0]
    assert (row["ok"], row["tried"], row["worst"], row["cosine"]) == (17, 18, math.inf, -math.inf)
    assert row["error_inputs"] < 1e-8

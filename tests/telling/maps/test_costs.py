from __future__ import annotations

from math import inf

import numpy as np

from deqbench.records import Record, Status
from deqbench.telling.costs import costs
from deqbench.telling.loading import load


def test_only_a_trial_that_ended_ok_has_a_cost(solves, told_run):
    good = solves("affine[gamma=0.9]", "anderson[memory=5]", 0)
    missed = solves("affine[gamma=0.99]", "picard", 0)
    assert missed.status is Status.NOT_CONVERGED
    table = costs(load(told_run([good, missed])), "map_equivalents")
    assert table.loc["affine[gamma=0.9]", "anderson"].tolist() == [good.costs["map_equivalents"]]
    assert table.loc["affine[gamma=0.99]", "picard"].tolist() == [inf]
    assert np.isnan(table.loc["affine[gamma=0.9]", "picard"].iloc[0])


def test_a_trial_that_has_not_run_yet_was_not_tried(solves, told_run):
    made = [solves("affine[gamma=0.9]", name, 0) for name in ("picard", "direct")]
    frames = load(told_run(made[:1], planned=[one.trial for one in made]))
    assert list(costs(frames, "map_equivalents")) == ["picard"]


def test_an_ok_trial_without_the_cost_is_no_cheap_one(solves, told_run):
    made = [solves("affine[gamma=0.9]", name, 0) for name in ("picard", "direct")]
    made[1] = Record(made[1].trial, Status.OK, metrics=made[1].metrics, costs={})
    assert costs(load(told_run(made)), "map_equivalents")["direct"].iloc[0] == inf


def test_costs_can_be_asked_of_one_family(solver_frames):
    table = costs(solver_frames, "map_equivalents", ["monotone[m=0.1]"])
    assert len(table) == 3
    assert "direct" not in table
    assert np.isfinite(table["peaceman-rachford"]).all()

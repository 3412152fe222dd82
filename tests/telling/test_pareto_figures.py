from __future__ import annotations

import numpy as np

from deqbench.telling.loading import load
from deqbench.telling.pareto_figures import front, tradeoffs


def test_the_front_is_whom_nobody_beats_in_both():
    cost, score = [1.0, 2.0, 3.0, 2.0, 0.5], [0.5, 0.9, 0.9, 0.8, 0.1]
    assert front(cost, score, higher_is_better=True).tolist() == [True, True, False, False, True]
    assert front(cost, score, higher_is_better=False).tolist() == [False, False, False, False, True]


def test_twins_stand_on_the_front_together():
    assert front([1.0, 1.0], [2.0, 2.0], higher_is_better=True).all()


def test_a_failure_is_on_no_front_and_dominates_nobody():
    cost, score = [np.inf, 1.0, 0.1], [0.9, 0.5, -np.inf]
    assert front(cost, score, higher_is_better=True).tolist() == [False, True, False]


def test_a_brute_search_finds_the_same_front():
    draw = np.random.default_rng(3)
    cost, score = draw.integers(0, 6, 40).astype(float), draw.integers(0, 6, 40).astype(float)
    slow = [
        not any(
            cost[j] <= cost[i] and score[j] >= score[i] and (cost[j] < cost[i] or score[j] > score[i])
            for j in range(40)
        )
        for i in range(40)
    ]
    assert front(cost, score, higher_is_better=True).tolist() == slow


def test_each_cost_that_differs_is_an_axis_of_one_family(frames):
    drawn = tradeoffs(frames)
    assert [(one.name, one.family, one.axis) for one in drawn] == [
        ("cost", "cost", "seconds"),
        ("cost-memory", "cost", "memory"),
        ("cost-parameters", "cost", "parameters"),
    ]


def test_an_entry_whose_median_failed_has_no_point(frames):
    seconds = tradeoffs(frames)[0].data
    assert "unrolled/adam" not in set(seconds["entry"])
    assert len(seconds) == 13


def test_what_costs_the_same_for_all_trades_nothing(fake, tmp_path):
    records = [fake.record(entry, seed=seed) for entry in fake.ENTRIES[6:8] for seed in range(2)]
    assert [one.axis for one in tradeoffs(load(fake.write_run(tmp_path, records)))] == ["seconds"]


def test_data_sets_are_drawn_side_by_side(fake, tmp_path):
    records = [fake.record(fake.ENTRIES[place], name) for place in (6, 12) for name in ("digits", "wine")]
    records.append(fake.record(fake.ENTRIES[6], "diabetes", score="r2"))
    picture = tradeoffs(load(fake.write_run(tmp_path, records)))[0]
    titles = [axes.get_title(loc="left") for axes in picture.figure.axes[:3]]
    assert titles == ["digits", "wine", "diabetes"]
    picture.save(tmp_path)

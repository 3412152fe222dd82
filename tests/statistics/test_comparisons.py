from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from deqbench.statistics.comparison import COLUMNS, by_task, compare, pairwise, table
from deqbench.statistics.equivalence import Rope, Verdict
from deqbench.statistics.paired import Measure, paired_differences

CALLS = Measure("calls", higher_is_better=False, kind="ratio")
SCORE = Measure("score", higher_is_better=True)
NONE = Rope()


def trials(measure, failed=(), tasks=("x", "y"), **entries):
    """Values of each entry, (tasks * seeds,); ``failed`` holds (entry, place)."""
    rows = []
    for entry, values in entries.items():
        seeds = len(values) // len(tasks)
        for place, value in enumerate(values):
            status = "timeout" if (entry, place) in failed else "ok"
            unit = {"dataset": tasks[place // seeds], "seed": place % seeds}
            rows.append(unit | {"entry": entry, "status": status, measure.name: float(value)})
    return pd.DataFrame(rows)


def judged(measure, rope, failed=(), **entries):
    pairs = paired_differences(trials(measure, failed, **entries), "new", "old", measure)
    return compare(pairs, rope=rope)


BASE = 100.0 + np.random.default_rng(1).integers(0, 10, size=12)


def test_a_run_beside_itself_is_equivalent_even_without_a_region():
    found = judged(CALLS, NONE, new=BASE, old=BASE)
    assert (found.verdict, found.test.p, found.tally.tied) == (Verdict.EQUIVALENT, 1.0, 12)
    assert (found.shown.low, found.shown.high) == (1.0, 1.0)


@pytest.mark.parametrize(("factor", "told"), [(1.02, Verdict.REGRESSED), (0.98, Verdict.IMPROVED)])
def test_two_percent_more_work_is_found_and_two_percent_less(factor, told):
    found = judged(CALLS, Rope.parse("1%"), new=factor * BASE, old=BASE)
    assert found.verdict is told
    assert found.shown.estimate == pytest.approx(factor)
    assert found.shown.n == 12


def test_half_a_percent_is_equivalent_where_one_percent_is_no_matter():
    assert judged(CALLS, Rope.parse("1%"), new=1.005 * BASE, old=BASE).verdict is Verdict.EQUIVALENT


def test_noise_beyond_the_region_is_inconclusive():
    noise = np.random.default_rng(3).lognormal(0, 0.2, size=12)
    assert judged(CALLS, Rope.parse("1%"), new=BASE * noise, old=BASE).verdict is Verdict.INCONCLUSIVE


def test_who_crashes_on_hard_tasks_cannot_win():
    hard = {("new", place) for place in range(4)}
    found = judged(CALLS, Rope.parse("1%"), hard, new=0.5 * BASE, old=BASE)
    assert found.shown.high < 0.99  # better wherever it lives
    assert found.verdict is Verdict.INCONCLUSIVE
    assert table([found]).loc[0, ["pairs", "complete", "first_failed"]].tolist() == [12, 8, 4]


def test_who_crashes_everywhere_has_regressed():
    everywhere = {("new", place) for place in range(12)}
    found = judged(CALLS, Rope.parse("1%"), everywhere, new=0.5 * BASE, old=BASE)
    assert found.verdict is Verdict.REGRESSED
    assert found.mean.n == 0
    assert found.row()["median"] == math.inf
    assert found.test.p == 2 / 2**12


def test_crashing_never_improves_a_verdict():
    scale = [Verdict.REGRESSED, Verdict.INCONCLUSIVE, Verdict.EQUIVALENT, Verdict.IMPROVED]
    for factor in (0.5, 0.995, 1.0, 1.5):
        whole = judged(CALLS, Rope.parse("1%"), new=factor * BASE, old=BASE).verdict
        for crashes in (1, 4, 8):
            failed = {("new", place) for place in range(crashes)}
            told = judged(CALLS, Rope.parse("1%"), failed, new=factor * BASE, old=BASE).verdict
            assert scale.index(told) <= max(scale.index(whole), scale.index(Verdict.INCONCLUSIVE))
            assert told is not Verdict.IMPROVED


@settings(max_examples=40)
@given(
    st.lists(st.integers(-9, 9), min_size=8, max_size=8),
    st.sets(st.tuples(st.sampled_from(["new", "old"]), st.integers(0, 7)), max_size=6),
)
def test_seen_from_the_other_side_everything_turns_over(shifts, failed):
    entries = {"new": 50.0 + np.array(shifts), "old": np.full(8, 50.0)}
    frame = trials(SCORE, failed, **entries)
    one, two = (
        compare(paired_differences(frame, *names, SCORE), rope=Rope(0.5))
        for names in (("new", "old"), ("old", "new"))
    )
    turned = {Verdict.IMPROVED: Verdict.REGRESSED, Verdict.REGRESSED: Verdict.IMPROVED}
    assert two.verdict is turned.get(one.verdict, one.verdict)
    assert two.test == one.test
    assert (two.tally.better, two.tally.worse) == (one.tally.worse, one.tally.better)
    assert two.cliffs_delta == pytest.approx(-one.cliffs_delta)
    assert two.median.median == -one.median.median
    assert (two.mean.low, two.mean.high) == pytest.approx((-one.mean.high, -one.mean.low), nan_ok=True)


def test_beside_an_entry_that_failed_the_test_is_wilcoxons_as_scikit_posthocs_has_it():
    drawn = np.random.default_rng(7)
    values = {name: drawn.normal(shift, 1, size=8) for name, shift in zip("abcd", (0, 0, 0, 2), strict=True)}
    loss = Measure("loss", higher_is_better=False)
    failed = trials(loss, {("d", 0)}, **values)  # worse than every number ...
    values["d"][0] = 1e6  # ... which to ranks is the same as a very bad one
    theirs = scikit_posthocs.posthoc_wilcoxon(list(values.values()))
    found = pairwise(failed, loss, rope=NONE, against="d")
    assert [one.test.p for one in found] == pytest.approx(theirs.iloc[:3, 3].tolist())


def test_holms_family_is_all_pairs_of_entries():
    drawn = np.random.default_rng(7)
    found = pairwise(trials(SCORE, **{name: drawn.normal(size=8) for name in "abcd"}), SCORE, rope=NONE)
    expected = multipletests([one.test.p for one in found], method="holm")[1]
    assert [one.p_holm for one in found] == pytest.approx(expected)


def test_against_one_entry_the_family_is_smaller():
    drawn = np.random.default_rng(9)
    frame = trials(SCORE, **{name: drawn.normal(size=8) for name in "abcd"})
    found = pairwise(frame, SCORE, rope=NONE, against="c")
    assert [(one.first, one.second) for one in found] == [("a", "c"), ("b", "c"), ("d", "c")]
    assert min(one.p_holm for one in found) == pytest.approx(min(1, 3 * min(one.test.p for one in found)))


def test_a_table_has_a_row_for_every_pair_and_these_columns():
    drawn = np.random.default_rng(9)
    told = table(pairwise(trials(SCORE, **{name: drawn.normal(size=8) for name in "abcd"}), SCORE, rope=NONE))
    assert list(told) == list(COLUMNS)
    assert len(told) == 6
    assert table([]).empty


def test_few_seeds_can_convince_a_gate_but_not_a_family():
    frame = trials(CALLS, tasks=("x",), new=[120.0, 121.0, 119.0], old=[100.0, 100.0, 100.0])
    rope = Rope.parse("1%")
    assert pairwise(frame, CALLS, rope=rope, decide="interval")[0].verdict is Verdict.REGRESSED
    assert pairwise(frame, CALLS, rope=rope)[0].verdict is Verdict.INCONCLUSIVE


def test_two_that_never_met_are_a_row_that_says_so():
    frame = trials(SCORE, tasks=("x",), a=[1.0, 2.0], b=[1.0, 2.0]).replace({"dataset": {"x": "y"}})
    frame.loc[frame["entry"] == "a", "dataset"] = "x"
    (found,) = pairwise(frame, SCORE, rope=Rope(0.1))
    assert (found.pairs, found.mean.n, found.verdict) == (0, 0, Verdict.INCONCLUSIVE)
    assert math.isnan(found.p_holm)


def test_a_forest_has_a_comparison_for_each_task():
    frame = trials(SCORE, new=[2.0, 3.0, 4.0, 0.0, 0.1, 0.2], old=[1.0, 2.1, 2.9, 0.0, 0.1, 0.2])
    forest = by_task(paired_differences(frame, "new", "old", SCORE), rope=Rope(0.01))
    assert list(forest) == ["x", "y"]
    assert forest["x"].shown.estimate == pytest.approx(1.0)
    assert forest["y"].verdict is Verdict.EQUIVALENT


def test_a_relative_region_is_for_ratios():
    with pytest.raises(ValueError, match="relative"):
        judged(SCORE, Rope.parse("1%"), new=BASE, old=BASE)


def test_the_same_entry_under_noise_is_called_different_at_the_nominal_rate():
    generator, alarms = np.random.default_rng(12), 0
    for _ in range(150):
        found = judged(SCORE, Rope(0.05), new=generator.normal(size=6), old=generator.normal(size=6))
        alarms += found.verdict in (Verdict.IMPROVED, Verdict.REGRESSED)
    assert alarms / 150 <= 0.06

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from deqbench.statistics.equivalence import Verdict
from deqbench.statistics.survival import restricted_means
from deqbench.telling.attaining import attained_by
from deqbench.telling.loading import load
from deqbench.telling.report import answers as answering
from deqbench.telling.report.answers import answers_of, lines
from deqbench.telling.report.content import content_of
from deqbench.telling.report.differences import effect, p_value, told
from deqbench.telling.report.numbers import number
from deqbench.telling.report.sections import Story, answers, attainment, comparisons, statistics, tradeoff
from deqbench.telling.report.terminal import summary_lines
from deqbench.telling.report.weaknesses import turning_seeds, weaknesses
from deqbench.telling.rivals import rivals

OURS = [answers, comparisons, tradeoff, attainment, statistics]


@pytest.fixture(scope="module")
def story(frames):
    return Story(frames, content_of(frames))


@pytest.fixture(scope="module")
def single(fake, tmp_path_factory):
    """One seed of three entries, one of which failed."""
    records = [fake.record(fake.ENTRIES[place], seed=1) for place in (6, 12, 13)]
    return load(fake.write_run(tmp_path_factory.mktemp("single"), records))


def built(frames, section):
    return section.build(Story(frames, content_of(frames)))


@pytest.mark.parametrize(
    ("labels", "told"), [("abc", "c on 1;"), ("abcd", "and 1 other;"), ("abcde", "and 2 others;")]
)
def test_leaders_beyond_the_third_are_counted(labels, told, monkeypatch):
    monkeypatch.setattr(answering, "_rope", lambda _: "1%")
    leads = [
        SimpleNamespace(dataset=label, compared=SimpleNamespace(first=label, verdict=Verdict.INCONCLUSIVE))
        for label in labels
    ]
    assert told in answering._over(leads, "map")


def test_every_answer_names_its_axis_and_its_interval(frames):
    said = list(lines(answers_of(frames)))
    assert said[0].startswith("Highest test accuracy, each at the end of its own run (at most 20 epochs): ")
    axes = ("at equal training seconds", "at equal parameters", "Implicit against explicit")
    assert all(any(axis in one for one in said) for axis in axes)
    assert all("[" in one and "pairs" in one and "Holm p" in one for one in said)


def test_terminal_and_page_and_markdown_say_the_same_answers(frames, reported):
    told_there = " ".join(" ".join(summary_lines(frames)).split())
    page = (reported / "report.html").read_text(encoding="utf-8")
    markdown = (reported / "report.md").read_text(encoding="utf-8")
    for answer in answers_of(frames).answers:
        for sentence in answer.sentences:
            assert sentence in told_there
            assert sentence in markdown
            assert sentence.replace("'", "&#39;") in page


def test_the_first_sentence_is_written_from_the_comparison(frames):
    first = answers_of(frames).answers[0].sentences[0]
    assert first.startswith("on digits, mlp/adam (median 98.1%) is ahead of deq-mlp/anderson/implicit/adam ")
    assert "points [" in first
    assert first.endswith("inconclusive.")


def test_a_failed_pair_stands_in_the_sentence(frames):
    (one,) = rivals(frames)
    (failed,) = [each for each in one.compared if each.first == "unrolled/adam"]
    assert "2 failed by unrolled/adam" in told(failed)
    assert "no interval" in told(failed)


def test_one_seed_says_that_there_is_no_interval(single):
    said = list(lines(answers_of(single)))
    assert said
    assert all("no interval" in one or "no pair that both finished" in one for one in said)


@pytest.mark.parametrize("section", OURS)
def test_every_section_can_be_read_of_a_single_seed_with_a_failure(single, section):
    it = built(single, section)
    assert it is not None
    assert all(isinstance(line, str) for line in section.markdown(it))


@pytest.mark.parametrize("section", OURS)
def test_every_section_leaves_itself_out_where_nothing_was_observed(fake, tmp_path, section):
    frames = load(fake.write_run(tmp_path, [fake.record(fake.ENTRIES[13], seed=2)]))
    assert built(frames, section) is None


def test_the_forest_draws_every_rival_and_its_table_holds_the_numbers(story, frames):
    it = comparisons.build(story)
    (one,) = rivals(frames)
    assert it.picture.data["entry"].tolist() == [each.first for each in one.compared]
    assert it.picture.data["mean"].tolist() == [each.shown.estimate for each in one.compared]
    assert [row[1] for row in it.tables[0].rows] == [effect(each) for each in one.compared]
    assert [row[5] for row in it.tables[0].rows] == [p_value(each.p_holm) for each in one.compared]


def test_fronts_are_told_in_words(story):
    fronts = {axis: entries for axis, _, entries in tradeoff.build(story).fronts}
    assert fronts["training seconds"].split(", ")[-1] == "mlp/adam"


def test_restricted_means_are_those_of_the_statistics(story, frames):
    it = attainment.build(story)
    (one,) = attained_by(frames, "seconds")
    hardest = one.targets[int(0.9 * (len(one.targets) - 1))]
    means = restricted_means(one.times[one.times["target"] == hardest])
    rows = {row[0]: row for row in it.tables[0].rows[-len(means) :]}
    for _, mean in means.iterrows():
        row = rows[mean["entry"]]
        assert row[2] == f"{mean['reached']}/{mean['n']}"
        assert row[6] in (number(mean["mean"]), "-")
    assert rows["unrolled/adam"][4] == "1"


def test_attained_shares_keep_failures_in_the_denominator(story, frames):
    (one,) = attained_by(frames, "seconds")
    counts = one.times.groupby("entry").size()
    assert set(counts) == {3 * len(one.targets)}
    assert [picture.axis for picture in attainment.build(story).pictures] == ["seconds", "updates"]


def test_the_appendix_says_what_tests_can_reach(story):
    facts = dict(statistics.build(story).facts)
    assert "3 seeds cannot reach p < 0.05" in facts["what tests can reach"]
    assert facts["correction"] == "Holm over 13 comparisons"


def test_too_few_seeds_and_uncounted_operations_weaken(frames):
    trials = frames.trials.assign(operations_coverage=0.9)
    said = list(weaknesses(replace(frames, trials=trials)))
    assert any("cannot reach" in one for one in said)
    assert any("90% of the operations had a formula" in one for one in said)


def test_a_lead_that_hangs_on_one_seed_is_named(frames):
    trials = frames.trials[frames.trials["label"].isin(["mlp/adam", "linear/lbfgs"])].copy()
    # lbfgs 0.80 against mlp 0.70; whichever seed leaves, it is not beaten.
    trials["test_accuracy"] = [0.80, 0.80, 0.99, 0.70, 0.70, 0.90]
    assert turning_seeds(replace(frames, trials=trials), "digits") == []
    # lbfgs 0.80 against mlp 0.81; without seed 0 it is 0.76 against 0.705, without seed 2 0.81 against 0.705.
    trials["test_accuracy"] = [0.80, 0.82, 0.70, 0.81, 0.60, 0.81]
    assert turning_seeds(replace(frames, trials=trials), "digits") == [0, 2]

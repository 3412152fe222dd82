from __future__ import annotations

import pytest

from deqbench.comparing.answer import Question, answer
from deqbench.errors import ConfigurationError, IncomparableError
from deqbench.statistics.equivalence import Rope, Verdict
from deqbench.telling.loading import load

NAMES = ("A", "B")


@pytest.fixture
def asked(made):
    def ask(rope="1%", first=None, any_machine=False, metrics=(), decide="holm", **facts):
        question = Question(Rope.parse(rope), metrics, decide, any_machine)
        return answer(load(made("a", **(first or {}))), load(made("b", **facts)), NAMES, question)

    return ask


def worse(entry, dataset, seed):
    return -0.05 - 0.001 * seed


def test_a_run_is_equivalent_to_itself(asked):
    found = asked()
    assert found.verdict is Verdict.EQUIVALENT
    assert found.exit_code(strict=True) == 0
    assert len(found.groups) == 6
    assert {one.compared.verdict for one in found.groups} == {Verdict.EQUIVALENT}


def test_a_loss_in_every_group_is_a_regression_though_no_group_alone_can_show_it(asked):
    found = asked(score=worse, code="c2")
    assert {one.compared.verdict for one in found.groups} == {Verdict.INCONCLUSIVE}
    assert found.overall[0].verdict is Verdict.REGRESSED
    assert found.exit_code(strict=False) == 3


def test_a_gain_is_an_improvement(asked):
    assert asked(score=lambda *place: -worse(*place)).verdict is Verdict.IMPROVED


def test_the_ratio_is_the_second_run_over_the_first(asked):
    found = asked(metrics=("train_seconds",), slower=2.0)
    assert found.overall[0].shown.estimate == pytest.approx(2.0)
    assert found.verdict is Verdict.REGRESSED


def test_a_difference_inside_the_rope_is_equivalent_and_outside_it_is_not(asked):
    def little(entry, dataset, seed):
        return -0.004 - 0.0001 * seed

    assert asked(rope="0.01", score=little).verdict is Verdict.EQUIVALENT
    assert asked(rope="0.001", score=little).verdict is Verdict.REGRESSED


def test_a_trial_that_fails_anew_is_a_regression_whatever_the_numbers_say(asked):
    found = asked(fails=(("mlp", "wine", 1),), score=lambda *place: 0.05)
    assert found.verdict is Verdict.REGRESSED
    assert [(one.label, one.dataset, one.broken) for one in found.groups if one.broken] == [
        ("mlp/adam", "wine", 1)
    ]


def test_a_mended_trial_is_no_regression_and_not_called_equivalent(asked):
    found = asked(first={"fails": (("mlp", "wine", 1),)})
    assert found.verdict is Verdict.INCONCLUSIVE
    assert (found.exit_code(strict=False), found.exit_code(strict=True)) == (0, 4)


def test_by_intervals_alone_three_seeds_show_a_regression_of_one_group(asked):
    def one_group(entry, dataset, seed):
        return worse(entry, dataset, seed) if (entry, dataset) == ("mlp", "wine") else 0.0

    found = asked(decide="interval", score=one_group)
    assert [one.label for one in found.groups if one.compared.verdict is Verdict.REGRESSED] == ["mlp/adam"]
    assert found.verdict is Verdict.REGRESSED


def test_eight_seeds_show_it_after_holms_correction_too(asked):
    def one_group(entry, dataset, seed):
        return worse(entry, dataset, seed) if (entry, dataset) == ("mlp", "wine") else 0.0

    seeds = tuple(range(8))
    found = asked(first={"seeds": seeds}, seeds=seeds, score=one_group)
    [regressed] = [one for one in found.groups if one.compared.verdict is Verdict.REGRESSED]
    assert regressed.compared.p_holm == pytest.approx(6 * 2 / 2**8)


def test_other_data_make_runs_incomparable(asked):
    with pytest.raises(IncomparableError, match=r"the data of 'digits' differ .*d1-digits-0 in A"):
        asked(data="d2")


def test_runs_without_a_common_trial_are_incomparable(asked):
    with pytest.raises(IncomparableError, match="share no trial"):
        asked(seeds=(7, 8))


def test_times_of_another_machine_are_compared_on_request_alone(asked):
    other = {"cpu": {"model": "two", "usable": 2}, "gpus": [], "versions": {"torch": "2.13.0"}}
    assert asked(environment=other).verdict is Verdict.EQUIVALENT
    with pytest.raises(IncomparableError, match=r"train_seconds depends on the machine, and cpu\.model"):
        asked(environment=other, metrics=("train_seconds",))
    found = asked(environment=other, metrics=("train_seconds",), any_machine=True)
    assert found.machines


def test_what_one_run_alone_holds_is_counted_and_takes_no_part(asked):
    found = asked(first={"seeds": (0, 1, 2, 3)}, entries=("linear", "mlp"))
    assert found.only == (4 * 2 * 3 - 2 * 2 * 3, 0)
    assert {one.compared.pairs for one in found.groups} == {3}


def test_an_unknown_metric_offers_the_nearest(asked):
    with pytest.raises(ConfigurationError, match="Did you mean 'train_seconds'"):
        asked(metrics=("train_second",))


def test_a_relative_rope_of_a_metric_that_is_negative_somewhere_is_a_share_of_its_size(asked):
    found = asked(score=lambda entry, dataset, seed: -1.0, first={"score": lambda *place: -1.0})
    assert found.overall[0].measure.kind == "difference"
    assert found.overall[0].rope.size == pytest.approx(0.01 * 0.09, rel=0.2)

"""Counting the operations of a training: what is counted, what is scaled, and that it disturbs nothing."""

from __future__ import annotations

import math
import time

import pytest
from trial_bench import ODD_PLUGINS, make_trial

from deqbench.discovery.registry import Registry
from deqbench.experiments import accounting, run_trial
from deqbench.experiments.replaying import Effort, Replay, Stretch, estimated, room_to_count, time_to_count
from deqbench.measuring.operations import OperationCounter
from deqbench.records import Status
from deqbench.trials import Limits

OPERATIONS = ("operations", "operations_coverage", "operations_replayed")
DEQ = {"model": "deq-mlp[width=16]", "solver": "anderson", "gradient": "implicit", "trainer": "adam[lr=0.01]"}


@pytest.fixture(scope="module")
def registry():
    return Registry.load()


def costs(registry, *, counting=1.0, settings=None, **axes):
    settings = {"counting": counting, **(settings or {})}
    record = run_trial(make_trial(registry, probes=("loss",), settings=settings, **axes), registry)
    assert record.status in {Status.OK, Status.NOT_CONVERGED}, record.reason
    return record.costs


def epochs(count):
    return {"budget": {"epochs": count, "steps": None}}


def test_gradient_descent_on_a_linear_model_takes_what_its_products_do(registry):
    found = costs(registry, trainer="gd", settings={"budget": {"epochs": None, "steps": 4}})
    n, features, classes = 116, 14, 3  # wine's training split, its 13 features and a constant
    products = 4 * (2 + 2) * n * features * classes  # 4 updates: predictions, and the gradient by the weights
    assert found["operations_replayed"] == found["operations_coverage"] == 1.0
    assert products < found["operations"] < 1.5 * products  # the loss and the update are small beside them


@pytest.mark.parametrize(
    "axes",
    [
        {"model": "mlp[width=16]", "trainer": "adam"},
        {"model": "linear", "trainer": "trust-region-newton"},
        {**DEQ, "solver": "broyden", "gradient": "one-step"},
        DEQ,
        {**DEQ, "model": "deq-linear", "solver": "direct"},
    ],
    ids=lambda axes: f"{axes['model']}-{axes.get('solver', axes['trainer'])}",
)
def test_a_few_updates_tell_what_all_of_them_took(registry, axes):
    settings = {**epochs(12), "loss": {"name": "auto", "l2": 1e-2}}
    whole = costs(registry, settings=settings, **axes)
    part = costs(registry, counting=0.1, settings=settings, **axes)
    assert whole["operations_replayed"] == 1.0
    assert part["operations_replayed"] < (0.5 if part["steps"] > 20 else 1.0)
    assert part["operations"] == pytest.approx(whole["operations"], rel=0.05)


def test_the_count_is_the_same_each_time(registry):
    assert costs(registry, **DEQ)["operations"] == costs(registry, **DEQ)["operations"]


def test_counting_changes_nothing_else(registry):
    with_it, without = (
        run_trial(make_trial(registry, settings={"counting": share, **epochs(3)}, **DEQ), registry)
        for share in (0.05, 0.0)
    )
    assert with_it.metrics == without.metrics
    assert [(p.step, p.name, p.value) for p in with_it.curves] == [
        (p.step, p.name, p.value) for p in without.curves
    ]
    own = {*OPERATIONS, "map_operations", "counting_seconds"}
    timed = {name for name in with_it.costs if "seconds" in name or "bytes" in name}
    for name in set(with_it.costs) - own - timed:
        assert with_it.costs[name] == without.costs[name], name
    assert set(with_it.costs) - set(without.costs) == own


def test_longer_solves_are_charged_at_the_price_of_a_map_call(registry):
    """The slope of operations over calls is what one call was found to take, by itself."""
    axes = {
        "model": "deq-mlp[width=48]",
        "solver": "picard",
        "gradient": "one-step",
        "trainer": "gd[lr=0.001]",
    }
    few, many = (
        costs(registry, settings={"stop": {"tolerance": 1e-30, "max_calls": calls}}, **axes)
        for calls in (10, 30)
    )
    calls = many["forward_sample_calls"] - few["forward_sample_calls"]
    slope = (many["operations"] - few["operations"]) / calls
    assert few["map_operations"] == 2 * 48**2 + 48  # a product with W, and tanh
    assert slope == pytest.approx(few["map_operations"], rel=0.05)


@pytest.mark.parametrize("trainer", ["scipy-trust-ncg", "newton-cholesky"])
def test_work_that_leaves_torch_is_unknown_not_small(registry, trainer):
    settings = {"dtype": "float64", "loss": {"name": "auto", "l2": 1e-2}}
    found = costs(registry, model="linear", trainer=trainer, settings=settings)
    assert [found[name] for name in OPERATIONS] == [None, None, None]


def test_it_can_be_switched_off(registry):
    assert not {*OPERATIONS, "map_operations", "counting_seconds"} & set(costs(registry, counting=0.0, **DEQ))


def test_a_count_that_fails_leaves_the_trial_as_it_ended(registry, monkeypatch):
    def broken(*arguments):
        raise ValueError

    monkeypatch.setattr(accounting, "_replayed", broken)
    found = costs(registry, **DEQ)
    assert found["operations"] is None
    assert found["train_seconds"] > 0


def test_a_count_without_time_is_unknown(registry, monkeypatch):
    monkeypatch.setattr(accounting, "time_to_count", lambda *arguments: time.monotonic() - 1)
    found = costs(registry, **DEQ)
    assert [found[name] for name in OPERATIONS] == [None, None, None]


def test_a_trial_that_ran_out_of_time_is_not_counted():
    odd = Registry.load(ODD_PLUGINS)
    settings = {"budget": {"epochs": None, "steps": 10_000}}
    record = run_trial(make_trial(odd, trainer="failing[how=slow]", seconds=0.3, settings=settings), odd)
    assert record.status is Status.TIMEOUT
    assert "operations" not in record.costs


def test_counting_ends_a_tenth_before_the_trials_limit(registry):
    trial = make_trial(registry, seconds=50.0)
    now = time.monotonic()
    assert time_to_count(trial, 1000.0, now + 20.0, 0.05) == now + 15.0
    assert time_to_count(trial, 1000.0, now + 20.0, 1.0) == now + 15.0


def test_counting_takes_a_second_or_a_quarter_of_the_training(registry):
    trial, now = make_trial(registry), time.monotonic()
    assert time_to_count(trial, 0.1, math.inf, 0.05) == pytest.approx(now + 1.0, abs=0.5)
    assert time_to_count(trial, 100.0, math.inf, 0.05) == pytest.approx(now + 25.0, abs=0.5)


def test_a_trial_near_its_limit_of_memory_is_not_counted(registry):
    trial = make_trial(registry)
    assert room_to_count(trial, 2**50)
    limited = type(trial)(**{**vars(trial), "limits": Limits(memory_bytes=2**30)})
    assert not room_to_count(limited, 2**30)


def test_hessian_products_are_named_by_how_they_are_made(registry):
    made = {}
    for model in ("linear", "mlp[width=4]"):
        trial = make_trial(registry, model=model, trainer="trust-region-newton")
        made[model] = run_trial(trial, registry).host["hessian_products_by"]
    assert made == {"linear": "closed form", "mlp[width=4]": "reverse over reverse"}
    assert run_trial(make_trial(registry), registry).host["hessian_products_by"] is None


def test_a_rest_at_the_rate_of_both_ends_is_scaled_by_effort():
    start = Stretch(2, 200, Effort(outer=2.0))
    end = Stretch(1, 100, Effort(outer=1.0))
    assert estimated(start, end, Effort(outer=10.0), 10) == 1000.0


def test_calls_that_grow_are_charged_between_the_rates_of_the_ends():
    # 100 a pass and 10 a call: one update of 1 pass and 1 call, later ones of 1 pass and 9 calls.
    start = Stretch(1, 110, Effort(1.0, 1.0))
    end = Stretch(1, 190, Effort(1.0, 9.0))
    whole = Effort(10.0, 1.0 + 9 * 5.0)  # 5 calls on the way
    exact = 100 * 10 + 10 * 46
    assert estimated(start, end, whole, 10) == pytest.approx(exact, rel=1e-9)


def test_a_training_that_was_counted_whole_is_not_scaled():
    assert estimated(Stretch(3, 77, Effort(3.0)), Stretch(), Effort(5.0), 3) == 77.0


def test_updates_that_asked_for_nothing_are_scaled_by_their_number():
    assert estimated(Stretch(2, 50, Effort()), Stretch(), Effort(), 8) == 200.0


def test_counting_uses_no_more_updates_than_its_share(registry):
    made = []

    def endless():
        while True:
            made.append(1)
            yield 0.0

    class Counts:
        values = gradient_samples = linearisations = hessian_products = 0

    class Objective:
        counts, n = Counts(), 1

    replay = Replay(0.1, 100, Effort(), time.monotonic() + 60)
    with OperationCounter():
        pass  # the counter's own first use costs time, not updates
    replay.costs(lambda: (Objective(), endless()), None)
    assert len(made) == 5

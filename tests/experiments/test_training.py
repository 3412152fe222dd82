"""The training experiment, end to end on real data, and every way in which a trial can end."""

from __future__ import annotations

import json
import math

import pytest
import torch
from trial_bench import ODD_PLUGINS, SETTINGS, make_trial

from deqbench.discovery.registry import Registry
from deqbench.discovery.sources import PluginSources
from deqbench.experiments import run_job, run_trial
from deqbench.records import Record, Status
from deqbench.suites.suite import expand, read_suite

IMPLICIT = ("deq-linear", "deq-mlp")


@pytest.fixture(scope="module")
def registry():
    return Registry.load()


@pytest.fixture(scope="module")
def odd():
    return Registry.load(ODD_PLUGINS)


def equilibrium_axes(model, solver="anderson", gradient="implicit"):
    return {"solver": solver, "gradient": gradient} if model in IMPLICIT else {}


def as_job(trial):
    emitted = []
    payload = json.loads(json.dumps({"trial": trial.to_json(), "plugins": PluginSources().to_json()}))
    value = json.loads(json.dumps(run_job(payload, emitted.append), allow_nan=False))
    return Record.from_json(value), emitted


def curve(record, name):
    return [point.value for point in record.curves if point.name == name]


@pytest.mark.parametrize("dataset", ["wine", "digits"])
@pytest.mark.parametrize("model", ["linear", "mlp", "unrolled", "deq-linear", "deq-mlp"])
def test_every_model_trains_on_real_data_through_a_job(registry, dataset, model):
    trial = make_trial(
        registry, dataset=dataset, model=model, trainer="adam[lr=0.01]", **equilibrium_axes(model)
    )
    record, _ = as_job(trial)
    assert (record.status, record.reason) == (Status.OK, None)
    losses = curve(record, "train_loss")
    assert losses[-1] < losses[0]
    assert ("spectral_radius" in record.metrics) == (model in IMPLICIT)


@pytest.mark.parametrize(
    "trainer",
    ["gd", "sgd", "adam", "adamw", "lbfgs", "trust-region-newton", "scipy-trust-ncg", "newton-cholesky"],
)
def test_every_trainer_trains_a_linear_model_through_a_job(registry, trainer):
    settings = {"dtype": "float64", "loss": {"name": "auto", "l2": 1e-3}}
    record, _ = as_job(make_trial(registry, trainer=trainer, settings=settings))
    assert (record.status, record.reason) == (Status.OK, None)
    objectives = curve(record, "train_objective")
    assert objectives[-1] < objectives[0]


@pytest.mark.parametrize("trainer", ["sgd", "lbfgs", "trust-region-newton"])
def test_a_deq_trains_with_a_trainer_of_each_kind(registry, trainer):
    trial = make_trial(registry, model="deq-linear", trainer=trainer, **equilibrium_axes("deq-linear"))
    record, _ = as_job(trial)
    assert record.status is Status.OK, record.detail
    assert curve(record, "train_loss")[-1] < curve(record, "train_loss")[0]


@pytest.mark.parametrize("gradient", ["implicit", "unrolled", "one-step"])
def test_a_deq_trains_with_every_gradient(registry, gradient):
    axes = equilibrium_axes("deq-mlp", gradient=gradient)
    record, _ = as_job(make_trial(registry, model="deq-mlp", trainer="adam", **axes))
    assert record.status is Status.OK, record.detail


def test_a_regression_is_scored_by_r2(registry):
    record = run_trial(make_trial(registry, dataset="diabetes", trainer="lbfgs"), registry)
    assert record.status is Status.OK
    assert 0.4 < record.metrics["train_r2"] < 0.6  # least squares explains 51.8% of all 442 patients
    assert "test_accuracy" not in record.metrics


def test_a_linear_model_reads_digits(registry):
    settings = {"budget": {"epochs": 30, "steps": None}, "loss": {"name": "auto", "l2": 1e-3}}
    record = run_trial(make_trial(registry, dataset="digits", trainer="lbfgs", settings=settings), registry)
    assert record.metrics["test_accuracy"] > 0.94


def test_observations_are_emitted_as_they_are_made(registry):
    record, emitted = as_job(make_trial(registry))
    assert emitted == [point.to_json() for point in record.curves]


def test_the_record_says_what_the_trial_cost(registry):
    axes = equilibrium_axes("deq-mlp")
    record, _ = as_job(make_trial(registry, model="deq-mlp", trainer="sgd[batch_size=16]", **axes))
    costs = record.costs
    assert costs["steps"] == 6
    assert costs["gradients"] == 6
    assert costs["epochs"] == pytest.approx(6 * 16 / 115)
    assert costs["forward_solves"] == costs["backward_solves"] == 6
    assert costs["forward_samples"] == 6 * 16
    assert costs["forward_map_calls"] > 6
    assert costs["backward_vjps"] > 6
    for name in ("train_seconds", "cpu_seconds", "evaluation_seconds", "warmup_seconds", "parameters"):
        assert costs[name] > 0
    assert costs["peak_bytes"] >= 0
    assert record.host["pid"] > 0
    assert record.host["device"]


def test_probes_and_warm_up_are_not_charged(odd):
    with_probes = run_trial(make_trial(odd, probes=("loss", "meddling")), odd)
    without = run_trial(make_trial(odd, probes=()), odd)
    for name in ("values", "gradients", "data_passes", "epochs", "steps"):
        assert with_probes.costs[name] == without.costs[name]


def test_probes_change_no_other_number(odd):
    alone = run_trial(make_trial(odd, trainer="noisy", probes=("loss",)), odd)
    meddled = run_trial(make_trial(odd, trainer="noisy", probes=("meddling", "loss")), odd)
    assert curve(alone, "train_loss") == curve(meddled, "train_loss")


def test_a_probe_draws_from_its_own_stream(odd):
    record = run_trial(make_trial(odd, probes=("meddling",)), odd)
    assert len(set(curve(record, "drawn"))) == 1


@pytest.mark.parametrize(
    "axes",
    [
        {"trainer": "sgd"},
        {"model": "deq-mlp", "trainer": "adam", **equilibrium_axes("deq-mlp")},
        {"model": "deq-linear", "trainer": "sgd", **equilibrium_axes("deq-linear", gradient="one-step")},
    ],
)
def test_the_same_trial_gives_the_same_bits(registry, axes):
    first, second = (run_trial(make_trial(registry, **axes), registry) for _ in range(2))
    assert first.status is second.status is Status.OK
    assert [(p.step, p.name, p.value) for p in first.curves] == [
        (p.step, p.name, p.value) for p in second.curves
    ]


def test_a_trainer_that_draws_at_random_is_reproducible(odd):
    first, second = (run_trial(make_trial(odd, trainer="noisy"), odd) for _ in range(2))
    assert first.metrics == second.metrics


def test_another_seed_gives_another_run(registry):
    first, second = (run_trial(make_trial(registry, seed=seed), registry) for seed in (0, 1))
    assert first.metrics["train_loss"] != second.metrics["train_loss"]


def test_both_dtypes_start_from_the_same_point(odd):
    half, full = (
        run_trial(make_trial(odd, model="plain", settings={"dtype": dtype}), odd).curves[0]
        for dtype in ("float32", "float64")
    )
    assert half.value == pytest.approx(full.value, rel=1e-6)


def test_a_trial_leaves_the_process_as_it_was(registry):
    before = torch.get_default_dtype(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    run_trial(make_trial(registry, settings={"dtype": "float64", "threads": 2}), registry)
    after = torch.get_default_dtype(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    assert after == before


def test_observations_stand_at_the_start_at_even_parts_and_at_the_end(registry):
    record = run_trial(make_trial(registry, probes=("loss",)), registry)
    assert sorted({point.step for point in record.curves}) == [0, 2, 4, 6]


def test_epochs_end_a_minibatch_run(registry):
    settings = {"budget": {"epochs": 2.0, "steps": None}}
    record = run_trial(make_trial(registry, trainer="sgd[batch_size=16]", settings=settings), registry)
    assert record.costs["steps"] == 2 * math.ceil(115 / 16)
    assert record.costs["epochs"] == pytest.approx(2.0)


def test_a_trainer_that_is_done_ends_its_run_well(odd):
    record = run_trial(make_trial(odd, trainer="failing[how=done]"), odd)
    assert record.status is Status.OK
    assert record.curves[-1].step == 2


@pytest.mark.parametrize(
    ("how", "status", "words"),
    [
        ("raise", Status.ERROR, "ValueError: the trainer fell over"),
        ("not-a-number", Status.DIVERGED, "The loss is nan after step 3"),
        ("not-finite", Status.DIVERGED, "the gradient is infinite"),
        ("inapplicable", Status.SKIPPED, "needs a convex loss"),
        ("memory", Status.OUT_OF_MEMORY, "memory"),
        ("poison", Status.DIVERGED, "not finite after step 3"),
    ],
)
def test_a_trainer_that_fails_is_a_row_with_its_status_curves_and_costs(odd, how, status, words):
    trial = make_trial(odd, trainer=f"failing[how={how}]", settings={"evaluations": 6})
    record = run_trial(trial, odd)
    assert record.status is status
    assert words in record.reason
    assert {0, 1, 2} <= {point.step for point in record.curves}
    assert record.costs["train_seconds"] > 0
    assert record.costs["gradients"] >= 2


def test_a_run_that_broke_shows_no_score(odd):
    trial = make_trial(odd, trainer="failing[how=poison]", settings={"evaluations": 6})
    assert run_trial(trial, odd).metrics["test_accuracy"] is None


def test_a_slow_run_stops_between_two_steps_with_its_curves(odd):
    settings = {"budget": {"epochs": None, "steps": 10_000}}
    trial = make_trial(odd, trainer="failing[how=slow]", seconds=0.3, settings=settings)
    record = run_trial(trial, odd)
    assert record.status is Status.TIMEOUT
    assert "limit of wall time" in record.reason
    assert record.curves[-1].step == record.costs["steps"] > 2


def test_equilibria_that_miss_their_tolerance_are_told(odd):
    axes = equilibrium_axes("deq-mlp", solver="unmoved", gradient="one-step")
    record = run_trial(make_trial(odd, model="deq-mlp", **axes), odd)
    assert record.status is Status.NOT_CONVERGED
    assert "missed their tolerance" in record.reason
    assert record.metrics["unconverged_share"] == 1.0
    assert record.costs["forward_unconverged_samples"] == record.costs["forward_samples"]


def test_a_solver_that_does_not_apply_skips_the_trial(registry):
    axes = equilibrium_axes("deq-mlp", solver="direct")
    record = run_trial(make_trial(registry, model="deq-mlp", **axes), registry)
    assert record.status is Status.SKIPPED
    assert record.reason


def test_data_that_cannot_be_used_are_an_error_row(odd):
    record = run_trial(make_trial(odd, dataset="broken"), odd)
    assert record.status is Status.ERROR
    assert "holds inf or nan" in record.reason


def test_plugins_that_are_gone_are_an_error_row(registry):
    trial = make_trial(registry)
    plugins = PluginSources(paths=("/no/such/plugin.py",)).to_json()
    record = Record.from_json(run_job({"trial": trial.to_json(), "plugins": plugins}, lambda value: None))
    assert record.status is Status.ERROR
    assert "/no/such/plugin.py" in record.reason


def test_a_missing_gpu_is_said_plainly(registry):
    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    record = run_trial(make_trial(registry, settings={"device": "cuda"}), registry)
    assert record.status is Status.ERROR
    assert "--device cpu" in record.reason


def test_every_trial_of_the_smoke_suite_is_ok(registry):
    for trial in expand(read_suite("smoke", registry), registry):
        record, _ = as_job(trial)
        assert (record.status, record.reason) == (Status.OK, None), trial.label
        assert set(trial.settings) == set(SETTINGS)

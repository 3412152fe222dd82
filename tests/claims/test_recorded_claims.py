"""Claims that read the records of trainings: on tables made by hand, and on a run."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from deqbench.claims import Outcome, decide
from deqbench.cli import main
from deqbench.discovery.registry import Registry
from deqbench.experiments import run_trial
from deqbench.keeping.store import Store
from deqbench.suites.suite import expand, read_suite
from deqbench_plugins.claims.recorded import RecordedColumnSums, RecordedLeastEigenvalue, RecordedRate
from deqbench_plugins.claims.recorded_optimum import RecordedOptimum, RecordedWeights

STEPS = [0, 10, 20, 30]


def table(*rows):
    """One trial a row: (model, trainer, curves by name), and its curves in the form of a run's tables."""
    trials, curves = [], []
    for number, (model, trainer, observed) in enumerate(rows):
        key = f"k{number}"
        trials.append(
            {
                "key": key,
                "dataset": "made",
                "entry": f"{model} | {trainer}",
                "model": model,
                "trainer": trainer,
                "status": "ok",
                "dtype": "float64",
                "loss.l2": 0.0,
                "trainer.lr": 0.01,
            }
        )
        for name, values in observed.items():
            for step, value in zip(STEPS, values, strict=True):
                curves.append({"key": key, "step": step, "name": name, "value": value})
    columns = ["key", "step", "name", "value"]
    return pd.DataFrame(trials), pd.DataFrame(curves, columns=columns)


def verdicts(claim, *rows):
    return [decide(evidence, claim.tolerance) for _, evidence in claim.read(*table(*rows))]


ROUNDING = {"column_sum_drift": [0, 1e-15, 2e-15, 1e-15]}
ADAMS = {"column_sum_drift": [0, 0.1, 0.3, 0.5]}


def test_column_sums_that_stay_hold_and_adams_drift_is_the_control():
    (verdict,) = verdicts(RecordedColumnSums(), ("deq-linear", "gd", ROUNDING), ("deq-linear", "adam", ADAMS))
    assert verdict.verdict is Outcome.HOLDS
    assert verdict.control_fired


def test_column_sums_that_drift_under_descent_are_a_violation():
    (verdict,) = verdicts(RecordedColumnSums(), ("deq-linear", "sgd", ADAMS))
    assert verdict.verdict is Outcome.VIOLATED


def test_an_adam_that_does_not_drift_is_no_control():
    (verdict,) = verdicts(
        RecordedColumnSums(), ("deq-linear", "gd", ROUNDING), ("deq-linear", "adam", ROUNDING)
    )
    assert verdict.verdict is Outcome.INCONCLUSIVE


def test_a_least_eigenvalue_above_the_papers_floor_holds():
    claim = RecordedLeastEigenvalue()
    fine = {"lambda_low": [0.5] * 4, "lambda_over_paper": [20, 10, 12, 15]}
    (verdict,) = verdicts(claim, ("deq-linear", "adam", fine))
    assert verdict.verdict is Outcome.HOLDS
    assert verdict.worst == pytest.approx(0.1)
    assert verdict.control_fired  # a floor of 1
    below = {"lambda_low": [0.5] * 4, "lambda_over_paper": [20, 10, 0.99, 15]}
    (verdict,) = verdicts(claim, ("deq-linear", "adam", below))
    assert verdict.verdict is Outcome.VIOLATED


def gaps(rate, **more):
    """The gap exp(-rate step) where kappa lambda_T = 1: gradient descent's bound is (1 - .005)^step."""
    known = {"kappa": [2.0] * 4, "lambda_T": [0.5] * 4, "optimum_attained": [1.0] * 4}
    return {"gap": [float(np.exp(-rate * step)) for step in STEPS], **known, **more}


@pytest.mark.parametrize(("rate", "outcome"), [(0.02, Outcome.HOLDS), (0.004, Outcome.VIOLATED)])
def test_the_gap_of_gradient_descent_is_held_against_its_bound(rate, outcome):
    observed = gaps(rate, delta_bar=[0.02] * 4)
    (verdict,) = verdicts(RecordedRate(), ("deq-linear", "gd", observed))
    assert verdict.verdict is outcome
    assert verdict.control_fired


@pytest.mark.parametrize("bound", [1.0, 0.4])
def test_the_gap_of_a_flow_is_held_against_the_probes_bound(bound):
    observed = gaps(0.02, rate_bound=[np.nan, *(bound * np.exp(-0.01 * step) for step in STEPS[1:])])
    (verdict,) = verdicts(RecordedRate(), ("deq-linear", "gradient-flow", observed))
    assert verdict.verdict is (Outcome.HOLDS if bound == 1 else Outcome.VIOLATED)


@pytest.mark.parametrize(
    ("observed", "word"),
    [
        (gaps(0.02), "add 'theory-trust-region'"),
        (gaps(0.02, delta_bar=[0.005] * 4), "at most delta bar"),
        (gaps(0.02, delta_bar=[0.02] * 4) | {"optimum_attained": [0.0] * 4}, "optimum exists"),
        (gaps(0.02, delta_bar=[0.02] * 4) | {"kappa": [1e-9] * 4}, "says nothing"),
    ],
    ids=["no reach", "too long a step", "separable", "vacuous"],
)
def test_a_rate_without_its_assumptions_is_inconclusive_and_says_why(observed, word):
    (verdict,) = verdicts(RecordedRate(), ("deq-linear", "gd", observed))
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert word in verdict.reason


def test_a_delm_above_the_linear_optimum_holds_and_a_network_below_it_is_the_control():
    above = {"linear_optimum": [0.5] * 4, "linear_gap": [1.0, 0.1, 0.01, 1e-17]}
    below = {"linear_optimum": [0.5] * 4, "linear_gap": [1.0, 0.1, -0.1, -0.2]}
    (verdict,) = verdicts(RecordedOptimum(), ("deq-linear", "adam", above), ("mlp", "adam", below))
    assert verdict.verdict is Outcome.HOLDS
    assert verdict.control_fired
    (verdict,) = verdicts(RecordedOptimum(), ("deq-linear", "adam", below))
    assert verdict.verdict is Outcome.VIOLATED


def test_the_weights_of_a_long_run_are_the_best_ones_and_short_runs_are_left_out():
    claim = RecordedWeights()
    long = {"weight_distance": [1.0, 0.1, 1e-3, 1e-6], "gap_ratio": [1.0, 1e-2, 1e-6, 1e-12]}
    short = {"weight_distance": [1.0, 0.9, 0.8, 0.7], "gap_ratio": [1.0, 0.9, 0.8, 0.7]}
    (verdict,) = verdicts(claim, ("deq-linear", "gd", long), ("deq-linear", "adam", short))
    assert verdict.verdict is Outcome.HOLDS
    assert verdict.control_fired
    elsewhere = long | {"weight_distance": [1.0, 0.1, 0.1, 0.1]}
    (verdict,) = verdicts(claim, ("deq-linear", "gd", elsewhere))
    assert verdict.verdict is Outcome.VIOLATED


@pytest.mark.parametrize(
    ("claim", "probe"),
    [
        (RecordedColumnSums(), "theory-invariants"),
        (RecordedLeastEigenvalue(), "theory-metric"),
        (RecordedRate(), "theory-rate"),
        (RecordedOptimum(), "linear-gap"),
        (RecordedWeights(), "theory-rate"),
    ],
    ids=lambda one: getattr(one, "code", one),
)
def test_a_training_without_the_probe_is_told_which_one_to_add(claim, probe):
    (verdict,) = verdicts(claim, ("deq-linear", "gd", {"train_loss": [1.0, 0.5, 0.2, 0.1]}))
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert f"add '{probe}' to the suite's probes" in verdict.reason
    assert verdicts(claim, ("mlp", "gd", {"train_loss": [1.0, 0.5, 0.2, 0.1]})) == []


def test_a_run_of_no_trainings_has_nothing_to_read():
    trials = pd.DataFrame({"key": ["a"], "dataset": ["depth-law"], "claim": ["depth-law"], "status": ["ok"]})
    assert RecordedColumnSums().read(trials, pd.DataFrame(columns=["key", "step", "name", "value"])) == []


def test_reading_records_imports_no_torch():
    rooms = ["recorded", "recorded_optimum", "recordings"]
    code = "import sys, " + ", ".join(f"deqbench_plugins.claims.{room}" for room in rooms)
    code += "; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


SUITE = """
experiment = "training"
dtype = "float64"
evaluations = 2
probes = ["loss", "linear-gap", "theory-rate", "theory-metric", "theory-trust-region", "theory-invariants"]
[budget]
steps = 30
[stop]
tolerance = 1e-12
[defaults]
dataset = "teacher[kind=tanh-deq,n=60,inputs=4,noise=0.0,gamma=0.9]"
solver = "direct"
gradient = "implicit"
[[grid]]
model = "deq-linear"
trainer = ["gradient-flow[horizon=4.0,points=30]", "gd[lr=0.02]", "sgd[lr=0.01]", "adam[lr=0.01]"]
"""


def test_the_claims_of_a_real_run_hold_and_adam_is_found_out(tmp_path, capsys):
    suite_file, registry = tmp_path / "small.toml", Registry.load()
    suite_file.write_text(SUITE, encoding="utf-8")
    suite = read_suite(str(suite_file), registry)
    trials = expand(suite, registry, device="cpu")
    store = Store(tmp_path / "out")
    store.write_suite(suite.to_json())
    store.write_plan([{"key": one.key, "trial": one.to_json()} for one in trials])
    for one in trials:
        store.write(run_trial(one, registry))
    with pytest.raises(SystemExit) as ended:
        main(["claims", str(tmp_path / "out")])
    told = capsys.readouterr().out
    assert ended.value.code == 0, told
    lines = {line.split()[0]: line.split() for line in told.splitlines() if "-records" in line[:12]}
    assert lines["C9-records"][1] == "HOLDS"
    assert lines["C9-records"][3:5] == ["3/3", "fail"]  # Adam's drift, seen for gd, sgd and the flow
    assert lines["C4-records"][1] == "HOLDS"
    assert lines["C1-records"][1] == "HOLDS"

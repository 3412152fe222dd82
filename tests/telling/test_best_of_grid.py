"""Entries at their own best step: geometric gaps, whose counts a logarithm gives."""

from __future__ import annotations

import math

import pytest

from deqbench.records import CurvePoint, Record, Status
from deqbench.telling.best_of_grid import best_of_grid
from deqbench.telling.loading import load
from deqbench.telling.report import write
from deqbench.trials import Ref, Trial

# learning rate -> factor by which the gap falls a step, and how the trial ends
FACTORS = {
    "linear": {0.1: (0.9, "ok"), 0.2: (0.8, "ok"), 0.4: (0.7, "ok"), 0.8: (0.1, "diverged")},
    "deq-linear": {0.1: (0.95, "ok"), 0.2: (0.97, "ok"), 0.4: (0.99, "ok"), 0.8: (0.999, "ok")},
}
STEPS = 100
SUITE = {"name": "grid", "experiment": "training", "seeds": [0, 1, 2], "primary": "linear_gap"}


def trials():
    for model, grid in FACTORS.items():
        for lr, (factor, status) in grid.items():
            for seed in (0, 1, 2):
                yield model, f"gd[lr={lr}]", factor, status, seed
    yield "linear", "trust-region-newton", 1e-3, "ok", 0


def record(model, trainer, factor, status, seed):
    components = {"dataset": Ref("teacher"), "model": Ref(model), "trainer": Ref.parse(trainer)}
    parameters = {axis: dict(ref.parameters) for axis, ref in components.items()}
    settings = {"dtype": "float64", "device": "cpu", "budget": {"steps": STEPS}}
    trial = Trial("grid", "training", components, parameters, seed, settings)
    points = [CurvePoint(k, float(k), 0.01 * k, "linear_gap", 5.0 * factor**k) for k in range(STEPS + 1)]
    metrics = {"linear_gap": points[-1].value, "preconditioned_condition": 100.0 * (1 + seed)}
    return Record(trial, Status(status), curves=tuple(points), metrics=metrics)


@pytest.fixture
def folder(tmp_path, fake):
    return fake.write_run(tmp_path / "grid", [record(*one) for one in trials()], suite=SUITE)


@pytest.fixture
def found(folder):
    return {one.entry: one for one in best_of_grid(load(folder))}


def expected(factor):
    return tuple(math.ceil(math.log(share) / math.log(factor) - 1e-9) for share in (0.1, 0.01, 0.001))


def test_entries_that_differ_in_the_step_alone_are_one_entry(found):
    assert list(found) == ["linear | gd", "deq-linear | gd", "linear | trust-region-newton"]


def test_the_best_step_is_told_with_its_counts_and_a_diverged_one_is_none(found):
    assert found["linear | gd"].value == 0.4
    assert found["linear | gd"].steps == expected(0.7)
    assert not found["linear | gd"].edge


def test_a_best_step_at_the_end_of_its_grid_is_marked_and_what_is_not_reached_is_infinite(found):
    assert found["deq-linear | gd"].value == 0.1
    assert found["deq-linear | gd"].edge
    assert found["deq-linear | gd"].steps == (*expected(0.95)[:2], math.inf)


def test_probes_are_medians_over_seeds(found):
    assert found["linear | gd"].probes == {"preconditioned_condition": 200.0}


def test_the_page_and_the_markdown_tell_the_table(folder):
    write(folder)
    for name in ("report.html", "report.md"):
        text = (folder / name).read_text(encoding="utf-8")
        for words in ("ach at its best step", "best step", "0.1*", "κ(D½ H D½)"):
            assert words in text


def test_a_run_without_a_grid_of_steps_has_no_such_table(tmp_path, fake):
    one = record("linear", "gd[lr=0.1]", 0.9, "ok", 0)
    assert best_of_grid(load(fake.write_run(tmp_path / "single", [one], suite=SUITE))) == []

"""Trials and records made by hand, for tests that run nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from deqbench.records import CurvePoint, Record, Status
from deqbench.running import runner
from deqbench.trials import Limits, Ref, Trial
from deqbench.workers import Outcome

SETTINGS = {
    "dtype": "float64",
    "device": "cpu",
    "threads": 1,
    "budget": {"epochs": 2.0, "steps": None},
    "stop": {"tolerance": 1e-4, "max_calls": 100, "norm": "relative", "check_every": 1},
    "loss": {"name": "auto", "l2": 0.0},
    "evaluations": 2,
}


METRICS = {"test_accuracy": 0.75}


@pytest.fixture
def make_trial() -> Callable[..., Trial]:
    def make(
        *,
        seed: int = 0,
        lr: float = 0.1,
        provenance: dict[str, str] | None = None,
        limits: Limits | None = None,
        **settings: Any,
    ) -> Trial:
        components = {"dataset": Ref("wine"), "model": Ref("linear"), "trainer": Ref("gd", {"lr": lr})}
        return Trial(
            suite="tiny",
            experiment="training",
            components=components,
            parameters={"dataset": {}, "model": {}, "trainer": {"lr": lr}},
            seed=seed,
            settings={**SETTINGS, **settings},
            probes=(Ref("loss"),),
            provenance=provenance or {"experiment": "e0", "trainer:gd": "g0", "data": "d0"},
            limits=limits or Limits(),
        )

    return make


@pytest.fixture
def make_record() -> Callable[..., Record]:
    def make(trial: Trial, status: Status = Status.OK, **fields: Any) -> Record:
        fields.setdefault("metrics", {"test_loss": 0.5})
        fields.setdefault("costs", {"train_seconds": 1.0})
        fields.setdefault("curves", [CurvePoint(0, 0.0, 0.0, "test_loss", 0.5)])
        return Record(trial, status, **fields)

    return make


class FakePool:
    """Answers every job at once; ``answers`` says how, by label."""

    answers: ClassVar[dict[str, object]] = {}

    def __init__(self, *, jobs, threads, preload, reuse):
        self.jobs, self.threads, self.preload, self.reuse = jobs, threads, preload, reuse
        self.ran = []
        self.interrupted = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def provide(self, modules):
        """Import nothing: jobs are answered, not run."""

    def close(self):
        """End nothing."""

    def run(self, jobs, on_start=None, on_tick=None, *, ahead=False):
        for job in jobs:
            if "dataset" in job.payload:
                yield Outcome(job, result={"fingerprint": "f0"})
                continue
            if job.name == "environment":
                yield Outcome(job, result={"python": "3"})
                continue
            on_start(job)
            yield self.answer(job)

    def answer(self, job):
        for words, answer in self.answers.items():
            if words in job.name:
                return answer(self, job)
        trial = Trial.from_json(job.payload["trial"])
        return Outcome(job, result=Record(trial, Status.OK, metrics=METRICS).to_json(), wall_seconds=0.5)


@pytest.fixture
def fake_workers(monkeypatch) -> type[FakePool]:
    """Workers that answer at once; set ``answers`` to have some fail."""
    monkeypatch.setattr(runner, "Pool", FakePool)
    monkeypatch.setattr("deqbench.workers.Pool", FakePool)  # what the command line opens ahead
    monkeypatch.setattr(FakePool, "answers", {})
    return FakePool

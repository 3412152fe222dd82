"""Runs that never ran: a few entries on two data sets, written into real stores."""

from __future__ import annotations

from dataclasses import dataclass, field

from deqbench.keeping.store import Store
from deqbench.records import CurvePoint, Record, Status
from deqbench.trials import Ref, Trial

ENTRIES = {"linear": 0.90, "mlp": 0.95, "deq-linear": 0.91}
ENVIRONMENT = {"cpu": {"model": "one", "usable": 2}, "gpus": [], "versions": {"torch": "2.13.0"}}


@dataclass
class Run:
    """What a made-up run holds; ``score`` may move a score, ``fails`` names trials that end in error."""

    seeds: tuple[int, ...] = (0, 1, 2)
    entries: tuple[str, ...] = tuple(ENTRIES)
    datasets: tuple[str, ...] = ("digits", "wine")
    data: str = "d1"
    code: str = "c1"
    epochs: float = 5.0
    experiment: str = "training"
    environment: dict = field(default_factory=lambda: ENVIRONMENT)
    score: object = staticmethod(lambda entry, dataset, seed: 0.0)
    slower: float = 1.0
    fails: tuple = ()

    def write(self, folder):
        """Write it into a folder and return the folder."""
        store = Store(folder)
        trials = [
            self.trial(entry, dataset, seed)
            for dataset in self.datasets
            for entry in self.entries
            for seed in self.seeds
        ]
        rows = [{"key": t.key, "cell": t.cell, "label": t.label, "trial": t.to_json()} for t in trials]
        store.write_plan([row | {"decision": "new", "reasons": [], "previous": None} for row in rows])
        store.write_suite(
            {"name": "made", "title": "Made", "experiment": self.experiment, "seeds": [*self.seeds]}
        )
        store.write_environment(self.environment)
        store.write_run({"command": ["deqbench", "run", "made"], "wall_seconds": 1.0})
        for one in trials:
            store.write(self.record(one))
        return folder

    def trial(self, entry, dataset, seed):
        components = {"dataset": Ref(dataset), "model": Ref(entry), "trainer": Ref("adam")}
        settings = {"dtype": "float32", "device": "cpu", "threads": 1, "budget": {"epochs": self.epochs}}
        provenance = {
            "experiment": "e1",
            "data": f"{self.data}-{dataset}-{seed}",
            f"model:{entry}": self.code,
        }
        parameters = {axis: {} for axis in components}
        return Trial("made", self.experiment, components, parameters, seed, settings, (), provenance)

    def record(self, trial):
        entry, dataset = trial.components["model"].name, trial.components["dataset"].name
        if (entry, dataset, trial.seed) in self.fails:
            return Record(trial, Status.ERROR, "It broke.", detail="ValueError: it broke")
        noise = 0.001 * (((trial.seed + 1) * 7919) % 13 - 6)
        reached = ENTRIES[entry] + noise + self.score(entry, dataset, trial.seed)
        seconds = 2.0 * self.slower * (1 + 0.01 * trial.seed)
        points = [
            CurvePoint(step, step, seconds * step / 5, "test_accuracy", reached * step / 5)
            for step in range(6)
        ]
        costs = {"train_seconds": seconds, "steps": 5, "parameters": 10}
        return Record(trial, Status.OK, None, {"test_accuracy": reached}, costs, points)

"""A run that never ran: fourteen entries, three seeds, failures of four kinds, in the real store."""

from __future__ import annotations

import hashlib
import math
import re

import numpy as np
import pytest

from deqbench.keeping.store import Store
from deqbench.records import CurvePoint, Record, Status
from deqbench.trials import Ref, Trial

# model, solver, gradient, trainer, final accuracy, decay rate a step, seconds a step, steps, parameters
ENTRIES = [
    ("deq-linear", "direct", "implicit", "adam[lr=0.01]", 0.958, 0.035, 2.1e-3, 400, 4875),
    ("deq-linear", "direct", "one-step", "adam[lr=0.01]", 0.949, 0.030, 1.6e-3, 400, 4875),
    ("deq-linear", "anderson", "implicit", "adam[lr=0.01]", 0.958, 0.035, 4.2e-3, 400, 4875),
    ("deq-linear", "anderson", "one-step", "adam[lr=0.01]", 0.949, 0.030, 3.0e-3, 400, 4875),
    ("deq-mlp", "anderson", "implicit", "adam[lr=0.01]", 0.975, 0.050, 6.1e-3, 400, 8906),
    ("deq-mlp", "anderson", "one-step", "adam[lr=0.01]", 0.972, 0.048, 3.9e-3, 400, 8906),
    ("linear", None, None, "gd[lr=0.5]", 0.944, 0.008, 3.1e-4, 400, 650),
    ("linear", None, None, "adam[lr=0.01]", 0.961, 0.030, 3.6e-4, 400, 650),
    ("linear", None, None, "trust-region-newton", 0.958, 0.9, 6.0e-3, 13, 650),
    ("linear", None, None, "scipy-trust-ncg", 0.958, 0.7, 8.0e-3, 17, 650),
    ("linear", None, None, "newton-cholesky", 0.958, 1.1, 1.2e-2, 8, 650),
    ("linear", None, None, "lbfgs", 0.958, 0.2, 2.0e-3, 60, 650),
    ("mlp", None, None, "adam[lr=0.01]", 0.978, 0.050, 6.0e-4, 400, 4810),
    ("unrolled", None, None, "adam[lr=0.01]", 0.975, 0.050, 1.7e-3, 400, 8906),
]

FAILURES = {
    ("deq-mlp", "one-step", 2): (Status.DIVERGED, "train_loss became infinite at step 180."),
    ("deq-linear", "one-step", 0): (Status.NOT_CONVERGED, "7.2% of the evaluated equilibria missed 1e-4."),
    ("unrolled", None, 1): (Status.TIMEOUT, "Passed its limit of 30 s."),
    ("unrolled", None, 2): (Status.OUT_OF_MEMORY, "Its processes held 2.1 GiB; the limit is 2 GiB."),
}

SUITE = {
    "name": "quickstart",
    "title": "Implicit, explicit and trust-region entries on digits",
    "description": "Two equilibrium models against explicit shallow ones, three seeds each.",
    "experiment": "training",
    "seeds": [0, 1, 2],
    "device": "cpu",
    "dtype": "float32",
    "threads": 1,
    "primary": None,
    "budget": {"epochs": 20.0, "steps": None, "seconds": 30.0, "memory_gib": 2.0},
    "stop": {"tolerance": 1e-4, "max_calls": 100, "norm": "relative", "check_every": 1},
}

ENVIRONMENT = {
    "host": "bench",
    "os": "Linux-6.1",
    "cpu": {"model": "AMD EPYC 7B13", "cores": 2},
    "memory": {"total_bytes": 8_000_000_000, "limit_bytes": None},
    "gpus": [],
    "versions": {"python": "3.11.7", "deqbench": "0.1.0", "torch": "2.13.0", "pandas": "3.1.1"},
    "plugins": {"deqbench": "0.1.0"},
    "checkout": {"commit": "b25d0fc2a91e", "dirty": True},
}


def trial(entry, dataset="digits", seed=0):
    model, solver, gradient, trainer = entry[:4]
    written = {"dataset": dataset, "model": model, "solver": solver, "gradient": gradient, "trainer": trainer}
    components = {axis: Ref.parse(text) for axis, text in written.items() if text}
    parameters = {axis: dict(ref.parameters) for axis, ref in components.items()}
    if solver == "anderson":
        parameters["solver"] = {"memory": 5, "ridge": 1e-10}
    if gradient == "implicit":
        parameters["gradient"] = {"solver": {"name": "anderson", "memory": 5}, "tolerance": 1e-6}
    settings = {
        "dtype": "float64" if entry[7] < 100 else "float32",
        "device": "cpu",
        "threads": 1,
        "budget": {"epochs": 20.0, "steps": None},
        "stop": {"tolerance": 1e-4, "max_calls": 100},
    }
    return Trial("quickstart", "training", components, parameters, seed, settings)


def noise(*names):
    """A number in (-1, 1) that depends on names only."""
    return int(hashlib.sha256(repr(names).encode()).hexdigest()[:8], 16) / 2**31 - 1


def curves(entry, dataset, seed, reached=1.0, score="accuracy"):
    *_, final, rate, per_step, steps, _ = entry
    final = final + 0.008 * noise(entry, dataset, seed)
    points = []
    for step in sorted({round(s) for s in np.linspace(0, steps, min(steps, 12) + 1)}):
        if step > reached * steps:
            break
        learned = 1 - math.exp(-rate * step)
        seconds = step * per_step * (1 + 0.1 * noise(seed, "speed"))
        values = {
            "train_loss": 2.3 * (1 - learned) + 0.02 + (1 - final),
            "test_loss": 2.3 * (1 - learned) + 0.06 + 1.5 * (1 - final),
            f"train_{score}": 0.1 + (final + 0.01 - 0.1) * learned,
            f"test_{score}": 0.1 + (final - 0.1) * learned,
        }
        points += [CurvePoint(step, step / 20, seconds, name, value) for name, value in values.items()]
    return points


def record(entry, dataset="digits", seed=0, score="accuracy"):
    status, reason = FAILURES.get((entry[0], entry[2], seed), (Status.OK, None))
    if entry[1] == "direct":
        status, reason = Status.OK, None
    reached = {Status.OK: 1.0, Status.NOT_CONVERGED: 1.0}.get(status, 0.45)
    points = [] if status is Status.OUT_OF_MEMORY else curves(entry, dataset, seed, reached, score)
    if status is Status.DIVERGED:
        points = [*points, CurvePoint(180, 9, points[-1].seconds * 1.1, "train_loss", None)]
    last = {point.name: point.value for point in points}
    implicit = entry[1] is not None
    steps = points[-1].step if points else 0
    costs = {
        "train_seconds": points[-1].seconds if points else None,
        "evaluation_seconds": 0.2,
        "warmup_seconds": 0.05,
        "steps": steps,
        "epochs": steps / 20,
        "gradients": steps,
        "hessian_products": 140 if "trust" in entry[3] else 0,
        "parameters": entry[8],
        "peak_bytes": 3_000_000 + 40 * entry[8],
        "forward_map_calls": 12 * steps if implicit else 0,
        "backward_map_calls": 3 * steps if entry[2] == "implicit" else 0,
        "backward_vjps": 9 * steps if entry[2] == "implicit" else 0,
    }
    detail = (
        'Traceback (most recent call last):\n  File "train.py", line 3\n<b>not html</b>' if reason else None
    )
    return Record(
        trial=trial(entry, dataset, seed),
        status=status,
        reason=reason,
        metrics=last,
        costs=costs,
        curves=points,
        detail=detail,
        host={"pid": 41, "device": "AMD EPYC 7B13", "started": "2026-11-23T12:00:00Z"},
    )


def write_run(folder, records, planned=None, suite=SUITE):
    store = Store(folder)
    trials = planned if planned is not None else [one.trial for one in records]
    store.write_plan(
        [
            {
                "key": t.key,
                "cell": t.cell,
                "label": t.label,
                "decision": "new",
                "reasons": [],
                "previous": None,
            }
            | {"trial": t.to_json()}
            for t in trials
        ]
    )
    store.write_suite(suite)
    store.write_environment(ENVIRONMENT)
    store.write_run(
        {"command": ["deqbench", "run", "quickstart"], "started": "2026-11-23T12:00:00Z", "state": "finished"}
    )
    for one in records:
        store.write(one)
    return folder


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    """Fourteen entries on digits, three seeds, five failures of four kinds."""
    records = [record(entry, seed=seed) for entry in ENTRIES for seed in range(3)]
    return write_run(tmp_path_factory.mktemp("run") / "quickstart", records)


@pytest.fixture(scope="session")
def frames(run_folder):
    from deqbench.telling.loading import load

    return load(run_folder)


@pytest.fixture(scope="session")
def reported(run_folder):
    """The run's folder with its report written."""
    from deqbench.telling import report

    report.write(run_folder)
    return run_folder


@pytest.fixture(scope="session")
def fake():
    """What tests need to make runs of their own."""
    return FAKE


class FAKE:
    ENTRIES, SUITE = ENTRIES, SUITE
    trial, record, write_run = staticmethod(trial), staticmethod(record), staticmethod(write_run)


@pytest.fixture(scope="session")
def things_of():
    """What tells what a picture's markup draws: (whose it is, the page's colours it wears, its words)."""

    def told(picture, folder):
        import xml.etree.ElementTree as ET

        from deqbench.telling.report.inline import inline_svg

        picture.save(folder)
        return list(_things(ET.fromstring(inline_svg(picture, folder, "g")), ""))

    return told


def _things(node, owner):
    owner = node.get("data-e", owner)
    if node.tag == "defs":
        assert not any("data-e" in one.attrib for one in node.iter())
        return
    if node.tag not in ("svg", "g"):
        yield owner, set(re.findall(r"var\(--c\d\)", node.get("style", ""))), node.text or ""
    for child in node:
        yield from _things(child, owner)

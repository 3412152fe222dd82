"""Reports of small runs that never ran, in Debian's Chromium under Playwright; skipped without either."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field

import pytest

from deqbench.keeping.store import Store
from deqbench.records import CurvePoint, Record, Status
from deqbench.telling import report
from deqbench.trials import Ref, Trial

MAPS = {"affine[gamma=0.5]": 20, "affine[gamma=0.9]": 90, "tanh[norm=0.9]": 60}
"""Map to the calls that the plain iteration needs."""
SOLVERS = {"picard": (1.0, 1.0, 1e-5), "anderson[memory=5]": (3.0, 1.0, 5e-5), "newton": (9.0, 12.0, 2e-4)}
"""Solver to how much faster it is in calls, what a call weighs, and how long it takes."""
TRAINERS = {"adam[lr=0.01]": (0.95, 0.4, 9_000), "gd[lr=0.5]": (0.91, 0.2, 700), "lbfgs": (0.93, 0.3, 700)}
"""Trainer to its accuracy, seconds and parameters."""

SUITE = {
    "seeds": [0, 1],
    "device": "cpu",
    "dtype": "float32",
    "threads": 1,
    "primary": None,
    "description": "A run that never ran: it has a miss, a crash and a name with <b>markup</b> in it.",
    "stop": {"tolerance": 1e-6, "max_calls": 80},
}


def solve(text, solver, seed):
    faster, weight, seconds = SOLVERS[solver]
    calls = round(MAPS[text] / faster) + seed
    status, reason = Status.OK, None
    if calls > 80:
        calls, status, reason = 80, Status.NOT_CONVERGED, "8 of 8 samples missed 1e-06 within 80 calls."
    if (text, solver, seed) == ("tanh[norm=0.9]", "newton", 1):
        status, reason = Status.ERROR, "RuntimeError: <i>boom</i>."
    points = [
        CurvePoint(step, step * weight, step * seconds, "residual", 10.0 ** (-6.2 * step / calls))
        for step in range(1, calls + 1, max(1, calls // 12))
    ]
    costs = {
        "solve_seconds": calls * seconds,
        "overhead": 1 + 1e4 * seconds,
        "map_calls": calls,
        "map_equivalents": calls * weight,
        "peak_bytes": 2_000_000 + 1000 * calls,
    }
    metrics = {"residual": points[-1].value, "solved": float(status is Status.OK)}
    failed = status is Status.ERROR
    return Record(
        trial=_trial("equilibrium", {"map": text, "solver": solver}, seed),
        status=status,
        reason=reason,
        metrics={} if failed else metrics,
        costs={} if failed else costs,
        curves=[] if failed else points,
        detail="Traceback (most recent call last):\n  boom" if failed else None,
        host={"device": "AMD EPYC 7B13"},
    )


def train(trainer, seed, **others):
    reached, seconds, parameters = TRAINERS[trainer]
    accuracy = reached + 0.004 * seed
    points = [
        CurvePoint(step, step / 10, seconds * step / 40, name, value)
        for step in range(0, 41, 8)
        for name, value in {"train_loss": 2.3 - step / 20, "test_accuracy": accuracy * step / 40}.items()
    ]
    return Record(
        trial=_trial("training", {"dataset": "digits", "model": "mlp", **others, "trainer": trainer}, seed),
        status=Status.OK,
        metrics={"train_loss": 0.3, "test_accuracy": accuracy},
        costs={
            "train_seconds": seconds * (1 + seed / 10),
            "steps": 40,
            "epochs": 4.0,
            "parameters": parameters,
            "peak_bytes": 3_000_000 + parameters,
        },
        curves=points,
        host={"device": "AMD EPYC 7B13"},
    )


def _trial(experiment, written, seed):
    components = {axis: Ref.parse(text) for axis, text in written.items()}
    parameters = {axis: dict(ref.parameters) for axis, ref in components.items()}
    settings = {"dtype": "float32", "device": "cpu", "threads": 1, "stop": SUITE["stop"]}
    return Trial(experiment, experiment, components, parameters, seed, settings)


def told(folder, experiment, records):
    store = Store(folder)
    planned = [(one.trial, {"decision": "new", "reasons": [], "previous": None}) for one in records]
    store.write_plan(
        [
            {"key": trial.key, "cell": trial.cell, "label": trial.label, "trial": trial.to_json()} | how
            for trial, how in planned
        ]
    )
    store.write_suite(SUITE | {"name": experiment, "experiment": experiment, "title": "A run of <maps>"})
    store.write_environment({"host": "bench", "cpu": {"model": "AMD EPYC 7B13"}, "gpus": []})
    store.write_run({"command": ["deqbench", "run", experiment], "state": "finished"})
    for one in records:
        store.write(one)
    return report.write(folder)


@pytest.fixture(scope="session")
def solvers_page(tmp_path_factory):
    """Three solvers on three maps, two seeds: misses, a crash, figures along three axes."""
    records = [solve(text, solver, seed) for text in MAPS for solver in SOLVERS for seed in (0, 1)]
    return told(tmp_path_factory.mktemp("browser") / "solvers", "equilibrium", records)


@pytest.fixture(scope="session")
def training_page(tmp_path_factory):
    """Three trainers on digits, two seeds: the best is the slowest and the largest."""
    records = [train(trainer, seed) for trainer in TRAINERS for seed in (0, 1)]
    return told(tmp_path_factory.mktemp("browser") / "training", "training", records)


@pytest.fixture(scope="session")
def models_page(tmp_path_factory):
    """Two models on digits, of which one has a solver, one of two."""
    solvers = [{"model": "deq", "solver": name} for name in ("picard", "anderson")]
    records = [train("lbfgs", seed, **others) for others in (*solvers, {}) for seed in (0, 1)]
    return told(tmp_path_factory.mktemp("browser") / "models", "training", records)


@pytest.fixture(scope="session")
def chromium():
    """Debian's Chromium; no browser is ever downloaded."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("No chromium on the path: apt-get install chromium.")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page of the browser, and what it complained of or asked for."""

    page: object
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def watch(self):
        self.page.on("console", lambda message: self._heard(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def _heard(self, kind, text):
        if kind in ("error", "warning"):
            self.complaints.append(text)


@pytest.fixture
def opened(chromium):
    """What opens a report: (path, address after the #, settings of the browser) -> its page.

    At the end of the test the page must have complained of nothing and asked for nothing but itself.
    """
    contexts, watched = [], []

    def open_page(path, address="", **settings):
        context = chromium.new_context(**({"viewport": {"width": 1200, "height": 900}} | settings))
        context.set_default_timeout(10_000)
        one = Watched(context.new_page())
        one.watch()
        one.page.goto(f"{path.as_uri()}{'#' + address if address else ''}")
        contexts.append(context)
        watched.append((path, one))
        return one.page

    yield open_page
    for path, one in watched:
        assert one.complaints == []
        assert {url.partition("#")[0] for url in one.requests if not url.startswith("data:")} == {
            path.as_uri()
        }
    for context in contexts:
        context.close()

"""Runs of solves and of gradients that never ran: three families of maps, misses of two kinds, a crash."""

from __future__ import annotations

import math

import pytest

from deqbench.records import CurvePoint, Record, Status
from deqbench.telling import report
from deqbench.telling.loading import load
from deqbench.trials import Ref, Trial

TOLERANCE = 1e-6
MAPS = {
    "affine[gamma=0.5]": 0.5,
    "affine[gamma=0.9]": 0.9,
    "affine[gamma=0.99]": 0.99,
    "tanh[norm=0.5]": 0.45,
    "tanh[norm=0.99]": 0.93,
    "monotone[m=0.1]": 0.97,
}
"""Map to the rate at which its plain iteration contracts."""

# How many digits a call brings, as a multiple of the plain iteration's; products a call; seconds a call.
SOLVERS = {
    "direct": (math.inf, 0, 4e-5),
    "picard": (1.0, 0, 1e-5),
    "anderson[memory=5]": (3.1, 0, 3e-5),
    "broyden[memory=10]": (2.7, 0, 4e-5),
    "newton-krylov": (40.0, 12, 9e-5),
    "peaceman-rachford": (6.0, 0, 6e-5),
    "peer-anderson": (2.2, 0, 9e-5),
}
FAMILIES = {"direct": "affine", "peaceman-rachford": "monotone"}
"""Solvers that serve one family alone."""
LIMIT = 1000

GRADIENTS = {
    "implicit": (1e-9, 1.0, 1.0),
    "unrolled": (1e-7, 2.0, 30.0),
    "phantom[steps=5]": (0.2, 0.4, 5.0),
    "one-step": (0.9, 0.1, 1.0),
}
"""Gradient to its error at difficulty 0.9, its backward seconds, and what it saves."""

SUITE = {
    "name": "solvers",
    "title": "Solvers on maps of known difficulty",
    "description": "A run that never ran.",
    "seeds": [0, 1, 2],
    "device": "cpu",
    "dtype": "float32",
    "threads": 1,
    "primary": None,
    "stop": {"tolerance": TOLERANCE, "max_calls": LIMIT, "norm": "relative", "check_every": 1},
}


def trial(experiment, text, solver, gradient, seed):
    written = {"map": text, "solver": solver} | ({"gradient": gradient} if gradient else {})
    components = {axis: Ref.parse(told) for axis, told in written.items()}
    parameters = {axis: dict(ref.parameters) for axis, ref in components.items()}
    settings = {"dtype": "float32", "device": "cpu", "threads": 1, "stop": SUITE["stop"], "repeats": 5}
    return Trial(experiment, experiment, components, parameters, seed, settings)


def solve(text, solver, seed):
    speed, products, seconds = SOLVERS[solver]
    rate = MAPS[text] ** (speed * (1 + 0.03 * seed))
    needed = 1 if math.isinf(speed) else math.ceil(math.log(TOLERANCE) / math.log(rate))
    calls = min(needed, LIMIT)
    floor = 3e-4 if solver == "peer-anderson" and MAPS[text] > 0.92 else 0.0
    per_call = seconds * (1 + 0.1 * seed)
    places = sorted({round(LIMIT ** (k / 59)) for k in range(60)} | {calls})
    points = []
    for step in [place for place in places if place <= calls]:
        residual = max(TOLERANCE / 2 if step == needed else rate**step, floor)
        values = {
            "residual": residual,
            "residual_median": residual / 2,
            "solved": float(residual <= TOLERANCE),
        }
        points += [
            CurvePoint(step, step * (1.0 + products), step * per_call, name, value)
            for name, value in values.items()
        ]
    reached = {point.name: point.value for point in points}
    missed = reached["solved"] < 1
    return Record(
        trial=trial("equilibrium", text, solver, None, seed),
        status=Status.NOT_CONVERGED if missed else Status.OK,
        reason=f"8 of 8 samples missed {TOLERANCE:g} within {calls} calls: 8 max_calls." if missed else None,
        metrics=reached | {"true_residual": reached["residual"] * 1.01, "reported_over_true": 0.99},
        costs={
            "solve_seconds": calls * per_call,
            "map_seconds": 8e-6,
            "overhead": per_call / 8e-6,
            "map_calls": calls,
            "vjps": 0,
            "jvps": products * calls,
            "resolvents": 0,
            "map_equivalents": calls * (1.0 + products),
            "samples": 8,
            "unconverged_samples": 8 if missed else 0,
            "peak_bytes": 2_000_000,
        },
        curves=points,
        host={"device": "AMD EPYC 7B13"},
    )


def crash(text, solver, seed):
    return Record(
        trial=trial("equilibrium", text, solver, None, seed),
        status=Status.ERROR,
        reason="RuntimeError: boom.",
        detail="Traceback (most recent call last):\n  boom",
        host={"device": "AMD EPYC 7B13"},
    )


def differentiate(text, gradient, seed):
    error, seconds, saved = GRADIENTS[gradient]
    error = min(error * (MAPS[text] / 0.9) ** 8 * (1 + 0.1 * seed), 1.0)
    return Record(
        trial=trial("gradient", text, "anderson", gradient, seed),
        status=Status.OK,
        metrics={
            "error_inputs": error,
            "error_parameters": error / 2,
            "cosine_inputs": 1 - error**2 / 2,
            "cosine_parameters": 1 - error**2 / 8,
            "residual": 1e-7,
        },
        costs={
            "forward_seconds": 4e-4,
            "backward_seconds": 3e-4 * seconds * (1 + 0.05 * seed),
            "forward_map_calls": 20,
            "backward_map_calls": 1,
            "backward_vjps": round(20 * seconds),
            "saved_bytes": 4096 * saved,
            "peak_bytes": 2_000_000,
        },
        host={"device": "AMD EPYC 7B13"},
    )


def served(text, solver):
    return text.startswith(FAMILIES.get(solver, ""))


@pytest.fixture(scope="session")
def solves():
    """How to make a record of one solve: (map, solver, seed) -> Record."""
    return solve


@pytest.fixture(scope="session")
def told_run(fake, tmp_path_factory):
    """What writes records as a run of an experiment, and reads its frames back."""

    def tell(records, experiment="equilibrium", planned=None, **settings):
        suite = SUITE | {"experiment": experiment} | settings
        folder = tmp_path_factory.mktemp(experiment)
        return fake.write_run(folder, records, planned=planned, suite=suite)

    return tell


@pytest.fixture(scope="session")
def solver_folder(told_run):
    """All solvers on all the maps they serve, three seeds; one crashed once; its report written."""
    made = [
        crash(text, solver, seed)
        if (text, solver, seed) == ("tanh[norm=0.5]", "broyden[memory=10]", 1)
        else solve(text, solver, seed)
        for text in MAPS
        for solver in SOLVERS
        if served(text, solver)
        for seed in range(3)
    ]
    folder = told_run(made)
    report.write(folder)
    return folder


@pytest.fixture(scope="session")
def gradient_folder(told_run):
    """All gradients on all maps, three seeds; its report written."""
    made = [
        differentiate(text, gradient, seed) for text in MAPS for gradient in GRADIENTS for seed in range(3)
    ]
    folder = told_run(made, "gradient", name="gradients", title="Gradients against the exact one")
    report.write(folder)
    return folder


@pytest.fixture(scope="session")
def solver_frames(solver_folder):
    return load(solver_folder)


@pytest.fixture(scope="session")
def gradient_frames(gradient_folder):
    return load(gradient_folder)

"""What a trial measures: an experiment is a module with ``measure(trial, registry, course) -> Ending``.

Nothing here imports torch, so that naming the experiments costs nothing; the module of an experiment is
imported in the process that runs it.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from deqbench.discovery.registry import PluginSources, Registry
from deqbench.experiments.course import Course, Ending, ending_of
from deqbench.records import Record, Status
from deqbench.trials import Ref, Trial

__all__ = ["EXPERIMENTS", "FINDINGS", "Course", "Ending", "fingerprint_job", "run_job", "run_trial"]

EXPERIMENTS: Mapping[str, str] = {
    "training": "deqbench.experiments.training",
    "equilibrium": "deqbench.experiments.equilibrium",
    "gradient": "deqbench.experiments.gradient",
    "claim": "deqbench.experiments.claim",
}
"""Experiment to the module that measures it."""

_MISSES = frozenset({Status.NOT_CONVERGED, Status.DIVERGED})
FINDINGS: Mapping[str, frozenset[Status]] = {
    "training": frozenset(),
    "equilibrium": _MISSES,
    "gradient": _MISSES,
    "claim": frozenset(),
}
"""Statuses besides ok that are results, not failures: that a solver misses is what one wants to know."""

Emit = Callable[[Any], None]
"""Takes one JSON value; what was emitted survives a crash of the trial."""


def run_job(payload: Mapping[str, Any], emit: Emit) -> dict[str, Any]:
    """Run the trial of a payload in this process and return its record as JSON values.

    Args:
        payload: ``{"trial": Trial.to_json(), "plugins": PluginSources.to_json()}``.
        emit: Receives ``CurvePoint.to_json()`` of every observation, as it is made.
    """
    trial = Trial.from_json(payload["trial"])
    sources = PluginSources.from_json(payload["plugins"])
    return _recorded(trial, lambda: _registry(sources), emit).to_json()


def run_trial(trial: Trial, registry: Registry, emit: Emit | None = None) -> Record:
    """Run one trial in this process; whatever it raises becomes the record's status.

    Args:
        trial: What to run.
        registry: Where its components are found.
        emit: Receives ``CurvePoint.to_json()`` of every observation, as it is made.
    """
    return _recorded(trial, lambda: registry, emit)


def fingerprint_job(payload: Mapping[str, Any], emit: Emit) -> dict[str, str]:
    """Return ``{"fingerprint": hex}`` of the splits that a data set draws from a seed.

    Args:
        payload: ``{"dataset": Ref as JSON, "seed": int, "plugins": PluginSources.to_json()}``.
        emit: Not used; a job's signature has it.

    Raises:
        Exception: Whatever the data set raises; the runner turns it into rows.
    """
    del emit
    registry = _registry(PluginSources.from_json(payload["plugins"]))
    splits_room = importlib.import_module("deqbench.experiments.fingerprint")
    dataset = registry.build("datasets", Ref.of(payload["dataset"]))
    splits = splits_room.load_splits(dataset, payload["seed"])
    return {"fingerprint": cast("str", splits_room.fingerprint(splits))}


@functools.lru_cache(maxsize=1)
def _registry(sources: PluginSources) -> Registry:
    """Return the registry of a worker; one that is reused loads its plugins once."""
    return Registry.load(sources)


def _recorded(trial: Trial, registry: Callable[[], Registry], emit: Emit | None) -> Record:
    course = Course(emit or _unheard)
    course.host.update(pid=os.getpid(), started=datetime.now(UTC).isoformat(timespec="seconds"))
    try:
        experiment = importlib.import_module(EXPERIMENTS[trial.experiment])
        ending = cast("Ending", experiment.measure(trial, registry(), course))
    except Exception as error:  # noqa: BLE001  the one place where any failure of a trial becomes a row
        ending = ending_of(error)
    return Record(
        trial=trial,
        status=ending.status,
        reason=ending.reason,
        metrics=course.metrics,
        costs=course.finite_costs,
        curves=tuple(course.curves),
        detail=ending.detail,
        host=course.host,
        judgement=course.judgement,
    )


def _unheard(value: Any) -> None:
    """Take an observation that nobody listens for."""

"""What a trial's result rests on besides its parameters: the code that computes it, and the data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deqbench.discovery.digests import source_digests
from deqbench.discovery.parameters import parameters_of
from deqbench.experiments import EXPERIMENTS
from deqbench.records import Status
from deqbench.trials import Limits, Trial, canonical_json, digest
from deqbench.workers import Job

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from deqbench.discovery.registry import Registry
    from deqbench.workers import Outcome, Pool

FINGERPRINT_TARGET = "deqbench.experiments:fingerprint_job"
LEAST_LOADING_SECONDS = 60.0
"""Loading data once for all trials is no trial: a limit of two seconds on trials must not stop it."""

DataKey = str
"""Canonical JSON of a data set with all its parameters, and of the seed of its split."""


@dataclass
class Code:
    """Digests of the code behind trials; each component's files are read once.

    Attributes:
        registry: Where components are found.
        files: Digest to the modules it covers, each with its own digest.
    """

    registry: Registry
    files: dict[str, Mapping[str, str]] = field(default_factory=dict)
    _digests: dict[tuple[str, str], str] = field(default_factory=dict)

    def of(self, trial: Trial) -> dict[str, str]:
        """Return a digest for the experiment, and for each component: ``{"solver:anderson": ...}``."""
        used = sorted(set(used_components(trial, self.registry)))
        components = {f"{kind[:-1]}:{name}": self.component(kind, name) for kind, name in used}
        return {"experiment": self.experiment(trial.experiment), **components}

    def component(self, kind: str, name: str) -> str:
        """Return the digest of a component's sources, distribution and version."""
        if (kind, name) not in self._digests:
            value = self.registry.digest(kind, name)
            self.files[value] = self.registry.source_digests(kind, name)
            self._digests[kind, name] = value
        return self._digests[kind, name]

    def experiment(self, name: str) -> str:
        """Return the digest of the core's code that measures an experiment."""
        if ("experiment", name) not in self._digests:
            files = source_digests(EXPERIMENTS[name])
            value = digest(files)
            self.files[value] = files
            self._digests["experiment", name] = value
        return self._digests["experiment", name]


def used_components(trial: Trial, registry: Registry) -> Iterator[tuple[str, str]]:
    """Yield (kind, name) of all components of a trial: axes, probes, and those nested in either."""
    for axis, parameters in trial.parameters.items():
        yield from _with_nested(f"{axis}s", trial.components[axis].name, parameters, registry)
    for probe in trial.probes:
        resolved = registry.resolve("probes", probe)
        yield from _with_nested("probes", probe.name, resolved, registry)


def _with_nested(
    kind: str, name: str, parameters: Mapping[str, Any], registry: Registry
) -> Iterator[tuple[str, str]]:
    yield kind, name
    for parameter in parameters_of(registry.target(kind, name)):
        inner = parameters.get(parameter.name)
        if parameter.kind is not None and inner is not None:
            yield from _with_nested(parameter.kind, inner["name"], inner, registry)


@dataclass(frozen=True)
class Unloadable:
    """Why a data set could not be loaded; every trial that needs it gets this as its record.

    Attributes:
        status: As the worker ended: error, timeout, out_of_memory or killed.
        reason: One sentence.
        detail: Last lines of the worker's standard error.
    """

    status: Status
    reason: str
    detail: str | None = None


def data_key(trial: Trial) -> DataKey | None:
    """Return which data a trial needs; None where it needs none."""
    if "dataset" not in trial.components:
        return None
    return canonical_json([_dataset(trial), trial.seed])


def fingerprints(trials: Sequence[Trial], registry: Registry, pool: Pool) -> dict[DataKey, str | Unloadable]:
    """Return the fingerprint of all data the trials need, each computed once, by workers.

    A plugin's ``load`` is foreign code: it may hang or crash, and a worker contains that.
    """
    needing = {key: trial for trial in trials if (key := data_key(trial)) is not None}
    jobs = (_loading(trial, registry) for trial in needing.values())
    found = {}
    for outcome in pool.run(jobs):
        pool.provide(outcome.imported)
        found[_outcome_key(outcome)] = _fingerprint(outcome)
    return found


def _dataset(trial: Trial) -> dict[str, Any]:
    return {"name": trial.components["dataset"].name, **trial.parameters["dataset"]}


def _loading(trial: Trial, registry: Registry) -> Job:
    seconds = trial.limits.seconds
    payload = {
        "dataset": _dataset(trial),
        "seed": trial.seed,
        "plugins": registry.sources.to_json(),
    }
    limits = Limits(
        seconds=None if seconds is None else max(seconds, LEAST_LOADING_SECONDS),
        memory_bytes=trial.limits.memory_bytes,
    )
    return Job(
        f"loading {trial.components['dataset']}, seed {trial.seed}",
        FINGERPRINT_TARGET,
        payload,
        limits,
    )


def _outcome_key(outcome: Outcome) -> DataKey:
    return canonical_json([outcome.job.payload["dataset"], outcome.job.payload["seed"]])


def _fingerprint(outcome: Outcome) -> str | Unloadable:
    if outcome.status is None:
        return str(outcome.result["fingerprint"])
    return Unloadable(outcome.status, f"its data set could not be loaded: {outcome.reason}", outcome.detail)

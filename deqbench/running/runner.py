"""Runs a suite: plan, one process a trial unless told otherwise, a record each as soon as it ends.

Trials run in blocks, one a seed, shuffled within: whatever drifts while a run lasts (a warming machine,
a neighbour) then hits all competitors alike, and a run that is cut short holds whole comparisons.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from deqbench.claims import Outcome as Judged
from deqbench.errors import StoreError
from deqbench.experiments import FINDINGS
from deqbench.keeping.runs import RunOptions, RunResult
from deqbench.keeping.store import Store
from deqbench.measuring import machine
from deqbench.records import CurvePoint, Record, Status
from deqbench.running.planning import Plan, Planned, make_plan
from deqbench.running.progress import Listener, Quiet
from deqbench.suites.optional import left_out
from deqbench.suites.suite import expand
from deqbench.workers import CORE, Job, Pool, likely_libraries

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from deqbench.discovery.registry import PluginSources, Registry
    from deqbench.suites.schema import Suite
    from deqbench.trials import Trial
    from deqbench.workers import Outcome

TRIAL_TARGET = "deqbench.experiments:run_job"
LEAST_FREE_BYTES = 64 * 2**20
"""Records, tables, figures and page of a large suite; a full disk in the middle of the night costs more."""


def planned_trials(suite: Suite, registry: Registry, options: RunOptions) -> list[Trial]:
    """Return the trials that a run would plan, on the device that this machine has.

    Raises:
        ConfigurationError: The suite or an option is wrong, or selects nothing.
    """
    device = machine.resolve_device(options.device or suite.device)
    return expand(suite, registry, device=device, only=options.only)


def run_folder(suite: Suite, options: RunOptions) -> Path:
    """Return the folder a run writes to."""
    return options.out if options.out is not None else Path("reports") / suite.name


def run_suite(
    suite: Suite,
    registry: Registry,
    options: RunOptions | None = None,
    listener: Listener | None = None,
    started: Pool | None = None,
) -> RunResult:
    """Run whatever a suite's stored records do not answer yet.

    An interruption (Ctrl-C) ends the run in order: workers are killed, and what was in flight is
    recorded as interrupted.

    Args:
        suite: What to run.
        registry: What components there are.
        options: How it is run.
        listener: Told of what happens.
        started: Workers that were started ahead; used, and closed, if they are what this run needs.

    Raises:
        ConfigurationError: The suite or an option is wrong; nothing has run.
        StoreError: The folder cannot be written, another run writes it, or the disk is full.
    """
    options = options or RunOptions()
    listener = listener or Quiet()
    start = time.monotonic()
    trials = planned_trials(suite, registry, options)
    store = Store(run_folder(suite, options))
    with store.lock():
        refuse_full_disk(store.folder)
        with _fitting(started, suite, options) as pool:
            pool.provide(likely_libraries())
            plan = make_plan(
                trials, registry, store, pool, fresh=options.fresh, retry_failed=options.retry_failed
            )
            plan = replace(plan, left_out=left_out(suite, registry))
            run = _Run(store, listener, plan, registry.sources, start)
            run.begin(suite, options, trials, _environment(pool))
            try:
                run.execute(pool)
            finally:
                listener.close()
        return run.end()


def _fitting(pool: Pool | None, suite: Suite, options: RunOptions) -> Pool:
    """Return the pool if it is as the run needs it; else close it and return another."""
    reuse = options.isolation == "worker"
    needed = Pool(jobs=options.jobs, threads=suite.threads, preload=CORE, reuse=reuse)
    if pool is None:
        return needed
    if (pool.jobs, pool.threads, pool.reuse) == (options.jobs, suite.threads, reuse):
        return pool
    pool.close()  # a second nursery beside it would slow what is measured
    return needed


def _environment(pool: Pool) -> Mapping[str, Any]:
    """Return the facts as a worker sees them: its threads, its libraries; ours if it cannot say."""
    (outcome,) = pool.run([Job("environment", "deqbench.measuring.machine:facts_job")])
    return outcome.result if isinstance(outcome.result, dict) else machine.facts()


def refuse_full_disk(folder: Path) -> None:
    """Refuse to start where a run could not be stored.

    Raises:
        StoreError: Less than ``LEAST_FREE_BYTES`` are free.
    """
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        raise StoreError(
            f"Only {free / 2**20:.0f} MiB are free in {folder}; a run needs at least "
            f"{LEAST_FREE_BYTES / 2**20:.0f}. Free some, or name another folder with --out."
        )


def in_blocks(suite: str, planned: Iterable[Planned]) -> list[Planned]:
    """Return the order of execution: seed by seed, shuffled within a seed, the same at every resume."""

    def rank(one: Planned) -> bytes:
        return hashlib.sha256(f"{suite} {one.trial.seed} {one.trial.cell}".encode()).digest()

    planned = list(planned)
    seeds = list(dict.fromkeys(one.trial.seed for one in planned))
    return sorted(planned, key=lambda one: (seeds.index(one.trial.seed), rank(one)))


@dataclass
class _Run:
    """One run under way."""

    store: Store
    listener: Listener
    plan: Plan
    sources: PluginSources
    start: float
    statuses: dict[str, Status] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    interrupted: bool = False
    findings: frozenset[Status] = frozenset()
    violated: set[str] = field(default_factory=set)

    def begin(
        self, suite: Suite, options: RunOptions, trials: Sequence[Trial], environment: Mapping[str, Any]
    ) -> None:
        """Write down what is about to happen, and forget what must not be used."""
        for one in self.plan.trials:
            if options.fresh:
                self.store.remove(one.trial.key)
        for one in self.plan.reused:
            record = self.store.read(one.trial.key)
            assert record is not None  # the plan has just read it, under the lock
            self._note(record)
        self.store.add_sources(self.plan.files)
        self.store.write_suite(suite.to_json())
        self.store.write_environment(environment)
        self.facts = {
            "suite": suite.name,
            "command": list(options.command),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "jobs": options.jobs,
            "isolation": options.isolation,
            "threads": suite.threads,
            "device": trials[0].settings["device"],
            "trials": len(self.plan.trials),
            "reused": len(self.plan.reused),
            "left_out": list(self.plan.left_out),
        }
        self.findings = FINDINGS[suite.experiment]
        self.store.write_run({**self.facts, "state": "running"})
        self.store.write_plan([one.to_json() for one in self.plan.trials])
        self.listener.planned(self.plan, self.store.folder)

    def execute(self, pool: Pool) -> None:
        """Run what needs running; each record is stored before the next outcome is waited for."""
        for one in self.plan.unloadable:
            assert one.unloadable is not None
            why = one.unloadable
            self._finish(Record(one.trial, why.status, why.reason, detail=why.detail))
        ordered = in_blocks(self.facts["suite"], self.plan.to_run)
        by_key = {one.trial.key: one.trial for one in ordered}
        jobs = (_job(one.trial, self.sources) for one in ordered)

        def trial_of(job: Job) -> Trial:
            return by_key[job.payload["trial"]["key"]]

        def on_start(job: Job) -> None:
            self.listener.started(trial_of(job))

        outcomes = pool.run(jobs, on_start=on_start, on_tick=self.listener.tick, ahead=True)
        try:
            # Closed at once, so that the pool has killed what was in flight before that is recorded.
            with closing(cast("Generator[Outcome]", outcomes)):
                for outcome in outcomes:
                    pool.provide(outcome.imported)
                    self._finish(record_of(outcome, trial_of(outcome.job)))
        except KeyboardInterrupt:
            self.interrupted = True
            for outcome in pool.interrupted:
                self._finish(record_of(outcome, trial_of(outcome.job)))

    def _finish(self, record: Record) -> None:
        self.store.write(record)
        self._note(record)
        self.listener.finished(record)

    def _note(self, record: Record) -> None:
        self.statuses[record.trial.key] = record.status
        if record.judgement is not None and record.judgement["verdict"] == Judged.VIOLATED:
            self.violated.add(record.trial.key)

    def end(self) -> RunResult:
        """Write down how it went."""
        result = RunResult(
            folder=self.store.folder,
            counts=dict(Counter(status.value for status in self.statuses.values())),
            planned=len(self.plan.trials),
            reused=len(self.plan.reused),
            interrupted=self.interrupted,
            wall_seconds=time.monotonic() - self.start,
            findings=self.findings,
            violated=len(self.violated),
        )
        ended = datetime.now(UTC).isoformat(timespec="seconds")
        state = "interrupted" if self.interrupted else "finished"
        self.store.write_run(
            {
                **self.facts,
                "state": state,
                "ended": ended,
                "wall_seconds": result.wall_seconds,
                "counts": dict(result.counts),
            }
        )
        self.listener.ended(result)
        return result


def _job(trial: Trial, sources: PluginSources) -> Job:
    payload = {"trial": trial.to_json(), "plugins": sources.to_json()}
    return Job(trial.label, TRIAL_TARGET, payload, trial.limits)


def record_of(outcome: Outcome, trial: Trial) -> Record:
    """Return the record of a trial whose worker has ended, however it ended.

    Where it did not return, the record is made of what it had emitted: its curves up to then.
    """
    wall = {"wall_seconds": outcome.wall_seconds}
    if outcome.status is None:
        record = Record.from_json(outcome.result)
        return replace(record, trial=trial, costs={**record.costs, **wall})
    curves = [CurvePoint(*row) for row in outcome.emitted]
    return Record(
        trial=trial,
        status=outcome.status,
        reason=outcome.reason,
        metrics={point.name: point.value for point in curves},
        costs={**wall, "peak_bytes": outcome.peak_bytes},
        curves=curves,
        detail=outcome.detail,
        host={"signal": outcome.signal} if outcome.signal else {},
    )

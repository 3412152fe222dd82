"""What a run has to do: every trial with its provenance, and what is done with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deqbench.running.decisions import Action, Decider, Decision
from deqbench.running.provenance import Code, Unloadable, data_key, fingerprints

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deqbench.discovery.registry import Registry
    from deqbench.keeping.store import Store
    from deqbench.trials import Trial
    from deqbench.workers import Pool


@dataclass(frozen=True)
class Planned:
    """One trial of a plan.

    Attributes:
        trial: With its provenance.
        decision: What is done with it.
        unloadable: Why its data could not be loaded; its record then says so and nothing runs.
    """

    trial: Trial
    decision: Decision
    unloadable: Unloadable | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the row that ``plan.json`` holds."""
        return {
            "key": self.trial.key,
            "cell": self.trial.cell,
            "label": self.trial.label,
            "decision": self.decision.action.value,
            "reasons": list(self.decision.reasons),
            "previous": self.decision.previous,
            "trial": self.trial.to_json(),
        }


@dataclass(frozen=True)
class Plan:
    """All trials of a run, in the order of the suite.

    Attributes:
        trials: Each key once.
        files: Digest to the modules it covers, each with its own digest; lets ``why`` name a file.
        left_out: A sentence for each component of an optional block that is not available here.
    """

    trials: tuple[Planned, ...]
    files: Mapping[str, Mapping[str, str]]
    left_out: tuple[str, ...] = ()

    @property
    def reused(self) -> tuple[Planned, ...]:
        """The trials whose stored record stands."""
        return tuple(one for one in self.trials if one.decision.action is Action.REUSED)

    @property
    def to_run(self) -> tuple[Planned, ...]:
        """The trials that need a worker."""
        return tuple(
            one for one in self.trials if one.decision.action is not Action.REUSED and one.unloadable is None
        )

    @property
    def unloadable(self) -> tuple[Planned, ...]:
        """The trials that fail before they start, because their data cannot be loaded."""
        return tuple(
            one
            for one in self.trials
            if one.decision.action is not Action.REUSED and one.unloadable is not None
        )


def make_plan(  # noqa: PLR0913  the parts of a run, each named by the caller
    trials: Sequence[Trial],
    registry: Registry,
    store: Store,
    pool: Pool,
    *,
    fresh: bool = False,
    retry_failed: bool = False,
) -> Plan:
    """Give each trial its provenance and decide what is done with it.

    Args:
        trials: As ``expand`` wrote them.
        registry: Where components are found.
        store: What is done already.
        pool: Workers, which load the data to take its fingerprint.
        fresh: Use no stored record.
        retry_failed: Run again whatever did not end ok.
    """
    code = Code(registry)
    for trial in trials:  # read while the nursery still imports; the data need it
        code.of(trial)
    prints = fingerprints(trials, registry, pool)
    decider = Decider(store, code.files, fresh=fresh, retry_failed=retry_failed)
    planned: dict[str, Planned] = {}
    for trial in trials:
        data = prints.get(data_key(trial) or "")
        known = {} if data is None else {"data": data if isinstance(data, str) else "unloadable"}
        full = trial.with_provenance({**code.of(trial), **known})
        if isinstance(data, Unloadable):
            one = Planned(full, Decision(Action.NEW, (data.reason,)), data)
        else:
            one = Planned(full, decider.decide(full))
        planned.setdefault(full.key, one)
    return Plan(tuple(planned.values()), code.files)

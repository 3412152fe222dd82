"""The verdicts of a run: a row a claim and, within it, a row a case, live or read from the records."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deqbench.claims import Assumption, Evidence, Outcome, decide
from deqbench.telling.report.numbers import number
from deqbench.telling.tables import Frames

HEAD = ("claim", "statement", "verdict", "margin", "control", "trials", "rerun")
"""Titles of the table of verdicts."""

MOST_NAMES = 2
"""Entries that a verdict read from records names; of more it says how many."""

_ORDER = (Outcome.VIOLATED, Outcome.INCONCLUSIVE, Outcome.HOLDS)


@dataclass(frozen=True)
class Case:
    """One verdict: a claim in one case.

    Attributes:
        name: The case, as the suite wrote it, or what was read.
        keys: Trials that it rests on.
        seed: The seed; None for a claim that was read from records.
        verdict: The outcome.
        reason: One sentence.
        worst: Largest quantity / bound; NaN where unknown.
        control: What was made false.
        control_worst: The control's largest ratio; NaN where unknown.
        fired: Whether the control was found out; None without one.
        assumptions: What it rests on.
        rerun: The command that makes this one verdict again.
    """

    name: str
    keys: tuple[str, ...]
    seed: int | None
    verdict: str
    reason: str
    worst: float
    control: str
    control_worst: float
    fired: bool | None
    assumptions: tuple[Assumption, ...]
    rerun: str

    @property
    def margin(self) -> str:
        """1 - worst, written."""
        return written(1 - self.worst)

    @property
    def control_told(self) -> str:
        """The control's largest ratio, and whether that was seen."""
        if self.fired is None:
            return "none"
        return f"{written(self.control_worst)} {'fails, as it must' if self.fired else 'DID NOT FAIL'}"


@dataclass(frozen=True)
class Judged:
    """One claim with all its cases.

    Attributes:
        code: ``C1``.
        name: The component's name.
        statement: What is claimed.
        source: Who claims it.
        cases: Its verdicts, in the order of the suite.
    """

    code: str
    name: str
    statement: str
    source: str
    cases: tuple[Case, ...]

    @property
    def verdict(self) -> str:
        """``HOLDS``, or how often each outcome came, the gravest first."""
        counts = {outcome: sum(one.verdict == outcome for one in self.cases) for outcome in _ORDER}
        told = [f"{outcome} {count}" for outcome, count in counts.items() if count]
        return told[0].partition(" ")[0] if len(told) == 1 else ", ".join(told)

    @property
    def margin(self) -> str:
        """The least margin of the cases that were decided."""
        decided = [1 - one.worst for one in self.cases if one.verdict != Outcome.INCONCLUSIVE]
        return written(min(decided, default=math.nan))

    @property
    def control(self) -> str:
        """How often the control failed, as it must."""
        tried = [one.fired for one in self.cases if one.fired is not None]
        return f"{sum(tried)}/{len(tried)} fail" if tried else "none"

    @property
    def row(self) -> tuple[str, ...]:
        """The claim's row of the table."""
        rerun = self.cases[0].rerun if len(self.cases) == 1 else f"{self.cases[0].rerun} ..."
        return (
            self.code,
            self.statement,
            self.verdict,
            self.margin,
            self.control,
            str(len(self.cases)),
            rerun,
        )


def live(frames: Frames) -> list[Judged]:
    """Return the verdicts of the trials that judged a claim, in the order of the suite."""
    cases: dict[str, list[tuple[Mapping[str, Any], Case]]] = {}
    for row in frames.trials[["key", "dataset", "entry", "seed"]].itertuples(index=False):
        told = frames.judgements.get(str(row.key))
        if told is not None:
            case = _case(str(row.entry), str(row.key), int(str(row.seed)), told, frames)
            cases.setdefault(str(row.dataset), []).append((told, case))
    return [
        Judged(
            str(group[0][0]["claim"]),
            name,
            str(group[0][0]["statement"]),
            str(group[0][0]["source"]),
            tuple(case for _, case in group),
        )
        for name, group in cases.items()
    ]


def read(frames: Frames, claims: Mapping[str, Any], run: str) -> list[Judged]:
    """Return what claims that read records find in a run; those that find nothing are left out.

    Args:
        frames: The run's tables.
        claims: Component name to a claim with ``read``.
        run: What a person calls the run.
    """
    found = []
    for name, claim in claims.items():
        pieces: Sequence[tuple[tuple[str, ...], Evidence]] = claim.read(frames.trials, frames.curves)
        rerun = f"deqbench claims {shlex.quote(run)} --claim {claim.code}"
        cases = tuple(_read_case(claim, keys, evidence, frames, rerun) for keys, evidence in pieces)
        if cases:
            found.append(Judged(claim.code, name, claim.statement, claim.source, cases))
    return found


def violated(judged: Iterable[Judged]) -> bool:
    """Return whether any case of any claim is violated."""
    return any(case.verdict == Outcome.VIOLATED for one in judged for case in one.cases)


def counted(judged: Iterable[Judged]) -> str:
    """Return ``11 claims in 26 cases: 25 HOLDS, 1 INCONCLUSIVE``."""
    judged = list(judged)
    verdicts = [case.verdict for one in judged for case in one.cases]
    told = [f"{verdicts.count(outcome)} {outcome}" for outcome in reversed(_ORDER) if outcome in verdicts]
    claims, cases = len(judged), len(verdicts)
    head = f"{claims} claim{'s' * (claims != 1)} in {cases} case{'s' * (cases != 1)}"
    return f"{head}: {', '.join(told) or 'none'}"


def written(value: float) -> str:
    """Return a number for a table; a dash where there is none."""
    return "-" if not math.isfinite(value) else number(value)


def _case(name: str, key: str, seed: int, told: Mapping[str, Any], frames: Frames) -> Case:
    return Case(
        name=name,
        keys=(key,),
        seed=seed,
        verdict=str(told["verdict"]),
        reason=str(told["reason"]),
        worst=_or_nan(told["worst"]),
        control=str(told["control"]),
        control_worst=_or_nan(told["control_worst"]),
        fired=told["control_fired"],
        assumptions=tuple(Assumption(**one) for one in told["assumptions"]),
        rerun=_rerun(frames, name, seed),
    )


def _read_case(claim: Any, keys: tuple[str, ...], evidence: Evidence, frames: Frames, rerun: str) -> Case:
    verdict = decide(evidence, claim.tolerance)
    rows = frames.trials[frames.trials["key"].isin(keys)]
    told = rows["label"].astype(str)
    if frames.trials["dataset"].nunique() > 1:
        told = rows["dataset"].astype(str) + ": " + told
    names = list(dict.fromkeys(told))
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return Case(
        name="; ".join(names[:MOST_NAMES]) + more or claim.code,
        keys=keys,
        seed=None,
        verdict=verdict.verdict.value,
        reason=verdict.reason,
        worst=verdict.worst,
        control=evidence.control_name,
        control_worst=verdict.control_worst,
        fired=verdict.control_fired,
        assumptions=evidence.assumptions,
        rerun=rerun,
    )


def _rerun(frames: Frames, name: str, seed: int) -> str:
    command = list(frames.run.get("command") or ())
    suite = str(command[2]) if len(command) > 2 else str(frames.suite.get("name", "run"))
    only = f"claim={name},seed={seed}"
    return shlex.join(["deqbench", "run", suite, "--only", only, "--fresh", "--out", "again"])


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)

"""What a report says, in words and written numbers: page, Markdown and terminal all say the same."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

import pandas as pd

from deqbench.records import Status
from deqbench.telling.naming import flat
from deqbench.telling.report.answers import Answers, answers_of
from deqbench.telling.report.claims import Judged, counted, live
from deqbench.telling.report.components import Choices, choices
from deqbench.telling.report.failures import Failure, Miss, failures, misses
from deqbench.telling.report.overall import Overall, overall
from deqbench.telling.report.rankings import Ranking, ranking
from deqbench.telling.report.verdict import cautions
from deqbench.telling.report.weaknesses import weaknesses
from deqbench.telling.tables import Frames, failure_counts, summary


@dataclass(frozen=True)
class Content:
    """Everything a report says."""

    name: str
    title: str
    description: str
    outcome: str
    cautions: tuple[str, ...]
    answers: Answers | None
    overall: Overall | None
    rankings: tuple[Ranking, ...]
    judged: tuple[Judged, ...]
    coverage: str
    note: str
    misses: tuple[Miss, ...]
    failures: tuple[Failure, ...]
    commands: tuple[str, ...]
    design: tuple[tuple[str, str], ...]
    environment: tuple[tuple[str, str], ...]
    choices: Choices | None


def content_of(frames: Frames) -> Content:
    """Return what a report of the run says."""
    table = summary(frames)
    name = str(frames.suite.get("name", "run"))
    judged = (*live(frames), *frames.verdicts)
    about_claims = frames.about_claims
    datasets = [] if about_claims else list(dict.fromkeys(table["dataset"]))
    told = f"; {counted(judged)}" if about_claims or judged else ""
    return Content(
        name=name,
        title=str(frames.suite.get("title") or name),
        description=str(frames.suite.get("description") or ""),
        outcome=outcome(frames.trials) + told,
        cautions=() if about_claims else (*cautions(frames), *weaknesses(frames)),
        answers=None if about_claims else answers_of(frames),
        overall=overall(frames),
        rankings=tuple(ranking(frames, table[table["dataset"] == dataset], dataset) for dataset in datasets),
        judged=judged,
        coverage="" if about_claims else coverage_note(table),
        note=frames.subject.note,
        misses=tuple(misses(frames)),
        failures=tuple(failures(frames)),
        commands=tuple(_commands(frames, name)),
        design=tuple((key, _written(value)) for key, value in _design(frames).items()),
        environment=tuple((key, _written(value)) for key, value in _environment(frames).items()),
        choices=choices(frames),
    )


def outcome(trials: pd.DataFrame) -> str:
    """Return one line: ``42 trials: 37 ok, 1 diverged``."""
    parts = [f"{int((trials['status'] == Status.OK).sum())} ok"]
    failures = failure_counts([*trials["status"]])
    parts += [f"{times} {status.replace('_', ' ')}" for status, times in failures.items()]
    return f"{len(trials)} trial{'s' if len(trials) > 1 else ''}: {', '.join(parts)}"


def coverage_note(table: pd.DataFrame) -> str:
    """Return what the intervals are and what they cover."""
    covers = sorted(set(zip(table["n"].tolist(), table["coverage"].tolist(), strict=True)))
    shares = ", ".join(
        f"{100 * cover:.3g}% for n = {n}" if cover else f"none for n = {n}" for n, cover in covers
    )
    return (
        "Medians over seeds; [low, high] are order statistics, an interval for the median whatever the "
        f"distribution. Coverage attained: {shares}. Failed trials take part and rank behind all others."
    )


def _commands(frames: Frames, name: str) -> list[str]:
    words = frames.run.get("command") or ["deqbench", "run", name]
    return [shlex.join(words) if isinstance(words, list) else str(words)]


def _design(frames: Frames) -> dict[str, Any]:
    trials = frames.trials
    facts = {"experiment": frames.suite.get("experiment"), "seeds": frames.suite.get("seeds")}
    grounds = list(dict.fromkeys(trials["dataset"]))
    facts |= {f"{frames.subject.ground}s": grounds, "entries": trials["entry"].nunique()}
    wanted = frames.subject.design
    facts |= flat({key: frames.suite[key] for key in wanted if frames.suite.get(key) is not None})
    # A block of the grid may have its own budget and number type: what the trials had is what was run.
    for column in ("dtype", "budget.epochs", "budget.steps"):
        found = trials[column].dropna().unique().tolist() if column in trials else []
        facts |= {column: found if len(found) > 1 else found[0]} if found else {}
    told = ("started", "ended", "wall_seconds", "jobs", "reused", "state")
    facts |= {key: frames.run.get(key) for key in told}
    return {key.replace("_", " "): value for key, value in facts.items() if value is not None}


def _environment(frames: Frames) -> dict[str, Any]:
    facts = flat(frames.environment).items()
    return {name.replace("_", " "): value for name, value in facts if value not in (None, [], "[]")}


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_written(item) for item in value)
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and abs(value) >= 10_000 else str(value)

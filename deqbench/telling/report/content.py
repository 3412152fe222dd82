"""What a report says, in words and written numbers: page, Markdown and terminal all say the same."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import pandas as pd

from deqbench.records import Status
from deqbench.telling.naming import flat
from deqbench.telling.report.numbers import count, interval, mebibytes, metric_title, number, score
from deqbench.telling.report.verdict import cautions, sentence
from deqbench.telling.statistics import higher_is_better
from deqbench.telling.tables import PENDING, Frames, failure_counts, primary_metric, summary


@dataclass(frozen=True)
class Standing:
    """One entry's line: written numbers, and the plain ones that the page draws.

    Attributes:
        label: The entry in short.
        score: Median of the primary metric; ``failed`` where it falls on a failure.
        score_interval: Its interval, or nothing.
        costs: Column title to written median, e.g. ``train s``.
        ok: ``3/3``.
        failures: ``timeout 1``, or nothing.
        low: Lower end of the score's interval, as a number; infinite on a failure.
        median: The score's median.
        high: Upper end.
    """

    label: str
    score: str
    score_interval: str
    costs: Mapping[str, str]
    ok: str
    failures: str
    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Ranking:
    """All entries of one data set, the best median first.

    Attributes:
        dataset: The data set as the suite wrote it.
        metric: Title of the primary metric.
        sentence: What may be concluded.
        standings: The entries.
        scale: Least and greatest finite end of their intervals, written.
    """

    dataset: str
    metric: str
    sentence: str
    standings: tuple[Standing, ...]
    scale: tuple[str, str]

    @property
    def cost_titles(self) -> tuple[str, ...]:
        """Titles of the cost columns."""
        return tuple(self.standings[0].costs)


@dataclass(frozen=True)
class Failure:
    """A trial that did not end well."""

    key: str
    name: str
    seed: int
    status: str
    meaning: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Content:
    """Everything a report says."""

    name: str
    title: str
    description: str
    outcome: str
    cautions: tuple[str, ...]
    rankings: tuple[Ranking, ...]
    coverage: str
    failures: tuple[Failure, ...]
    commands: tuple[str, ...]
    design: tuple[tuple[str, str], ...]
    environment: tuple[tuple[str, str], ...]


COST_COLUMNS = {
    "train s": ("train_seconds", number),
    "updates": ("steps", count),
    "map calls": ("map_calls", count),
    "vjps": ("vjps", count),
    "Hv products": ("hessian_products", count),
    "peak MiB": ("peak_bytes", mebibytes),
    "parameters": ("parameters", count),
}
"""Column title to the summary's column and how it is written."""


def content_of(frames: Frames) -> Content:
    """Return what a report of the run says."""
    table = summary(frames)
    name = str(frames.suite.get("name", "run"))
    datasets = list(dict.fromkeys(table["dataset"]))
    return Content(
        name=name,
        title=str(frames.suite.get("title") or name),
        description=str(frames.suite.get("description") or ""),
        outcome=outcome(frames.trials),
        cautions=tuple(cautions(frames)),
        rankings=tuple(_ranking(frames, table[table["dataset"] == dataset], dataset) for dataset in datasets),
        coverage=coverage_note(table),
        failures=tuple(_failures(frames.trials)),
        commands=tuple(_commands(frames, name)),
        design=tuple((key, _written(value)) for key, value in _design(frames).items()),
        environment=tuple((key, _written(value)) for key, value in _environment(frames).items()),
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


def _ranking(frames: Frames, table: pd.DataFrame, dataset: str) -> Ranking:
    metric = primary_metric(frames, dataset)
    best_first = table.sort_values(
        "score", ascending=not higher_is_better(metric), kind="stable", na_position="last"
    )
    known = {
        title: how
        for title, how in COST_COLUMNS.items()
        if how[0] in table and _worth_a_column(table[how[0]])
    }
    standings = [_standing(row, metric, known) for row in best_first.to_dict("records")]
    ends = [end for one in standings for end in (one.low, one.high) if isfinite(end)]
    scale = (score(metric, min(ends)), score(metric, max(ends))) if ends else ("", "")
    said = sentence(best_first, metric, dataset)
    return Ranking(dataset, metric_title(metric), said, tuple(standings), scale)


def _worth_a_column(values: pd.Series[float]) -> bool:
    return bool((values.notna() & (values != 0)).any())


def _standing(row: Mapping[Any, Any], metric: str, columns: Mapping[str, Any]) -> Standing:
    low, median, high = (float(row.get(name, float("nan"))) for name in ("score_low", "score", "score_high"))
    return Standing(
        label=str(row["label"]),
        score=score(metric, median),
        score_interval=interval(score(metric, low), score(metric, high)),
        costs={title: how(float(row[column])) for title, (column, how) in columns.items()},
        ok=f"{row['ok']}/{row['n']}",
        failures=str(row["failures"]).replace("_", " "),
        low=low,
        median=median,
        high=high,
    )


def _failures(trials: pd.DataFrame) -> list[Failure]:
    failed = trials[~trials["status"].isin([Status.OK, PENDING])]
    several = trials["dataset"].nunique() > 1
    return [
        Failure(
            key=row["key"],
            name=f"{row['dataset']}: {row['label']}" if several else row["label"],
            seed=row["seed"],
            status=row["status"].replace("_", " "),
            meaning=Status(row["status"]).sentence,
            reason=_text(row["reason"]),
            detail=_text(row["detail"]),
        )
        for row in failed.to_dict("records")
    ]


def _commands(frames: Frames, name: str) -> list[str]:
    words = frames.run.get("command") or ["deqbench", "run", name]
    return [shlex.join(words) if isinstance(words, list) else str(words)]


def _design(frames: Frames) -> dict[str, Any]:
    trials = frames.trials
    facts = {"experiment": frames.suite.get("experiment"), "seeds": frames.suite.get("seeds")}
    facts |= {"data sets": list(dict.fromkeys(trials["dataset"])), "entries": trials["entry"].nunique()}
    wanted = ("stop", "loss", "device", "threads", "evaluations")
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


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""

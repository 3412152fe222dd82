"""What ``deqbench compare --json`` prints: one JSON object, with a schema that is published.

The schema lies in ``docs/compare.schema.json``; ``version`` grows when a field changes its meaning or goes.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from deqbench.comparing.answer import Answer
    from deqbench.statistics.comparison import Comparison

VERSION: Literal[1] = 1
Verdicts = Literal["improved", "regressed", "equivalent", "inconclusive"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Compared(_Part):
    """The second run beside the first, by one metric."""

    metric: str
    kind: Literal["ratio", "difference"] = Field(description="second / first, or second - first.")
    higher_is_better: bool
    pairs: int = Field(description="Pairs that both runs hold, failures included.")
    complete: int = Field(description="Pairs of which both sides have a number.")
    broken: int = Field(description="Pairs that the second run alone failed.")
    mended: int = Field(description="Pairs that the first run alone failed.")
    estimate: float | None = Field(description="Mean over complete pairs; geometric for ratios.")
    low: float | None = Field(description="Lower end of its interval; null where there is none.")
    high: float | None
    level: float = Field(description="Coverage that the interval aims at.")
    p: float | None = Field(description="Of the two-sided sign-flip test over all pairs.")
    p_holm: float | None = Field(description="The same after Holm's correction over its family.")
    rope: str = Field(description="What counts as no difference: a share, or a number in the metric's unit.")
    verdict: Verdicts


class GroupCompared(Compared):
    """An entry on a data set."""

    dataset: str
    entry: str


class Document(_Part):
    """The answer of ``deqbench compare``."""

    version: Literal[1]
    first: str = Field(description="The run that is the measure.")
    second: str = Field(description="The run that is judged.")
    verdict: Verdicts
    exit_code: int = Field(description="0, 3 for regressed, 4 for inconclusive under --strict.")
    overall: list[Compared] = Field(description="A metric over all its groups, each weighing the same.")
    groups: list[GroupCompared]
    only_in_first: int = Field(description="Trials that the second run does not hold.")
    only_in_second: int
    machines: list[str] = Field(description="How the machines differ.")


def document(answer: Answer, *, strict: bool) -> Document:
    """Return an answer as the document that is printed."""
    return Document(
        version=VERSION,
        first=answer.names[0],
        second=answer.names[1],
        verdict=answer.verdict.value,
        exit_code=answer.exit_code(strict=strict),
        overall=[Compared.model_validate(_fields(one)) for one in answer.overall],
        groups=[
            GroupCompared.model_validate(_fields(one.compared) | {"dataset": one.dataset, "entry": one.entry})
            for one in answer.groups
        ],
        only_in_first=answer.only[0],
        only_in_second=answer.only[1],
        machines=list(answer.machines),
    )


def _fields(one: Comparison) -> dict[str, object]:
    row = one.row()
    return {
        "metric": one.measure.name,
        "kind": one.measure.kind,
        "higher_is_better": one.measure.higher_is_better,
        "pairs": one.pairs,
        "complete": row["complete"],
        "broken": row["first_failed"],
        "mended": row["second_failed"],
        **{name: _finite(row[name]) for name in ("estimate", "low", "high", "p", "p_holm")},
        "level": row["level"],
        "rope": row["rope"],
        "verdict": row["verdict"],
    }


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None

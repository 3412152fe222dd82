"""Each entry at its own best step: iterations to a share of the first gap, and what the probes saw there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

from deqbench.telling.best_of_grid import PROBES, Best, best_of_grid
from deqbench.telling.report.numbers import NOTHING, number
from deqbench.telling.report.sections.section import Section, Story

_TITLES = {
    "hessian_condition": "κ(H)",
    "preconditioned_condition": "κ(D½ H D½)",
    "log10_lambda_min": "log10 λmin(D)",
    "log10_lambda_max": "log10 λmax(D)",
}
_SHARES = ("to 10%", "to 1%", "to 0.1%")
_NOTE = (
    "Updates until the training loss is within 10%, 1%, 0.1% of the first gap to the best linear function, "
    "medians over seeds; a dash: not reached within the budget. The best step is the one with the fewest "
    "updates to 1%, then with the smallest last gap; * marks one at the end of its grid, beyond which a "
    "better one may lie. Conditions and eigenvalues are those of the last look at the run. No step is shared "
    "between entries: a shared one would compare how large a step each of them bears."
)


@dataclass(frozen=True)
class Table:
    """A table of one data set: its caption, and a row an entry."""

    caption: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class BestSteps:
    """Every entry at its own best step.

    Attributes:
        head: Titles of the columns, the entry first.
        tables: One a data set.
        note: How they are to be read.
    """

    head: tuple[str, ...]
    tables: tuple[Table, ...]
    note: str = _NOTE


def build(story: Story) -> BestSteps | None:
    """Return the tables; None for a run without a grid of steps or without the probe ``linear-gap``."""
    found = best_of_grid(story.frames)
    if not found:
        return None
    probes = [name for name in PROBES if any(name in one.probes for one in found)]
    head = ("entry", "best step", *_SHARES, *(_TITLES[name] for name in probes))
    datasets = dict.fromkeys(one.dataset for one in found)
    return BestSteps(
        head,
        tuple(
            Table(
                f"{dataset}: each entry at its own best step",
                tuple(_row(one, probes) for one in found if one.dataset == dataset),
            )
            for dataset in datasets
        ),
    )


def _row(one: Best, probes: list[str]) -> tuple[str, ...]:
    step = NOTHING if one.value is None else f"{one.value:g}{'*' if one.edge and one.tried > 1 else ''}"
    return (
        one.entry,
        step,
        *(f"{steps:,.0f}" if isfinite(steps) else NOTHING for steps in one.steps),
        *(number(one.probes[name]) if name in one.probes else NOTHING for name in probes),
    )


def markdown(it: BestSteps) -> Iterator[str]:
    """Yield the tables."""
    for table in it.tables:
        yield from (f"**{table.caption}**", "")
        yield f"| {' | '.join(it.head)} |"
        yield f"| {' | '.join(['---', *['---:'] * (len(it.head) - 1)])} |"
        for row in table.rows:
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
        yield ""
    yield it.note


SECTION = Section("best_steps", "Each at its best step", build, markdown)

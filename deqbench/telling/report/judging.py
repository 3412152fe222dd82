"""Verdicts on claims as lines of text, for the terminal and for Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from deqbench.telling.report.claims import counted

if TYPE_CHECKING:
    from deqbench.telling.report.claims import Case, Judged

_GAP = "  "


def lines_of(judged: Sequence[Judged], width: int, *, detailed: bool = False) -> list[str]:
    """Return the table of verdicts in lines; every case that does not hold is told in full.

    Args:
        judged: The claims.
        width: Columns available.
        detailed: Whether every case is told in full.
    """
    if not judged:
        return ["No claim was judged in this run, and none finds its records here."]
    rows = [("claim", "verdict", "margin", "control", "trials", "statement")]
    rows += [
        (one.code, one.verdict, one.margin, one.control, str(len(one.cases)), one.statement) for one in judged
    ]
    sizes = [max(len(row[place]) for row in rows) for place in range(5)]
    lines = [line for row in rows for line in _row(row, sizes, width)]
    lines = [lines[0], "-" * min(width, max(map(len, lines))), *lines[1:], "", f"{counted(judged)}."]
    for one in judged:
        for case in one.cases:
            if detailed or case.verdict != "HOLDS":
                lines += ["", *_told(one, case, width)]
    if not detailed:
        lines += ["", f"To make one verdict again: {judged[0].cases[0].rerun}"]
    return lines


def _row(row: Sequence[str], sizes: Sequence[int], width: int) -> Iterator[str]:
    head = _GAP.join(cell.ljust(size) for cell, size in zip(row, sizes, strict=False))
    room = max(24, width - len(head) - len(_GAP))
    for number, part in enumerate(textwrap.wrap(row[5], room) or [""]):
        yield f"{head if number == 0 else ' ' * len(head)}{_GAP}{part}"


def _told(one: Judged, case: Case, width: int) -> list[str]:
    seed = "" if case.seed is None else f", seed {case.seed}"
    said = [f"{one.code} {case.verdict}: {case.name}{seed}", case.reason]
    said += [
        f"{'assumed' if each.holds else 'NOT CERTIFIED'}: {each.sentence}"
        + ("" if each.value is None else f" ({each.name} = {each.value:.4g})")
        for each in case.assumptions
    ]
    lines = [
        line
        for number, text in enumerate(said)
        for line in textwrap.wrap(
            text, width, initial_indent="  " * (number > 0), subsequent_indent="    ", break_on_hyphens=False
        )
    ]
    return [*lines, f"  again: {case.rerun}"]  # not wrapped: it is to be copied


def markdown_of(judged: Sequence[Judged]) -> Iterator[str]:
    """Yield a section a claim: statement, source, and its cases with their assumptions."""
    for one in judged:
        yield from (f"### {one.code}: {one.name}", "", one.statement, "", f"Source: {one.source}", "")
        yield from ("| case | verdict | margin | control | reason |", "| --- | --- | --- | --- | --- |")
        for case in one.cases:
            cells = (
                f"`{case.name}`, seed {case.seed}",
                case.verdict,
                case.margin,
                case.control_told,
                case.reason,
            )
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
        yield ""
        for each in one.cases[0].assumptions:
            value = "" if each.value is None else f" ({each.value:.4g})"
            yield f"- {each.sentence}{value}{'' if each.holds else ': NOT CERTIFIED'}"
        yield from ("", "```sh", one.cases[0].rerun, "```", "")

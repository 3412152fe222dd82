"""The answer at the end of a run: a table that fits a terminal and reads without colour."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Container, Sequence

from deqbench.telling.report.answers import lines as answer_lines
from deqbench.telling.report.content import Content, content_of
from deqbench.telling.report.judging import lines_of
from deqbench.telling.report.overall import Overall
from deqbench.telling.report.rankings import Ranking
from deqbench.telling.tables import Frames

WIDTH = 100
_NARROWEST = 60
_SHORT_LABEL, _SHORTEST_LABEL = 20, 14
_COSTS = ("train s", "solve ms", "backward ms", "overhead", "map calls", "operations")
_GAP = "  "


def summary_lines(frames: Frames, width: int = WIDTH, *, content: Content | None = None) -> list[str]:
    """Return the summary as plain lines, none wider than ``width``: the outcome, and a table a data set.

    Entries stand best median first, with failures counted beside them. Where the terminal is narrow, costs
    are left out and labels are broken; failures never give way. A run on several maps is told in one table
    over all of them, and a sentence a map. Verdicts on claims end it.

    Args:
        frames: The run.
        width: Columns available; fewer than 60 are taken as 60.
        content: What a report of the run says, if it is known already.
    """
    width = max(width, _NARROWEST)
    content = content_of(frames) if content is None else content
    lines = [*textwrap.wrap(f"{content.name}: {content.outcome}", width)]
    if content.judged and not content.rankings:
        return [*lines, "", *lines_of(content.judged, width)]
    if content.overall is None:
        for ranking in content.rankings:
            lines += ["", *_table(ranking, width)]
    else:
        lines += ["", *_overall(content.overall, width)]
    lines.append("")
    answers = [] if content.answers is None else [*answer_lines(content.answers)]
    sentences = [ranking.sentence for ranking in content.rankings]
    for said in (*sentences, *answers, *content.cautions, content.coverage):
        lines += textwrap.wrap(said, width, break_on_hyphens=False)
    return [*lines, "", *lines_of(content.judged, width)] if content.judged else lines


def _overall(overall: Overall, width: int) -> list[str]:
    rows = [list(row) for row in (overall.head, *overall.rows)]
    while len(rows[0]) > 3 and _others(rows) + _SHORT_LABEL > width:
        rows = [row[:-1] for row in rows]
    said = textwrap.wrap(f"{overall.sentence} {overall.note}", width, break_on_hyphens=False)
    return [*_ruled(rows, width, left={0}), "", *said]


def _table(ranking: Ranking, width: int) -> list[str]:
    costs = [title for title in _COSTS if title in ranking.cost_titles]
    while costs and _others(_rows(ranking, costs)) + _SHORT_LABEL > width:
        costs.pop()
    rows = _rows(ranking, costs)
    return _ruled(rows, width, left={0, 1, len(rows[0]) - 1})


def _ruled(rows: Sequence[Sequence[str]], width: int, left: Container[int]) -> list[str]:
    """Return rows laid out under a ruled head, labels broken to fit; ``left`` are the columns set left."""
    room = max(_SHORTEST_LABEL, width - _others(rows))
    cells = [
        [_wrapped_label(row[0], room), *([cell] for cell in row[1:-1]), row[-1].split(", ")] for row in rows
    ]
    lines = [_laid_out(row, _widths(cells), left=left) for row in cells]
    head, body = lines[0], [line for row in lines[1:] for line in row]
    return [*head, "-" * max(len(line) for line in [*head, *body]), *body]


def _rows(ranking: Ranking, costs: Sequence[str]) -> list[list[str]]:
    wide = max(len(one.score) for one in ranking.standings)
    failed = any(one.failures for one in ranking.standings)
    rows = [[ranking.dataset, ranking.metric, *costs, "ok", "failures" if failed else ""]]
    for one in ranking.standings:
        value = f"{one.score:>{wide}} {one.score_interval}".rstrip()
        rows.append([one.label, value, *(one.costs[title] for title in costs), one.ok, one.failures])
    return rows


def _others(rows: Sequence[Sequence[str]]) -> int:
    """Return the width of all columns but the first, gaps included; failures stand one below another."""
    cells = [[[cell] for cell in row[1:-1]] + [row[-1].split(", ")] for row in rows]
    return sum(_widths(cells)) + len(_GAP) * len(cells[0])


def _widths(cells: Sequence[Sequence[Sequence[str]]]) -> list[int]:
    columns = range(len(cells[0]))
    return [max(len(line) for row in cells for line in row[column]) for column in columns]


def _wrapped_label(label: str, room: int) -> list[str]:
    """Return a label in lines of at most ``room``, broken after slashes where that will do, then set in."""
    lines = [""]
    for part in re.findall(rf"[^/]{{1,{room - 3}}}/?", label):
        if lines[-1].strip() and len(lines[-1]) + len(part) > room:
            lines.append("  ")
        lines[-1] += part
    return lines


def _laid_out(row: Sequence[Sequence[str]], widths: Sequence[int], left: Container[int]) -> list[str]:
    lines = []
    for cells in itertools.zip_longest(*row, fillvalue=""):
        placed = [
            cell.ljust(size) if column in left else cell.rjust(size)
            for column, (cell, size) in enumerate(zip(cells, widths, strict=True))
        ]
        lines.append(_GAP.join(placed).rstrip())
    return lines

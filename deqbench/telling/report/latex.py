r"""The report's tables as LaTeX, ready for ``\input`` in a paper: booktabs rules, the page's own numbers.

A paper's preamble needs ``\usepackage{booktabs}``. Each table is a ``table`` environment with a caption and a
label; :mod:`pandas` escapes and sets it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from deqbench.telling.report.claims import HEAD

if TYPE_CHECKING:
    from deqbench.telling.report.content import Content
    from deqbench.telling.report.rankings import Ranking

# ruff: noqa: RUF001  these are the letters and signs that the report writes
_UNICODE: dict[str, str | int | None] = {
    "θ": r"$\theta$",
    "κ": r"$\kappa$",
    "λ": r"$\lambda$",
    "γ": r"$\gamma$",
    "²": r"$^2$",
    "½": r"$^{1/2}$",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "±": r"$\pm$",
    "−": "--",
    "–": "--",
    "∞": r"$\infty$",
}
"""What the report writes beyond ASCII, as plain LaTeX sets it."""


def latex(content: Content) -> str:
    """Return every table of the report: all maps together, each data set or map, the claims."""
    head = (
        f"% {content.title}: tables by deqbench. Needs \\usepackage{{booktabs}}.",
        "% The same numbers as report.html, report.md and the terminal.",
    )
    return "\n".join([*map(_plain, head), *_tables(content)]) + "\n"


def _tables(content: Content) -> Iterator[str]:
    name = _label(content.name)
    if content.judged:
        yield tabular(HEAD, [one.row for one in content.judged], "Verdicts on the claims.", f"tab:{name}")
    if content.overall is not None:
        whole = content.overall
        yield tabular(whole.head, whole.rows, f"{whole.caption}. {whole.note}", f"tab:{name}")
    for ranking in content.rankings:
        yield _ranked(ranking, f"tab:{name}-{_label(ranking.dataset)}", content.coverage)


def _ranked(ranking: Ranking, label: str, coverage: str) -> str:
    spread = ["interval"] * ranking.intervals
    head = ("entry", ranking.metric, *spread, *ranking.cost_titles, "ok")
    rows = [
        (one.label, one.score, *[one.score_interval] * len(spread), *one.costs.values(), one.ok)
        for one in ranking.standings
    ]
    return tabular(head, rows, f"{ranking.dataset}: entries by median {ranking.metric}. {coverage}", label)


def tabular(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str, label: str) -> str:
    """Return one table environment; the first column is set as text, the others as numbers."""
    frame = pd.DataFrame([list(map(str, row)) for row in rows], columns=list(map(str, head)))
    style = frame.style.hide(axis="index").format(escape="latex").format_index(escape="latex", axis=1)
    made = style.to_latex(
        hrules=True,
        position="tbp",
        position_float="centering",
        column_format="l" + "r" * (len(head) - 1),
        caption=_escaped(caption),
        label=label,
    )
    return _plain(made)


def _escaped(text: str) -> str:
    return re.sub(r"([&%$#_{}])", r"\\\1", text)


def _plain(text: str) -> str:
    return text.translate(str.maketrans(_UNICODE))


def _label(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")

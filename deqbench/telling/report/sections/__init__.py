"""The sections of the report, in the order of the page.

A section is one Python module here and one template beside it, and a line of ``SECTIONS``:

1. ``sections/<name>.py`` says *what*: a frozen dataclass of written text, numbers and pictures; a function
   ``build(story) -> It | None`` that makes it (None: this run has nothing to say here, and the page has no
   such section); a function ``markdown(it)`` that yields the same as lines of Markdown; and
   ``SECTION = Section("<name>", "<Title>", build, markdown)``. Numbers are written once, by
   :mod:`~deqbench.telling.report.numbers`, so that page, Markdown and LaTeX agree to the last digit.
2. ``templates/sections/<name>.html.j2`` says *how*: what stands under the heading, which the frame writes.
   It finds the dataclass as ``it``, and the macros of ``templates/parts.html.j2``::

       {% import "parts.html.j2" as parts %}
       <p>{{ it.sentence }}</p>
       {{ parts.table("Paired differences", it.head, it.rows, numbers=[1, 2]) }}
       {{ parts.figure(it.picture) }}

3. A section that draws gives ``pictures=lambda it: [it.picture]``: the report saves them under ``figures/``,
   and ``parts.figure(picture)`` inlines them. A :class:`~deqbench.telling.pictures.Picture` brings its
   ``data``, which becomes the table behind it; pictures that share a ``family`` and differ in ``axis`` are
   shown one at a time, by the page's switch.

4. What belongs to one entry is hidden while a reader has chosen others. A figure draws it with the entry's
   :class:`~deqbench.telling.looks.Look` and gives it the identifier of ``look.sign()`` as ``gid``; a table
   whose rows are entries, named in their first cells, says ``entries=true``; any other element takes
   ``{{ owned(label) }}``. Statistics and tables behind figures stay whole.

The frame does the rest: sorting of every table, copying of every figure, the axis switch for whatever has
variants, themes, print, and the security policy. A template writes no ``style`` attribute and no script: the
policy would refuse both. Colours, spaces and classes are in ``templates/style/``. Data for the page's script
goes through ``parts.data(identifier, value)``. Headings inside a section start at ``<h3>``.
"""

from __future__ import annotations

from typing import Any

from deqbench.telling.report.sections import (
    answers,
    attainment,
    best_steps,
    claims,
    comparisons,
    details,
    entries,
    environment,
    failures,
    fairness,
    figures,
    methods,
    run,
    statistics,
    tradeoff,
    trials,
    verdict,
)
from deqbench.telling.report.sections.section import Part, Section, Story, parts

__all__ = ["SECTIONS", "Part", "Section", "Story", "parts"]

SECTIONS: tuple[Section[Any], ...] = (
    answers.SECTION,
    verdict.SECTION,
    comparisons.SECTION,
    tradeoff.SECTION,
    attainment.SECTION,
    run.SECTION,
    fairness.SECTION,
    best_steps.SECTION,
    claims.SECTION,
    figures.SECTION,
    entries.SECTION,
    details.SECTION,
    trials.SECTION,
    statistics.SECTION,
    failures.SECTION,
    environment.SECTION,
    methods.SECTION,
)
"""Every section, in the order of the page."""

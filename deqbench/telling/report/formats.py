"""The forms in which a report is written, and what each puts into the folder."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """One form of a report."""

    HTML = "html"
    MARKDOWN = "md"
    CSV = "csv"
    PARQUET = "parquet"
    LATEX = "tex"
    SVG = "svg"
    PNG = "png"
    PDF = "pdf"


STANDARD = frozenset({Format.HTML, Format.MARKDOWN, Format.CSV, Format.SVG})
"""What a run ends with."""
FIGURES = (Format.SVG, Format.PNG, Format.PDF)
"""Forms of the figures; the page is made from the SVGs."""
MOST_ROWS = 1_000_000
"""Observations up to which ``curves.csv`` is written unasked."""

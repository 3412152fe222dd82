"""The report of a run: a page that opens offline, the same in Markdown and LaTeX, tables, figures.

What it says stands in sections, one module and one template each: :mod:`deqbench.telling.report.sections`
says how to write another.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from deqbench.keeping.store import write_durably
from deqbench.telling import tables
from deqbench.telling.figures import draw
from deqbench.telling.loading import load
from deqbench.telling.pictures import Picture
from deqbench.telling.report.content import content_of
from deqbench.telling.report.formats import FIGURES, MOST_ROWS, STANDARD, Format
from deqbench.telling.report.latex import latex
from deqbench.telling.report.markdown import markdown
from deqbench.telling.report.page import page
from deqbench.telling.report.sections import SECTIONS, Story, parts
from deqbench.telling.tables import Frames

__all__ = ["Format", "write", "write_frames"]


def write(folder: Path | str, formats: Collection[Format] = STANDARD) -> Path:
    """Write the report of the run in a folder, beside its records, and return the path of ``report.html``.

    Args:
        folder: The run's folder.
        formats: As in :func:`write_frames`.

    Raises:
        StoreError: No run lies there, a file of it is damaged, or the folder cannot be written.
    """
    return write_frames(load(folder), Path(folder), formats)


def write_frames(frames: Frames, folder: Path, formats: Collection[Format] = STANDARD) -> Path:
    """Write the report of a run, or of several merged, into a folder; return the path of ``report.html``.

    Files: ``report.html``, ``report.md``, ``report.tex``, ``trials``, ``curves`` and ``summary`` as ``.csv``
    or ``.parquet``, and ``figures/``, whose SVGs come with the page. What an earlier report left there under
    the figures' names is replaced. Beyond ``MOST_ROWS`` observations ``curves.csv`` is written only where
    tables are all that is asked.

    Raises:
        StoreError: The folder cannot be written.
        ConfigurationError: Parquet is asked and pyarrow is not installed.
    """
    asked = frozenset(formats)
    folder.mkdir(parents=True, exist_ok=True)
    if Format.PARQUET in asked:
        tables.write_parquet(frames, folder)
    if Format.CSV in asked:
        whole = len(frames.curves) <= MOST_ROWS or Format.HTML not in asked
        tables.write(frames, folder, curves=whole)
    told = asked - {Format.PARQUET, Format.CSV}
    if told:
        _tell(frames, folder, told)
    return folder / "report.html"


def _tell(frames: Frames, folder: Path, asked: frozenset[Format]) -> None:
    content = content_of(frames)
    if Format.LATEX in asked:
        write_durably(folder / "report.tex", latex(content))
    if asked == {Format.LATEX}:
        return
    story = Story(frames, content, tuple(draw(frames)))
    told = parts(SECTIONS, story)
    kinds = asked | ({Format.SVG} if Format.HTML in asked else set())
    _save([picture for part in told for picture in part.pictures], folder / "figures", kinds)
    if Format.MARKDOWN in asked:
        write_durably(folder / "report.md", markdown(content, told))
    if Format.HTML in asked:
        write_durably(folder / "report.html", page(content, told, folder / "figures"))


def _save(pictures: Sequence[Picture], folder: Path, asked: Collection[Format]) -> None:
    kinds = [kind.value for kind in FIGURES if kind in asked]
    if folder.is_dir() and kinds:
        # A figure of an earlier report (failures that are mended now) must not stand beside this one's.
        for stale in (path for kind in FIGURES for path in folder.glob(f"*.{kind.value}")):
            stale.unlink()
    for picture in pictures:
        picture.save(folder, kinds)

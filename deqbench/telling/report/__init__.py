"""The report of a run: a page that opens offline, the same in Markdown and LaTeX, tables, figures.

What it says stands in sections, one module and one template each: :mod:`deqbench.telling.report.sections`
says how to write another.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cache, partial
from pathlib import Path

from deqbench.keeping.store import write_durably
from deqbench.telling import tables
from deqbench.telling.aside import aside
from deqbench.telling.collecting import uncollected
from deqbench.telling.loading import load
from deqbench.telling.report.ahead import Ahead, draw_ahead
from deqbench.telling.report.content import Content, content_of
from deqbench.telling.report.formats import FIGURES, MOST_ROWS, STANDARD, Format
from deqbench.telling.report.latex import latex
from deqbench.telling.report.markdown import markdown
from deqbench.telling.report.page import page
from deqbench.telling.report.sections import SECTIONS, Part, Story, parts
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


def write_frames(
    frames: Frames,
    folder: Path,
    formats: Collection[Format] = STANDARD,
    *,
    forked: bool = False,
    content: Callable[[], Content] | None = None,
) -> Path:
    """Write the report of a run, or of several merged, into a folder; return the path of ``report.html``.

    Files: ``report.html``, ``report.md``, ``report.tex``, ``trials``, ``curves`` and ``summary`` as ``.csv``
    or ``.parquet``, and ``figures/``, whose SVGs come with the page. What an earlier report left there under
    the figures' names is replaced. Beyond ``MOST_ROWS`` observations ``curves.csv`` is written only where
    tables are all that is asked.

    Args:
        frames: The run.
        folder: Where it is written.
        formats: The forms that are asked.
        forked: Whether a second process may draw figures meanwhile: for a caller without threads.
        content: What finds the words, for a caller who needs them too; it is asked once a second process
            draws.

    Raises:
        StoreError: The folder cannot be written.
        ConfigurationError: Parquet is asked and pyarrow is not installed.
    """
    asked, content = frozenset(formats), content or partial(content_of, frames)
    folder.mkdir(parents=True, exist_ok=True)
    told = asked - {Format.PARQUET, Format.CSV}
    with uncollected():
        if not told - {Format.LATEX}:
            _write_tables(frames, folder, asked)
            if told:
                write_durably(folder / "report.tex", latex(content()))
            return folder / "report.html"
        kinds = _kinds(told)
        _clear(folder / "figures", kinds)
        drawing = partial(draw_ahead, frames, folder / "figures", kinds, inlined=Format.HTML in told)
        with aside(drawing, forked=forked) as drawn:

            @cache
            def ahead() -> Ahead:
                _write_tables(frames, folder, asked)  # before anybody waits
                return drawn()

            _tell(frames, content, folder, told, ahead)
            ahead()
    return folder / "report.html"


def _write_tables(frames: Frames, folder: Path, asked: frozenset[Format]) -> None:
    if Format.PARQUET in asked:
        tables.write_parquet(frames, folder)
    if Format.CSV in asked:
        whole = len(frames.curves) <= MOST_ROWS or Format.HTML not in asked
        tables.write(frames, folder, curves=whole)


def _tell(
    frames: Frames,
    words: Callable[[], Content],
    folder: Path,
    asked: frozenset[Format],
    ahead: Callable[[], Ahead],
) -> None:
    content = words()
    if Format.LATEX in asked:
        write_durably(folder / "report.tex", latex(content))
    kinds = _kinds(asked)

    def save(part: Part) -> None:
        for picture in part.pictures:
            picture.save(folder / "figures", kinds)

    told = parts(SECTIONS, Story(frames, content, lambda: ahead().pictures), save)
    if Format.MARKDOWN in asked:
        write_durably(folder / "report.md", markdown(content, told))
    if Format.HTML in asked:
        write_durably(folder / "report.html", page(content, told, folder / "figures", ahead().markup))


def _kinds(asked: Collection[Format]) -> list[str]:
    """Return the kinds of file in which figures are saved; the page is made from the SVGs."""
    return [kind.value for kind in FIGURES if kind in asked or (kind is Format.SVG and Format.HTML in asked)]


def _clear(folder: Path, kinds: Sequence[str]) -> None:
    """Remove the figures of an earlier report: failures since mended must not stand beside this one's."""
    if folder.is_dir() and kinds:
        for stale in (path for kind in FIGURES for path in folder.glob(f"*.{kind.value}")):
            stale.unlink()

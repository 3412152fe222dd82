"""The report of a run: a page that opens offline, the same in Markdown, tables as CSV, figures."""

from __future__ import annotations

from pathlib import Path

from deqbench.keeping.store import write_durably
from deqbench.telling import tables
from deqbench.telling.figures import draw
from deqbench.telling.pictures import Picture
from deqbench.telling.report.content import content_of
from deqbench.telling.report.markdown import markdown
from deqbench.telling.report.page import page

__all__ = ["write"]


def write(folder: Path | str) -> Path:
    """Write the report of the run in a folder, beside its records, and return the path of ``report.html``.

    Files: ``report.html``, ``report.md``, ``trials.csv``, ``curves.csv``, ``summary.csv``, and ``figures/``
    with an SVG and a PNG of each. What an earlier report left under these names is replaced.

    Raises:
        StoreError: No run lies there, a file of it is damaged, or the folder cannot be written.
    """
    folder = Path(folder)
    frames = tables.load(folder)
    tables.write(frames, folder)
    content, pictures = content_of(frames), draw(frames)
    _save(pictures, folder / "figures")
    write_durably(folder / "report.md", markdown(content, pictures))
    write_durably(folder / "report.html", page(content, pictures, folder / "figures"))
    return folder / "report.html"


def _save(pictures: list[Picture], folder: Path) -> None:
    if folder.is_dir():
        # A figure of an earlier report (failures that are mended now) must not stand beside this one's.
        for stale in [*folder.glob("*.svg"), *folder.glob("*.png")]:
            stale.unlink()
    for picture in pictures:
        picture.save(folder)

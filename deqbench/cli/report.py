"""``deqbench report RUN...``: tables, figures and page of a run, or of several as one, from their records."""

from __future__ import annotations

import atexit
import gc
import shutil
import sys
import webbrowser
from functools import cache, partial
from pathlib import Path

import click

from deqbench.cli.options import load_registry, plugin_paths
from deqbench.telling.collecting import uncollected

WIDEST_TABLE = 100
"""Columns of the summary where there is no terminal to ask."""
FORMATS = ("html", "md", "csv", "parquet", "tex", "svg", "png", "pdf")
"""Forms of a report, as in :mod:`deqbench.telling.report.formats`, which --help need not import."""


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--format",
    "formats",
    type=click.Choice(FORMATS),
    multiple=True,
    help="Write this form alone; may be given several times [html, md, csv, svg].",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder [that of the run].")
@click.option("--open", "opened", is_flag=True, help="Open the page in a browser.")
@plugin_paths
@click.option("--quiet", is_flag=True, help="Print the path of what was written alone.")
def report(  # noqa: PLR0913  one argument an option
    *,
    runs: tuple[str, ...],
    formats: tuple[str, ...],
    out: Path | None,
    opened: bool,
    plugins: tuple[str, ...],
    quiet: bool,
) -> None:
    """Write the tables, figures and page of RUN again: its folder, or a suite's name under reports/.

    Nothing is run. A run that is under way or was interrupted is told as far as it got. Several runs are told
    as one, under --out, if they may stand side by side: the same protocol, data and settings.

    Exit codes: 0 written, 2 a mistake in usage, 7 the runs cannot be told as one.
    """
    atexit.register(gc.freeze)  # or the interpreter goes through every object of the report before it ends
    with uncollected():
        from deqbench.cli.recorded import with_verdicts  # noqa: PLC0415  --help needs no pandas
        from deqbench.comparing.merging import merge  # noqa: PLC0415  as above
        from deqbench.comparing.opening import open_runs  # noqa: PLC0415  as above
        from deqbench.keeping.finding import find_run  # noqa: PLC0415  as above
        from deqbench.telling.aside import second_process  # noqa: PLC0415  as above
        from deqbench.telling.report import Format, write_frames  # noqa: PLC0415  as above, nor matplotlib
        from deqbench.telling.report.content import content_of  # noqa: PLC0415  as above
        from deqbench.telling.report.formats import STANDARD  # noqa: PLC0415  as above
        from deqbench.telling.report.terminal import summary_lines  # noqa: PLC0415  as above

    if len(runs) > 1 and out is None:
        raise click.UsageError(
            f"{len(runs)} runs are told as one in a folder of their own; name it with --out."
        )
    asked = frozenset(Format(name) for name in formats) or STANDARD
    opened = opened and Format.HTML in asked
    folder = out or find_run(runs[0]).folder
    called = runs[0] if len(runs) == 1 else str(folder)
    frames = with_verdicts(merge(open_runs(runs)), called, partial(load_registry, plugins))
    content = cache(partial(content_of, frames))  # the terminal says what the page does
    page = write_frames(frames, folder, asked, forked=second_process(), content=content)
    if not quiet:
        width = shutil.get_terminal_size((WIDEST_TABLE, 24)).columns if sys.stdout.isatty() else WIDEST_TABLE
        for line in summary_lines(frames, width, content=content()):
            click.echo(line)
    written = page if Format.HTML in asked else folder
    click.echo(str(written) if quiet else f"Report: {written}")
    if opened:
        webbrowser.open(page.resolve().as_uri())

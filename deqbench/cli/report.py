"""``deqbench report RUN``: tables, figures and page of a run, written again from its records."""

from __future__ import annotations

import shutil
import sys
import webbrowser

import click

WIDEST_TABLE = 100
"""Columns of the summary where there is no terminal to ask."""


@click.command()
@click.argument("run")
@click.option("--open", "opened", is_flag=True, help="Open the page in a browser.")
@click.option("--parquet", is_flag=True, help="Write the tables as Parquet too (extra 'parquet').")
@click.option("--quiet", is_flag=True, help="Print the path of the page alone.")
def report(*, run: str, opened: bool, parquet: bool, quiet: bool) -> None:
    """Write the tables, figures and page of RUN again: its folder, or a suite's name under reports/.

    Nothing is run. A run that is under way or was interrupted is told as far as it got.
    """
    from deqbench.running.explaining import find_run  # noqa: PLC0415  as above
    from deqbench.telling import tables  # noqa: PLC0415  --help needs no pandas
    from deqbench.telling.report import write  # noqa: PLC0415  as above, nor matplotlib
    from deqbench.telling.report.terminal import summary_lines  # noqa: PLC0415  as above

    folder = find_run(run).folder
    if parquet:
        tables.write_parquet(tables.load(folder), folder)
    page = write(folder)
    if not quiet:
        width = shutil.get_terminal_size((WIDEST_TABLE, 24)).columns if sys.stdout.isatty() else WIDEST_TABLE
        for line in summary_lines(tables.load(folder), width):
            click.echo(line)
    click.echo(str(page) if quiet else f"Report: {page}")
    if opened:
        webbrowser.open(page.resolve().as_uri())

"""``deqbench claims RUN``: the verdicts on the claims that a run judged, or whose records decide them."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import click

from deqbench.cli.options import plugin_options

if TYPE_CHECKING:
    from deqbench.discovery.registry import Registry

WIDEST_TABLE = 110
"""Columns of the table where there is no terminal to ask."""


@click.command()
@click.argument("run")
@click.option("--claim", "code", metavar="CODE", help="This claim alone, e.g. C1.")
@plugin_options
def claims(registry: Registry, *, run: str, code: str | None) -> int:
    """Print the verdicts on the claims of RUN: its folder, or a suite's name under reports/.

    Claims that were examined live are told as they were judged; claims that read records are checked on those
    of RUN now; of one that fails at that, there is no verdict, and it is said. Nothing is run.

    Exit codes: 0 no claim is violated, 1 one is, 2 a mistake in usage.
    """
    from deqbench.cli.recorded import judged_by, readers  # noqa: PLC0415  --help needs none of it
    from deqbench.errors import UnknownNameError  # noqa: PLC0415  --help needs none of it
    from deqbench.keeping.finding import find_run  # noqa: PLC0415  as above
    from deqbench.telling.loading import load  # noqa: PLC0415  as above
    from deqbench.telling.report import claims as verdicts  # noqa: PLC0415  as above
    from deqbench.telling.report.judging import lines_of  # noqa: PLC0415  as above

    frames = load(find_run(run).folder)
    judged = [*verdicts.live(frames), *judged_by(readers(registry), frames, run)]
    if code is not None:
        known = list(dict.fromkeys(one.code for one in judged))
        judged = [one for one in judged if one.code.lower() == code.lower()]
        if not judged:
            told = ", ".join(known) or "none"
            raise UnknownNameError(f"No verdict on '{code}' lies in this run; it has: {told}.")
    width = shutil.get_terminal_size((WIDEST_TABLE, 24)).columns if sys.stdout.isatty() else WIDEST_TABLE
    for line in lines_of(judged, width, detailed=code is not None):
        click.echo(line)
    return 1 if verdicts.violated(judged) else 0

"""``deqbench compare A B``: did the second run get better or worse; a gate for continuous integration."""

from __future__ import annotations

import shutil
import sys

import click

WIDEST_TABLE = 100
"""Columns of the table where there is no terminal to ask."""


@click.command()
@click.argument("first")
@click.argument("second")
@click.option("--rope", "width", default="1%", show_default=True, help="What counts as no difference.")
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Compare this column of trials.csv.")
@click.option(
    "--decide",
    type=click.Choice(["holm", "interval"]),
    default="holm",
    show_default=True,
    help="What a verdict needs: the corrected test and the interval, or the interval alone.",
)
@click.option("--strict", is_flag=True, help="Exit 4 if the answer is inconclusive.")
@click.option("--any-machine", is_flag=True, help="Compare times and memory of different machines.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (docs/compare.schema.json).")
def compare(  # noqa: PLR0913  one argument an option
    *,
    first: str,
    second: str,
    width: str,
    metrics: tuple[str, ...],
    decide: str,
    strict: bool,
    any_machine: bool,
    as_json: bool,
) -> int:
    """Judge the run SECOND beside the run FIRST: folders of runs, or suites' names under reports/.

    Trials are paired by data set, entry and seed. Each entry on a data set is improved, regressed, equivalent
    or inconclusive, and so is each metric over all of them. A trial that fails in SECOND alone is a
    regression.

    Exit codes: 0 nothing regressed, 2 a mistake in usage, 3 something regressed, 4 inconclusive (with
    --strict), 7 the runs cannot be compared: other data, settings, or no trial in common.
    """
    from deqbench.comparing.answer import Question, answer  # noqa: PLC0415  --help needs no pandas
    from deqbench.comparing.document import document  # noqa: PLC0415  as above
    from deqbench.comparing.lines import lines  # noqa: PLC0415  as above
    from deqbench.comparing.opening import open_runs  # noqa: PLC0415  as above
    from deqbench.statistics.equivalence import Rope  # noqa: PLC0415  as above

    question = Question(Rope.parse(width), metrics, "holm" if decide == "holm" else "interval", any_machine)
    (one, earlier), (two, later) = open_runs([first, second]).items()
    found = answer(earlier, later, (one, two), question)
    if as_json:
        click.echo(document(found, strict=strict).model_dump_json(indent=1))
    else:
        columns = (
            shutil.get_terminal_size((WIDEST_TABLE, 24)).columns if sys.stdout.isatty() else WIDEST_TABLE
        )
        for line in lines(found, width=columns, strict=strict):
            click.echo(line)
    return found.exit_code(strict=strict)

"""``deqbench why TRIAL``: why a trial was run or reused, and what would be done with it now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from deqbench.cli.options import plugin_options

if TYPE_CHECKING:
    from deqbench.discovery.registry import Registry


@click.command()
@click.argument("trial")
@click.option(
    "--run",
    "folder",
    metavar="RUN",
    help="The run's folder, or a suite's name under reports/ [the newest run there].",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plugin_options
def why(registry: Registry, *, trial: str, folder: str | None, as_json: bool) -> None:
    """Say why TRIAL was run again, or why its result was reused, and what the code of today changes.

    TRIAL is the beginning of a key (first column of trials.csv), or words that only one trial's label has.
    """
    from deqbench.keeping.finding import find_run  # noqa: PLC0415  --help needs none of it
    from deqbench.running.explaining import explain  # noqa: PLC0415  as above

    told = explain(find_run(folder), trial, registry)
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    for line in _lines(told):
        click.echo(line)


def _lines(told: dict[str, Any]) -> list[str]:
    lines = [
        f"{told['key']}  {told['label']}",
        f"  in {told['folder']}, status {told['status'] or 'not run yet'}",
        f"  {told['decision']}" + (f", compared with {told['previous']}" if told["previous"] else ""),
        *(f"    - {reason}" for reason in told["reasons"]),
    ]
    if told["now"]:
        lines += ["  run now, it would be stale:", *(f"    - {reason}" for reason in told["now"])]
    else:
        lines += ["  the code of today is the code of this result"]
    identity = told["identity"]
    lines += ["  its key rests on"]
    lines += [f"    {path} = {json.dumps(value)}" for path, value in identity.items()]
    return lines

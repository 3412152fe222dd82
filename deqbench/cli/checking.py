"""``deqbench check``: the conformance checks, for plugin authors."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from deqbench.cli.options import complete_components, kind_of, plugin_options
from deqbench.cli.showing import locate
from deqbench.errors import PluginError
from deqbench.plugin import KINDS
from deqbench.trials import Ref

if TYPE_CHECKING:
    from deqbench.checks import CheckResult
    from deqbench.discovery.registry import Registry


@click.command()
@click.argument("components", nargs=-1, shell_complete=complete_components)
@click.option("--verbose", "-v", is_flag=True, help="Show the checks that passed too.")
@plugin_options
def check(registry: Registry, *, components: tuple[str, ...], verbose: bool) -> None:
    """Check COMPONENTS: names, KIND/NAME, or kinds; all that are installed if none is given.

    Parameters may be given: deqbench check 'anderson[memory=3]'. Exit code 1 if a check fails.
    """
    from deqbench.checks import Outcome, check_component  # noqa: PLC0415  torch; not for --help

    totals: Counter[str] = Counter()
    for kind, name in _chosen(registry, components):
        try:
            results: Sequence[CheckResult] = check_component(kind, name, registry)
        except PluginError as error:
            click.echo(f"{kind}/{name}: skipped: {error}")
            totals[Outcome.SKIPPED] += 1
            continue
        _tell(f"{kind}/{name}", results, verbose=verbose)
        totals.update(result.outcome for result in results)
    click.echo(", ".join(f"{totals[outcome]} {outcome}" for outcome in Outcome))
    if totals[Outcome.FAILED] or registry.broken:
        for broken in registry.broken:
            click.echo(f"broken plugin {broken.origin.name}: {broken.error}")
        sys.exit(1)


def _chosen(registry: Registry, components: Sequence[str]) -> list[tuple[str, str]]:
    chosen: list[tuple[str, str]] = []
    for word in components or KINDS:
        if word in KINDS:
            chosen += [(word, name) for name in registry.names(word)]
        else:
            plain, _, parameters = word.partition("[")
            kind, name = locate(registry, plain)
            chosen.append((kind, f"{name}[{parameters}" if parameters else name))
    return [(kind_of(kind), str(Ref.parse(name))) for kind, name in chosen]


def _tell(title: str, results: Sequence[CheckResult], *, verbose: bool) -> None:
    failed = [result for result in results if result.outcome == "failed"]
    click.echo(
        f"{title}: {f'{len(failed)} of {len(results)} failed' if failed else f'{len(results)} checked'}"
    )
    for result in results:
        if verbose or result.outcome != "passed":
            detail = f" {' '.join(result.detail.split())}" if result.detail else ""
            click.echo(f"  {result.outcome}: {result.claim}{detail}")

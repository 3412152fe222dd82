"""``deqbench list`` and ``deqbench suites``: what is on offer, read from manifests alone, without torch."""

from __future__ import annotations

import json
import shutil
import sys
import tomllib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from deqbench.cli.options import complete_kinds, kind_of, plugin_options
from deqbench.plugin import KINDS

if TYPE_CHECKING:
    from deqbench.discovery.registry import Offer, Registry

UNLIMITED = 10_000
"""Columns of a pipe or a file: nothing is cut there."""


@click.command("list")
@click.argument("kind", required=False, shell_complete=complete_kinds)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plugin_options
def list_components(registry: Registry, *, kind: str | None, as_json: bool) -> None:
    """List every component on offer, or those of one KIND, with broken plugins and clashes."""
    kinds = [kind_of(kind)] if kind else list(KINDS)
    if as_json:
        click.echo(json.dumps(_as_json(registry, kinds), indent=2))
        return
    for one in kinds:
        offers = registry.offers(one)
        if offers or kind:
            _section(one, [(offer.entry.name, _told(offer), offer.origin.name) for offer in offers])
    _section("broken plugins", [(one.origin.name, one.error, "") for one in registry.broken])
    _section("clashes", [(sentence, "", "") for sentence in _clashes(registry, kinds)])


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plugin_options
def suites(registry: Registry, *, as_json: bool) -> None:
    """List the suites and what they compare; run one with: deqbench run NAME."""
    rows = [_suite(offer) for offer in registry.offers("suites")]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(f"{_bold(row['name'])}  {row['title']}")
        for axis, names in row["axes"].items():
            click.echo(f"    {axis}: {', '.join(names)}")
        if row["seeds"]:
            click.echo(f"    seeds: {', '.join(str(seed) for seed in row['seeds'])}")


def _told(offer: Offer) -> str:
    """Return the summary, with what to install first where something is missing."""
    return f"[{offer.remedy}] {offer.entry.summary}" if offer.missing else offer.entry.summary


def _section(title: str, rows: Sequence[tuple[str, str, str]]) -> None:
    """Print rows of name, text and origin in columns; on a terminal, text that does not fit is cut."""
    if not rows:
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else UNLIMITED
    first = max(len(name) for name, _, _ in rows)
    last = max(len(origin) for _, _, origin in rows)
    middle = min(max(len(text) for _, text, _ in rows), max(20, width - first - last - 6))
    click.echo(_bold(title))
    for name, text, origin in rows:
        shown = text if len(text) <= middle or not last else f"{text[: middle - 1]}…"
        click.echo(f"  {name:<{first}}  {shown:<{middle}}  {origin}".rstrip())
    click.echo()


def _bold(text: str) -> str:
    return click.style(text, bold=True)


def _clashes(registry: Registry, kinds: Sequence[str]) -> Iterator[str]:
    from deqbench.discovery.offers import clash_sentence  # noqa: PLC0415  discovery; not for --help

    return (clash_sentence(group) for group in registry.clashes if group[0].kind in kinds)


def _as_json(registry: Registry, kinds: Sequence[str]) -> dict[str, Any]:
    return {
        "components": [offer_json(offer) for kind in kinds for offer in registry.offers(kind)],
        "broken": [{"origin": one.origin.name, "error": one.error} for one in registry.broken],
        "clashes": list(_clashes(registry, kinds)),
    }


def offer_json(offer: Offer) -> dict[str, Any]:
    """Return what is known of a component without importing it, as JSON values."""
    return {
        "kind": offer.kind,
        "name": offer.entry.name,
        "summary": offer.entry.summary,
        "origin": offer.origin.name,
        "distribution": offer.origin.distribution,
        "version": offer.origin.version,
        "missing": list(offer.missing),
        "remedy": offer.remedy,
    }


def _suite(offer: Offer) -> dict[str, Any]:
    """Return a suite's title and what it varies, from its TOML alone; a file that cannot be read says so."""
    try:
        with open(offer.entry.target, "rb") as file:  # noqa: PTH123  the target may be a path as text
            table = tomllib.load(file)
    except (OSError, ValueError) as error:
        table = {"title": f"cannot be read: {error}"}
    title = table.get("title") or offer.entry.summary
    return {
        "name": offer.entry.name,
        "title": str(title),
        "origin": offer.origin.name,
        "seeds": table.get("seeds", []),
        "axes": dict(_axes(table)),
    }


def _axes(table: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield each axis with the components that the grid and the defaults name, each once."""
    blocks = [table.get("defaults", {}), *table.get("grid", [])]
    for axis in ("dataset", "model", "map", "solver", "gradient", "trainer", "claim"):
        values = [value for block in blocks if isinstance(block, dict) for value in _listed(block.get(axis))]
        names = [
            value["name"] if isinstance(value, dict) and "name" in value else str(value) for value in values
        ]
        if names:
            yield axis, list(dict.fromkeys(names))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]

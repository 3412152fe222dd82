"""``deqbench env``: what a run would record about the machine and the versions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

_GIB = 1024**3


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as it is stored with a run.")
def env(*, as_json: bool) -> None:
    """Show what machine and which versions a run would record."""
    from deqbench.measuring.machine import facts  # noqa: PLC0415 -- --help needs none of it

    found = facts()
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    rows = list(rows_of(found))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        click.echo(f"{click.style(name.ljust(width), bold=True)}  {value}")


def rows_of(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield a row for each fact, name and value, in reading order.

    Args:
        found: What :func:`deqbench.measuring.machine.facts` returns.
    """
    cpu, memory, threads = found["cpu"], found["memory"], found["threads"]
    yield "host", f"{found['host']}, {found['os']}"
    yield (
        "cpu",
        f"{cpu['model']}, {cpu['cores']} cores, {cpu['usable']} usable threads, load {cpu['load']:.2g}",
    )
    limit = f", limited to {memory['limit_bytes'] / _GIB:.3g} GiB" if memory["limit_bytes"] else ""
    yield "memory", f"{memory['total_bytes'] / _GIB:.3g} GiB{limit}"
    for gpu in found["gpus"] or [None]:
        yield "gpu", f"{gpu['name']}, {gpu['memory']}, driver {gpu['driver']}" if gpu else "none"
    yield "threads", f"torch {threads['torch']}; each trial gets what its suite says"
    yield "blas", ", ".join(f"{name} {value}" for name, value in found["blas"].items() if value)
    yield "checkout", _checkout(found["checkout"])
    yield from found["versions"].items()
    plugins = ", ".join(f"{name} {version}" for name, version in found["plugins"].items())
    yield "plugins from", plugins or "none"


def _checkout(checkout: Mapping[str, Any] | None) -> str:
    if checkout is None:
        return "none: installed from a package"
    state = "with changes not committed" if checkout["dirty"] else "clean"
    return f"{checkout['commit'][:12]}, {state}"

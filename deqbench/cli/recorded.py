"""Claims that read records, built from what is installed: for ``deqbench claims`` and for every report."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deqbench.discovery.registry import Registry
    from deqbench.telling.tables import Frames


def readers(registry: Registry) -> Mapping[str, Any]:
    """Return all claims that read records, by name, built with their defaults."""
    from deqbench.errors import DeqbenchError  # noqa: PLC0415  --help needs none of it
    from deqbench.trials import Ref  # noqa: PLC0415  as above

    found = {}
    for name in registry.names("claims"):
        try:
            if hasattr(registry.target("claims", name), "read"):
                found[name] = registry.build("claims", Ref(name))
        except DeqbenchError:  # it clashes or lacks a package; deqbench list says so
            continue
    return found


def with_verdicts(frames: Frames, run: str, registry: Callable[[], Registry]) -> Frames:
    """Return the run with the verdicts on the claims that its suite names; if it names none, it is as it was.

    A claim that is not installed here, no longer takes what the suite gives it, or fails as it reads is left
    out and said so.

    Args:
        frames: The run's tables.
        run: What a person calls the run.
        registry: Loads what is installed.
    """
    named = frames.suite.get("claims")
    if not named:
        return frames
    from deqbench.errors import DeqbenchError  # noqa: PLC0415  as above
    from deqbench.telling.report.claims import read  # noqa: PLC0415  as above
    from deqbench.trials import Ref  # noqa: PLC0415  as above

    judged, installed = [], registry()
    for ref in map(Ref.of, named):
        try:
            judged += read(frames, {str(ref): installed.build("claims", ref)}, run)
        except DeqbenchError as error:
            click.echo(f"The report has no verdict on {ref}: {error}", err=True)
        except Exception as error:  # noqa: BLE001  whatever a plugin raises: the run's report is not to suffer
            click.echo(f"The report has no verdict on {ref}: {type(error).__name__}: {error}", err=True)
    return replace(frames, verdicts=tuple(judged))

"""Claims that read records, built from what is installed: for ``deqbench claims`` and for every report."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from deqbench.discovery.registry import Registry
    from deqbench.telling.report.claims import Judged
    from deqbench.telling.tables import Frames


def readers(registry: Registry) -> Mapping[str, Callable[[], Any]]:
    """Return what builds each claim that reads records, by name, with its defaults."""
    from deqbench.errors import DeqbenchError  # noqa: PLC0415  --help needs none of it
    from deqbench.trials import Ref  # noqa: PLC0415  as above

    found = {}
    for name in registry.names("claims"):
        try:
            reads = hasattr(registry.target("claims", name), "read")
        except DeqbenchError:  # it clashes or lacks a package; deqbench list says so
            continue
        if reads:
            found[name] = partial(registry.build, "claims", Ref(name))
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
    from deqbench.trials import Ref  # noqa: PLC0415  as above

    installed, refs = registry(), map(Ref.of, named)
    builders = {str(ref): partial(installed.build, "claims", ref) for ref in refs}
    return replace(frames, verdicts=tuple(judged_by(builders, frames, run)))


def judged_by(claims: Mapping[str, Callable[[], Any]], frames: Frames, run: str) -> Iterator[Judged]:
    """Yield the verdicts of claims on a run's records; of one that fails, say so and go on.

    Args:
        claims: Name to what builds the claim.
        frames: The run's tables.
        run: What a person calls the run.
    """
    from deqbench.errors import DeqbenchError  # noqa: PLC0415  as above
    from deqbench.telling.report.claims import read  # noqa: PLC0415  as above

    for name, build in claims.items():
        try:
            yield from read(frames, {name: build()}, run)
        except DeqbenchError as error:
            click.echo(f"There is no verdict on {name}: {error}", err=True)
        except Exception as error:  # noqa: BLE001  whatever a plugin raises: the others' verdicts stand
            click.echo(f"There is no verdict on {name}: {type(error).__name__}: {error}", err=True)

"""Blocks of a suite marked ``optional``: what needs a package that is not installed is left out, and said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deqbench.suites.axes import TAKEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deqbench.discovery.registry import Registry
    from deqbench.suites.schema import GridBlock, Suite
    from deqbench.trials import Ref


def remedy(registry: Registry, kind: str, ref: Ref) -> str:
    """Return what a component needs and how to get it; empty if nothing is missing, or there is none."""
    offers = [offer for offer in registry.offers(kind) if offer.entry.name == ref.name]
    return offers[0].remedy if len(offers) == 1 else ""


def refs_of(suite: Suite, block: GridBlock, axis: str) -> Sequence[Ref]:
    """Return the components of an axis as written: the block's, else the default, else none."""
    default: Ref | None = getattr(suite.defaults, axis)
    named: Sequence[Ref] | None = getattr(block, axis)
    return named if named is not None else (() if default is None else (default,))


def left_out(suite: Suite, registry: Registry) -> tuple[str, ...]:
    """Return a sentence for each component that optional blocks name and that is not available here."""
    sentences = []
    for block in suite.grid:
        for axis in TAKEN[suite.experiment].taken if block.optional else ():
            for ref in refs_of(suite, block, axis):
                needs = remedy(registry, f"{axis}s", ref)
                sentences += [f"{ref.name} {needs}"] if needs else []
    return tuple(dict.fromkeys(sentences))

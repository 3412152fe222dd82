"""Everything on offer: which components there are, where they come from, and how one is built from its Ref.

A registry is loaded once and passed as an argument; there is no global one. Loading it imports the plugins'
manifests only: a component's own module is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from deqbench.discovery.digests import source_digests
from deqbench.discovery.loading import Broken, Loaded, candidates, load, one_line
from deqbench.discovery.offers import KIND_NAMES, Offer, clash_sentence
from deqbench.discovery.sources import Origin, PluginSources, sources_from
from deqbench.errors import PluginError, UnknownNameError, did_you_mean
from deqbench.trials import Ref, digest

__all__ = ["KIND_NAMES", "Broken", "Offer", "Origin", "PluginSources", "Registry", "sources_from"]

SHARED_ROOTS = ("deqbench_plugins",)
"""Packages that count as local to every plugin: the built-ins change without a new version in a checkout."""


class Registry:
    """The components that some sources offer.

    Args:
        sources: Where they come from.
        offers: All of them, in the order they were found.
        broken: The plugins that did not load.
    """

    def __init__(
        self, sources: PluginSources, offers: Iterable[Offer] = (), broken: Iterable[Broken] = ()
    ) -> None:
        self.sources = sources
        self.broken = tuple(broken)
        self._offers = tuple(offers)
        self._targets: dict[tuple[str, str], Any] = {}

    @classmethod
    def load(cls, sources: PluginSources | None = None) -> Registry:
        """Load every plugin of the sources, each alone inside a guard.

        Args:
            sources: Default: all installed ones; :func:`sources_from` adds ``DEQBENCH_PLUGIN_PATH``.

        Raises:
            ConfigurationError: A path does not exist or holds no Python file.
            UnknownNameError: A plugin to leave out is nobody's.
        """
        sources = PluginSources() if sources is None else sources
        results = [load(candidate) for candidate in candidates(sources)]
        loaded = [result for result in results if isinstance(result, Loaded)]
        offers = [Offer(kind, entry, one.origin, one.plugin) for one in loaded for kind, entry in one.entries]
        return cls(sources, offers, [result for result in results if isinstance(result, Broken)])

    def offers(self, kind: str) -> list[Offer]:
        """Return what is on offer of one kind by name, clashing ones included."""
        return sorted((offer for offer in self._offers if offer.kind == kind), key=lambda one: one.entry.name)

    def names(self, kind: str) -> list[str]:
        """Return the names on offer of one kind, sorted, each once."""
        return sorted({offer.entry.name for offer in self._offers if offer.kind == kind})

    @property
    def clashes(self) -> list[tuple[Offer, ...]]:
        """Components that two plugins or more offer under one name."""
        groups: dict[tuple[str, str], list[Offer]] = {}
        for offer in self._offers:
            groups.setdefault((offer.kind, offer.entry.name), []).append(offer)
        return [tuple(group) for group in groups.values() if len(group) > 1]

    def find(self, kind: str, name: str) -> Offer:
        """Return the one component of that name, ready to be imported.

        Raises:
            UnknownNameError: There is none; the message offers the nearest name.
            PluginError: Two plugins offer it, or it needs a package that is not installed.
        """
        found = [offer for offer in self._offers if (offer.kind, offer.entry.name) == (kind, name)]
        if not found:
            raise UnknownNameError(self._unknown(kind, name))
        if len(found) > 1:
            raise PluginError(clash_sentence(tuple(found)))
        if found[0].missing:
            raise PluginError(f"The {KIND_NAMES[kind]} '{name}' {found[0].remedy}.")
        return found[0]

    def target(self, kind: str, name: str) -> Any:
        """Import and return the component's class, or a suite's path.

        Raises:
            UnknownNameError: There is none of that name.
            PluginError: It clashes, lacks a package, or its import fails.
        """
        offer = self.find(kind, name)
        if (kind, name) not in self._targets:
            self._targets[kind, name] = _imported(offer)
        return self._targets[kind, name]

    def resolve(self, kind: str, ref: Ref) -> dict[str, Any]:
        """Return all parameters of a component as JSON values, defaults filled in.

        A parameter that is itself a component becomes ``{"name": ..., **its parameters}``.

        Raises:
            ConfigurationError: Parameters are unknown, missing or wrong; all mistakes at once.
            UnknownNameError: There is none of that name.
            PluginError: It clashes, lacks a package, or its import fails.
        """
        return self._described(kind, ref)[1]

    def build(self, kind: str, ref: Ref) -> Any:
        """Return the component itself, the components among its parameters built too.

        Raises:
            ConfigurationError: As for :meth:`resolve`.
            UnknownNameError: As for :meth:`resolve`.
            PluginError: As for :meth:`resolve`.
        """
        return self._described(kind, ref)[0]

    def digest(self, kind: str, name: str) -> str:
        """Return the digest of a component's code: its sources, and its distribution's name and version.

        Raises:
            UnknownNameError: There is none of that name.
            PluginError: It clashes, lacks a package, or its module cannot be found.
        """
        origin = self.find(kind, name).origin
        return digest([self.source_digests(kind, name), origin.distribution, origin.version])

    def source_digests(self, kind: str, name: str) -> dict[str, str]:
        """Return the digest of each source file that a component's code rests on, by module name.

        Raises:
            UnknownNameError: There is none of that name.
            PluginError: It clashes, lacks a package, or its module cannot be found.
        """
        offer = self.find(kind, name)
        try:
            starts = offer.code
            return {
                key: value for start in starts for key, value in source_digests(start, SHARED_ROOTS).items()
            }
        except (ImportError, OSError) as error:
            raise PluginError(
                f"The source of {KIND_NAMES[kind]} '{name}' cannot be read: {one_line(error)}."
            ) from error

    def _described(self, kind: str, ref: Ref) -> tuple[Any, dict[str, Any]]:
        from deqbench.discovery.parameters import construct  # noqa: PLC0415  pydantic; 'deqbench list' does without

        owner = f"{KIND_NAMES[kind]} '{ref.name}'"
        return construct(self.target(kind, ref.name), ref.parameters, owner, self._described)

    def _unknown(self, kind: str, name: str) -> str:
        message = f"Unknown {KIND_NAMES[kind]} '{name}'.{did_you_mean(name, self.names(kind))}"
        elsewhere = [offer.kind for offer in self._offers if offer.entry.name == name]
        if elsewhere:
            message += f" There is a {KIND_NAMES[elsewhere[0]]} of that name."
        message += f" See 'deqbench list {kind}'."
        if self.broken:
            broken = "; ".join(f"{one.origin.name} ({one.error})" for one in self.broken)
            message += f" A broken plugin may hold it: {broken}."
        return message


def _imported(offer: Offer) -> Any:
    if offer.kind == "suites":
        return Path(offer.entry.target)
    try:
        return offer.entry.resolve()
    except Exception as error:
        raise PluginError(
            f"The {KIND_NAMES[offer.kind]} '{offer.entry.name}' of {offer.origin.name} cannot be imported: "
            f"{one_line(error)}. Its target is {offer.entry.target!r}."
        ) from error

"""Options and completions that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from deqbench.errors import DeqbenchError, UnknownNameError, did_you_mean
from deqbench.plugin import KINDS

if TYPE_CHECKING:
    from deqbench.discovery.registry import Registry

T = TypeVar("T")


plugin_paths = click.option(
    "--plugin",
    "plugins",
    metavar="PATH",
    multiple=True,
    type=click.Path(),
    help="Load a .py file or a folder of plugins too (repeatable; or DEQBENCH_PLUGIN_PATH).",
)
"""``--plugin``, for a command that loads plugins only where it turns out to need them."""


def plugin_options(command: Callable[..., T]) -> Callable[..., T]:
    """Add ``--plugin`` and ``--no-plugin`` to a command, which gets the loaded ``registry`` as a keyword.

    The registry is imported and loaded when the command is called, so ``--help`` costs nothing.
    """

    @plugin_paths
    @click.option(
        "--no-plugin",
        "without",
        metavar="NAME",
        multiple=True,
        help="Leave a plugin out, by origin, distribution or entry point (repeatable).",
    )
    @functools.wraps(command)
    def loaded(*args: Any, plugins: tuple[str, ...], without: tuple[str, ...], **options: Any) -> T:
        return command(*args, registry=load_registry(plugins, without), **options)

    return loaded


def load_registry(plugins: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> Registry:
    """Return the registry that ``--plugin`` and ``--no-plugin`` ask for."""
    from deqbench.discovery.registry import Registry, sources_from  # noqa: PLC0415  only once a command needs it

    return Registry.load(sources_from(plugins, without))


def kind_of(word: str) -> str:
    """Return the kind that a word names, in the singular or the plural.

    Raises:
        UnknownNameError: It names none.
    """
    for kind in KINDS:
        if word in (kind, kind[:-1]):
            return kind
    raise UnknownNameError(f"Unknown kind '{word}'.{did_you_mean(word, KINDS)} Kinds: {', '.join(KINDS)}.")


def complete_kinds(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the kinds that begin with what was typed."""
    return [kind for kind in KINDS if kind.startswith(incomplete)]


def complete_components(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the components that begin with what was typed, ``kind/name`` where a name alone is ambiguous."""
    registry = _registry_of(context)
    names = [(kind, name) for kind in KINDS for name in registry.names(kind)]
    plain = [name for _, name in names]
    words = [name if plain.count(name) == 1 else f"{kind}/{name}" for kind, name in names]
    return [word for word in words if word.startswith(incomplete)]


def complete_suites(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the shipped suites that begin with what was typed; the shell adds files itself."""
    return [name for name in _registry_of(context).names("suites") if name.startswith(incomplete)]


def _registry_of(context: click.Context) -> Registry:
    given = context.params
    try:
        return load_registry(tuple(given.get("plugins") or ()), tuple(given.get("without") or ()))
    except DeqbenchError:  # a wrong path must not print a message into the shell's line
        from deqbench.discovery.registry import PluginSources, Registry  # noqa: PLC0415  as above

        return Registry.load(PluginSources())

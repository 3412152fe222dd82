"""What one plugin offers, refused with one clear line where it breaks the rules.

Each plugin has a pluggy manager to itself, so that none can trouble another; a manager is used again once its
plugin has left it, for reading the specifications takes longer than a plugin does. pluggy by itself accepts a
misspelt hook without a word and gives results in reverse order.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterator
from typing import Any

import pluggy

from deqbench.errors import PluginError
from deqbench.hookspecs import Hooks
from deqbench.plugin import KINDS, PROJECT, Entry

HOOKS = tuple(f"{PROJECT}_{kind}" for kind in KINDS)

_idle: list[pluggy.PluginManager] = []
"""Managers that hold no plugin; a list, for a plugin's hook may itself have others loaded."""

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def entries_of(plugin: Any) -> Iterator[tuple[str, Entry]]:
    """Yield (kind, entry) of everything a plugin offers, kind by kind, in the plugin's order.

    Args:
        plugin: What its entry point names: a module, or any object with hook methods.

    Raises:
        PluginError: A hook is misspelt or unmarked, or offers something that is no Entry.
    """
    _refuse_misspelt(plugin)
    for kind, hook, offers in zip(KINDS, HOOKS, _offers_of(plugin), strict=True):
        seen: set[str] = set()
        for offered in offers:
            for entry in _checked(offered, hook, kind):
                if entry.name in seen:
                    raise PluginError(f"{hook} offers '{entry.name}' twice")
                seen.add(entry.name)
                yield kind, entry


def _offers_of(plugin: Any) -> list[list[Any]]:
    """Return what each hook of a plugin gives, in the order of ``HOOKS``."""
    manager = _idle.pop() if _idle else new_manager()
    manager.register(plugin)
    manager.check_pending()
    offers = [getattr(manager.hook, hook)() for hook in HOOKS]
    manager.unregister(plugin)
    _idle.append(manager)  # not one in which a plugin has failed
    return offers


def new_manager() -> pluggy.PluginManager:
    """Return a manager that knows our hooks, and no plugin."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    return manager


def keep_manager() -> None:
    """Have a manager at hand: a process that is forked finds it."""
    if not _idle:
        _idle.append(new_manager())


def _refuse_misspelt(plugin: Any) -> None:
    """Refuse functions that were meant as hooks and are none."""
    for name in dir(plugin):
        function = getattr(plugin, name, None)
        if not inspect.isroutine(function):
            continue
        mark = getattr(function, f"{PROJECT}_impl", None)
        hook = (mark or {}).get("specname") or name
        if mark is None and name in HOOKS:
            raise PluginError(f"{name} is not marked as a hook; write @hookimpl above it")
        if hook not in HOOKS and (mark is not None or name.startswith(f"{PROJECT}_")):
            near = difflib.get_close_matches(hook, HOOKS, n=1, cutoff=0)
            raise PluginError(f"{hook} is no hook; did you mean {near[0]}? Hooks: {', '.join(HOOKS)}")


def _checked(offered: Any, hook: str, kind: str) -> Iterator[Entry]:
    if isinstance(offered, (str, bytes)) or not hasattr(offered, "__iter__"):
        raise PluginError(f"{hook} returned {offered!r}; return a list of Entry")
    for entry in offered:
        if not isinstance(entry, Entry):
            raise PluginError(f"{hook} offers {entry!r}, which is no Entry; write Entry(name, target)")
        if not (isinstance(entry.name, str) and _NAME.fullmatch(entry.name)):
            raise PluginError(
                f"{hook} offers the name {entry.name!r}; use lower case, digits and single dashes"
            )
        if kind != "suites" and isinstance(entry.target, str) and not _TARGET.fullmatch(entry.target):
            raise PluginError(
                f"the target {entry.target!r} of '{entry.name}' is not of the form 'module:Class'"
            )
        yield entry

"""What plugins keep in their modules, put back to what it was when each module had just been imported.

A reused worker imports a plugin once. What a job binds anew in a module or a class, puts into a dictionary,
list or set that stands there, or caches with functools, is undone before the next job. Deeper state, in
objects that a module holds or in a library, cannot be seen; a plugin that keeps some needs a process a trial.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from deqbench.discovery.loading import installed_points
from deqbench.plugin import PROJECT

_CONTAINERS = (dict, list, set)


def plugin_roots() -> frozenset[str]:
    """Return the top-level packages of the installed plugins."""
    return frozenset(_roots())


def _roots() -> Iterator[str]:
    for point, _, _ in installed_points():
        yield point.value.partition(":")[0].partition(".")[0]


def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    folders = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    found = {str(Path(folder).resolve()) for folder in folders} | folders
    return tuple(sorted(found | {str(Path(sys.base_prefix) / "lib")}))


@dataclass
class ModuleState:
    """The namespaces of plugins' modules and of their classes, as their import left them."""

    _kept: list[_Namespace] = field(default_factory=list)
    _libraries: tuple[str, ...] = field(default_factory=_library_folders)
    _roots: frozenset[str] = field(default_factory=plugin_roots)

    def watch(self) -> ModuleState:
        """Note every plugin's module from now on, as soon as it has been executed.

        It changes how this process imports, for good; it is meant for a worker alone.
        """
        execute = SourceFileLoader.exec_module

        def noting(loader: SourceFileLoader, module: ModuleType) -> None:
            execute(loader, module)
            if self._is_plugins(module):
                self.note(module)

        # The one place that modules of packages, files in folders and bare files all pass.
        SourceFileLoader.exec_module = noting  # type: ignore[method-assign,assignment]  # it is replaced
        return self

    def note(self, module: ModuleType) -> None:
        """Remember a module as it is now."""
        self._kept.append(_Namespace.of(module))
        own = [one for one in vars(module).values() if isinstance(one, type)]
        self._kept += [_Namespace.of(one) for one in own if one.__module__ == module.__name__]

    def restore(self) -> None:
        """Put every noted module and class back."""
        for one in self._kept:
            one.restore()

    def _is_plugins(self, module: ModuleType) -> bool:
        """Return whether a module belongs to a plugin, or to no library at all: a file beside one."""
        root, file = module.__name__.partition(".")[0], str(getattr(module, "__file__", "") or "")
        return root != PROJECT and (root in self._roots or not file.startswith(self._libraries))


@dataclass(frozen=True)
class _Namespace:
    """A module's or a class's names, with the contents of the containers among them."""

    owner: Any
    names: dict[str, Any]
    contents: dict[str, Any]

    @classmethod
    def of(cls, owner: Any) -> _Namespace:
        names = {name: value for name, value in vars(owner).items() if not _is_special(name)}
        contents = {name: value.copy() for name, value in names.items() if type(value) in _CONTAINERS}
        return cls(owner, names, contents)

    def restore(self) -> None:
        for name, value in list(vars(self.owner).items()):
            new = name not in self.names and not _is_special(name)
            if new and not isinstance(value, ModuleType):  # a package holds its modules once imported
                delattr(self.owner, name)
        for name, value in self.names.items():
            if vars(self.owner).get(name) is not value:
                setattr(self.owner, name, value)
            if hasattr(value, "cache_clear"):
                value.cache_clear()
        for name, content in self.contents.items():
            _refill(self.names[name], content)


def _is_special(name: str) -> bool:
    """Return whether Python, or abc, keeps the name for itself."""
    return (name.startswith("__") and name.endswith("__")) or name.startswith("_abc_")


def _refill(container: Any, content: Any) -> None:
    if isinstance(container, list):
        container[:] = content
    else:
        container.clear()
        container.update(content)
